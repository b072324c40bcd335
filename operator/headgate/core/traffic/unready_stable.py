"""Going back leads to a version that serves nobody, while the one that leaves has all its pods ready: who gets users.

Whoever can serve them. The stable Service, which everybody comes by in the end, selects the pods of the version that
leaves until one of stable's is ready; then it leads home at once, as nothing keeps an abort waiting longer than that.
The version stays on its way out: it is neither judged nor promoted for it. One that has never had all users gets none.

    stable 0 ready, leaving 4   for 5 s    the stable Service selects the version that leaves
    stable 1 ready              at once    it selects stable
    stable 0 ready again        for 10 s   the same again, and each time users wait twice as long for it
"""

import dataclasses
from typing import Final

from headgate.api import values
from headgate.api.status import Abort
from headgate.core.model.traffic import ServiceFacts
from headgate.core.replicas.pod_budget import Budget, Pods
from headgate.core.traffic.plan import Plan, View
from headgate.core.traffic.routers.gateway_api import header_routes

RESCUE_AFTER_SECONDS: Final = 5
"""How long nobody may serve before users are led away: pods whose probes fail for a moment come round sooner."""
_DOUBLED_MOST: Final = 6
"""Pods that come and go lead users to and fro once in five minutes at the most."""


def serves_alone(budget: Budget, stable: Pods, other: Pods) -> bool:
    """Return whether no pod of *stable* is ready, and those of the *other* version carry everybody."""
    return bool(budget.total) and not max(stable.ready, stable.answering) and other.ready >= max(1, budget.least_ready)


def stranded(view: View) -> bool:
    """Return whether users are, or would be, led to a stable side without a ready endpoint, and others could serve."""
    service = view.facts.stable
    if not isinstance(service, ServiceFacts) or not serves_alone(view.budget, view.stable, view.other):
        return False
    return service.ready(view.stable_hash) == 0


def due_at(leaving: Abort) -> float | None:
    """Return from when on users are led to the version that leaves; None while stable serves."""
    since = leaving.unserved_since
    return None if since is None else since + RESCUE_AFTER_SECONDS * 2 ** min(leaving.rescues, _DOUBLED_MOST)


def backward(view: View, leaving: Abort) -> Plan:
    """Return the plan for a canary that is leaving."""
    plan, service, due = header_routes.backward(view), view.facts.stable, due_at(leaving)
    if not leaving.had_all or not isinstance(service, ServiceFacts) or not stranded(view):
        return plan
    ready = f"no pod of the stable revision is ready, and {view.other.ready} of the one that leaves are"
    if leaving.rescued_since is not None:
        there = service.leads_only_to(view.other_hash)
        selects = view.other_hash if service.selects != view.other_hash else ""
        waits = f"{ready}: Service {service.name} leads to these until one is"
        return dataclasses.replace(plan, stable_selects=selects, percent=plan.percent if there else None, waits=waits)
    if service.selects != view.stable_hash:
        return dataclasses.replace(plan, waits=f"{ready}: Service {service.name} leads to them until one is")
    then = f" from {values.format_time(due)} on" if due is not None else ""
    again = (*plan.recheck_at, *((due,) if due is not None and due > view.now else ()))
    return dataclasses.replace(plan, waits=f"{ready}: users are led to these{then}", recheck_at=again)
