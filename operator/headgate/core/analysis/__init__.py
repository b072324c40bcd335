"""Measurements: when they are due, what their values say, and whether they are evidence enough."""
