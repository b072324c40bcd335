"""The one kind of error that a user of the local cluster is meant to read."""


class ClusterError(Exception):
    """Say in one line what is missing and what would be right."""
