"""Tests of the local clusters."""
