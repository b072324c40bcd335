"""Tools for those who work on Headgate. Nothing of them is shipped."""
