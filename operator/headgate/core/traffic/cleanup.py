"""What a Rollout that is no more has left of ours on Services, and when that may be taken off.

A Service that went on selecting one revision's pods would stand empty once somebody else's have taken their place. A
finalizer could see to it before the Rollout goes, but would hold every deletion for ever where Headgate itself is gone.
"""

import dataclasses

from headgate.core.model import DeploymentFacts
from headgate.core.model.traffic import ServiceFacts


@dataclasses.dataclass(frozen=True, slots=True)
class OrphanedServices:
    """What bears the label of a Rollout that is no more."""

    namespace: str
    services: tuple[ServiceFacts, ...] = ()
    deployments: tuple[DeploymentFacts, ...] = ()


def given_back(remains: OrphanedServices) -> tuple[ServiceFacts, ...]:
    """Return the Services that are to lose our key and labels.

    None while Deployments wait for the garbage collector, nor while orphans of two revisions have pods, as right after
    a promotion: without the key a Service would lead to both.
    """
    serving = {facts.hash for facts in remains.deployments if facts.replicas}
    collected = any(facts.owner for facts in remains.deployments)
    return () if collected or len(serving) > 1 else remains.services
