"""The tests, one folder per tier, and `python -m tests` to run them."""
