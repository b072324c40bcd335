"""Gathers all that a decision may know into one Observation stamped with now.

What could not be read is Unknown with a reason, not an exception; only without the Rollout and its Deployments there is
nothing to decide on. Reads at every pass and keeps nothing; trusts no event (a `Snapshot` of lists can only spare a
Rollout its first pass). Knows no Kubernetes client and decides nothing.
"""

from headgate.observe.interfaces import Clock, Measurements, Reader
from headgate.observe.observer import Observer

__all__ = ["Clock", "Measurements", "Observer", "Reader"]
