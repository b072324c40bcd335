"""The only room that speaks to the Kubernetes API. Its door: `find` the way there, then open a `Cluster`."""

from headgate.adapters.cluster.access import Access, Login, NoAccessError, find
from headgate.adapters.cluster.client import Cluster
from headgate.adapters.cluster.exchange import RequestHook
from headgate.adapters.cluster.requests import NotAName

__all__ = ["Access", "Cluster", "Login", "NoAccessError", "NotAName", "RequestHook", "find"]
