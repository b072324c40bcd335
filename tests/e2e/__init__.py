"""Headgate on a real node: real pods, real traffic, real measurements."""
