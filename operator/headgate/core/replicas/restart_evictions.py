"""The arithmetic of a restart: how many pods there are to be, and which of the old ones go now. Facts in, a plan out.

    replicas 10, maxSurge 3      old        new        asked of the API server
    first                        10         0          13 replicas
    three new ones are ready     10         3          three evictions
    again and again              7, 4       6, 9
    two old ones are left        2          11         12 replicas, two evictions
    none is left                 0          12         10 replicas: new ones go, there are no others

Old pods go by eviction alone, so that a PodDisruptionBudget counts for each of them. A ReplicaSet that is scaled down
prefers pods that became ready last: as long as there are old ones it would take new ones in their place, so what is too
many goes at the end. Under recreate nothing old may stand beside something new: there the Deployment goes to nothing
and comes back, as in each of its rollouts.
"""

import dataclasses
import math
from collections.abc import Sequence

from headgate.core.model import PodFacts
from headgate.core.replicas.pod_budget import Budget

BEGINS_AFTER_SECONDS = 1
"""Objects are dated in whole seconds: a pod that came in the second of the command would be taken for an old one."""
SERVES_AFTER_SECONDS = 3
"""How long after it became ready a new pod may not be among its Service's endpoints: old ones do not go for it yet."""
EVICTIONS_MAX = 20
"""How many pods go in one pass: a pass with a thousand evictions would last for as many times 5 ms, and an abort that
comes meanwhile with it."""
_PART = 4
"""A quarter of the pods at most starts beside the others, whatever surge routes allow."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What a plan is made from."""

    now: float
    since: int
    """Pods that were created then or before are old."""
    budget: Budget
    wanted: int
    """The replicas that the Deployment asks for."""
    min_ready_seconds: int
    pods: Sequence[PodFacts] | None
    """Of the stable revision; None where they could not be read."""
    holds: bool
    """Whether something else goes first: nothing more is taken away."""
    recreates: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a restart needs now."""

    size: int
    """The replicas to ask for."""
    evict: tuple[PodFacts, ...] = ()
    remaining: int | None = None
    """How many old pods there are; None where nobody knows."""
    ready: int = 0
    """How many pods are available, old ones included."""
    done: bool = False
    more: bool = False
    """Whether more pods could go now than one pass takes away."""


def plan(view: View) -> Plan:
    """Return what a restart needs now."""
    budget, total = view.budget, view.budget.total
    surge = min(budget.surge, math.ceil(total / _PART))
    pods = view.pods
    if pods is None:
        return Plan(_kept(view, total, surge))
    if view.now < view.since + BEGINS_AFTER_SECONDS:
        view = dataclasses.replace(view, holds=True)
    if view.recreates:
        return _emptied(view, pods)
    living = [pod for pod in pods if not pod.leaving]
    old = [pod for pod in living if pod.created <= view.since]
    ready = sum(_available(view, pod) for pod in living)
    if view.holds:
        return Plan(_kept(view, total, surge), remaining=len(old), ready=ready)
    size = total + min(surge, len(old))
    done = not old and view.wanted == total and ready >= total
    going = _going(view, living, size, surge)
    return Plan(size, going[:EVICTIONS_MAX], len(old), ready, done, more=len(going) > EVICTIONS_MAX)


def _kept(view: View, total: int, surge: int) -> int:
    return 0 if view.recreates and view.wanted == 0 else min(max(view.wanted, total), total + surge)


def _available(view: View, pod: PodFacts) -> bool:
    return pod.ready_since is not None and view.now >= pod.ready_since + view.min_ready_seconds


def _serves(view: View, pod: PodFacts) -> bool:
    since = pod.ready_since if pod.created > view.since else None
    return _available(view, pod) and (since is None or view.now >= since + SERVES_AFTER_SECONDS)


def _going(view: View, living: Sequence[PodFacts], size: int, surge: int) -> tuple[PodFacts, ...]:
    """Return who goes now: whoever carries nobody first, then as many as *size* pods can spare; the eldest first.

    What was asked for last may not be carried out yet, so that no more than *size* pods are relied on.
    """
    old = sorted((pod for pod in living if pod.created <= view.since), key=lambda pod: (pod.created, pod.name))
    serving = [pod for pod in old if _available(view, pod)]
    idle = [pod for pod in old if not _available(view, pod)]
    starting = sum(pod.created > view.since and not _available(view, pod) for pod in living)
    most = max(0, max(1, surge + view.budget.unavailable) - starting)
    ready = sum(_serves(view, pod) for pod in living)
    # Whoever allows all pods to be unavailable allows it to a rollout, whose routes meet somebody all the same.
    least = max(view.budget.least_ready, min(1, size - 1))
    spare = max(0, min(ready, size) - least)
    first = idle[:most]
    return (*first, *serving[: min(spare, most - len(first))])


def _emptied(view: View, pods: Sequence[PodFacts]) -> Plan:
    """Return the plan that has no pod beside another that is on its way out: nothing, then all."""
    total = view.budget.total
    old = sum(pod.created <= view.since for pod in pods)
    ready = sum(_available(view, pod) and not pod.leaving for pod in pods)
    # What is still on its way out may be newer than the command, and holds the volume all the same. Whatever holds up
    # the restart, nobody stays without pods for it.
    size = 0 if (old and not view.holds) or (view.wanted == 0 and pods) else total
    return Plan(size, (), old, ready, done=not old and view.wanted == total and ready >= total)
