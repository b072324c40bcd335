"""All users at once: the Services select the one revision that may have pods now."""

from headgate.core.model.traffic import ServiceFacts
from headgate.core.replicas.pod_budget import Sizes
from headgate.core.traffic import plan as traffic_plan


def switch(view: traffic_plan.View, asked: Sizes, *, back: bool, clear: bool) -> traffic_plan.Plan:
    """Return the plan for Services: they lead to whoever may have pods now, and routes to the stable one alone."""
    hash_ = view.stable_hash if back else view.other_hash
    stable, canary = (
        hash_ if clear and isinstance(service, ServiceFacts) and service.selects != hash_ else ""
        for service in (view.facts.stable, view.facts.canary)
    )
    waits = _waits(view, hash_)
    return traffic_plan.Plan(asked, percent=0, stable_selects=stable, canary_selects=canary, waits=waits)


def _waits(view: traffic_plan.View, revision_hash: str) -> str:
    service = view.facts.stable
    if not view.budget.total or (isinstance(service, ServiceFacts) and service.leads_only_to(revision_hash)):
        return ""
    name = service.name if isinstance(service, ServiceFacts) else "of spec.traffic"
    return f"Service {name} does not lead to the new pods yet"
