"""What a strategy means to the one engine of steps, weights and pods.

Every strategy is a plan of steps, a budget of pods, and one of two ways to move users: weights, or a switch. The rules
that go back, evidence, commands and scaling know nothing of strategies.

    canary           the steps as written    maxSurge, maxUnavailable    weights: routes, or the ratio of pods
    rollingUpdate    100 percent at once     maxSurge, maxUnavailable    weights: as pods are exchanged
    recreate         100 percent at once     none of both at a time      the switch, where there is spec.traffic
"""

from headgate.api.spec import Policy, Recreate
from headgate.core import replicas


def budget(policy: Policy | None, total: int, *, routed: bool) -> replicas.Budget:
    """Return how far both versions together may stray from *total* replicas."""
    match policy.strategy.way if policy else None:
        case Recreate():
            return replicas.Budget(total, 0, 0)
        case way:
            return replicas.budget(way, total, routed=routed)


def scale_down_delay_seconds(policy: Policy | None) -> float:
    """Return how long the old revision stays warm after a promotion."""
    canary = policy.strategy.canary if policy else None
    return canary.scale_down_delay_seconds if canary else 0.0


def rolls(policy: Policy | None) -> bool:
    """Return whether pods are exchanged one after the other, and nothing is waited for in between."""
    return policy is not None and policy.strategy.rolling_update is not None


def recreates(policy: Policy | None) -> bool:
    """Return whether no pod of one revision may be there together with one of another."""
    return policy is not None and policy.strategy.recreate is not None


def switches(policy: Policy | None) -> bool:
    """Return whether the selector of the stable Service gives everybody to one revision, and routes give nothing."""
    return policy is not None and policy.traffic is not None and recreates(policy)


def other_way(one: Policy, other: Policy) -> bool:
    """Return whether the two move users in different ways, so that what began by one cannot go on by the other."""
    return type(one.strategy.way) is not type(other.strategy.way) or one.traffic != other.traffic
