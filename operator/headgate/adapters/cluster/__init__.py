"""The only room that speaks to the Kubernetes API. Its door: `find` the way there, then open a `Cluster`."""

from headgate.adapters.cluster.access import Access, Login, NoAccessError, find
from headgate.adapters.cluster.client import Cluster
from headgate.adapters.cluster.errors import Forbidden, NotServed, Unauthorized
from headgate.adapters.cluster.exchange import RequestHook
from headgate.adapters.cluster.requests import NotAName
from headgate.adapters.cluster.watch import Change

__all__ = [
    "Access",
    "Change",
    "Cluster",
    "Forbidden",
    "Login",
    "NoAccessError",
    "NotAName",
    "NotServed",
    "RequestHook",
    "Unauthorized",
    "find",
]
