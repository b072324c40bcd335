"""The rules: tests of the pure core."""
