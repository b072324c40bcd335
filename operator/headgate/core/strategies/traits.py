"""What a strategy means to the one engine of steps, weights and pods.

Every strategy is a plan of steps, a budget of pods, and one of two ways to move users: weights, or a switch. The rules
that go back, evidence, commands and scaling know nothing of strategies.

    canary           the steps as written      maxSurge, maxUnavailable    weights: routes, or the ratio of pods
    blueGreen        0, a pause, 100 percent   twice the replicas          a weight of 0 or 100; without routes a switch
    rollingUpdate    100 percent at once       maxSurge, maxUnavailable    weights: as pods are exchanged
    recreate         100 percent at once       none of both at a time      a switch, where there is spec.traffic

The switch is the selector of the stable Service. It gives everybody to one revision and says so as a weight of 0 or
100, so that whatever waits for a weight, drains it or takes it back does the same for a switch.

A setCanaryScale is a floor beneath the pods that a weight needs. Pods beyond it start evidence anew, for they may do
what the fewer did not.

A setMirrorRoute is load like a weight: its pods come first, and its evidence begins anew.

A blueGreen's preview is a step at 0 percent that has pods all the same. Who looks at them comes by the canary Service:
synthetic or mirrored requests, which metrics of PrePromotion judge.

Which metrics count depends on where the users are:

                     in preview (0 percent)            switched (100 percent), and while the old revision is warm
    PrePromotion     judged, has to pass               not judged
    PostPromotion    not judged                        judged, has to pass
    Background       judged                            judged, has to pass

The first revision of all has nothing beside it and nothing to go back to: metrics of First are judged for it alone.

A canary's Background is judged at any weight, and has to pass before each higher one. Its Step is judged in the steps
that name it, has to pass there, and counts only what it measures after the weight of that step held.

Nobody comes to a preview, or to what recreate starts, before all pods are there: what these metrics look back on before
that counts for nothing. Every other metric is judged from the start of the attempt on, at any weight.
"""

from headgate.api.spec import Policy
from headgate.api.strategy import BlueGreen, Canary, Recreate
from headgate.core.replicas import pod_budget


def budget(policy: Policy | None, total: int, *, routed: bool) -> pod_budget.Budget:
    """Return how far both versions together may stray from *total* replicas."""
    match policy.strategy.way if policy else None:
        case BlueGreen():
            return pod_budget.Budget(total, total, 0)
        case Recreate():
            return pod_budget.Budget(total, 0, 0)
        case way:
            return pod_budget.budget(way, total, routed=routed)


def surges_freely(policy: Policy | None, *, routed: bool) -> bool:
    """Return whether nothing is stated that bounds the pods of both versions: they may be there in full, by routes."""
    way = policy.strategy.way if policy else None
    return routed and (isinstance(way, BlueGreen) or (isinstance(way, Canary) and way.max_surge is None))


def mirrors(policy: Policy) -> bool:
    """Return whether a step copies requests, so that it matters what Gateways can do."""
    way = policy.strategy.way
    return isinstance(way, Canary) and any(step.mirrors for step in way.steps)


def scale_down_delay_seconds(policy: Policy | None) -> float:
    """Return how long the old revision stays warm after a promotion."""
    way = policy.strategy.way if policy else None
    return way.scale_down_delay_seconds if isinstance(way, Canary | BlueGreen) else 0.0


def previews(policy: Policy | None) -> bool:
    """Return whether the new version is looked at before it gets any user, and then gets all."""
    return policy is not None and policy.strategy.blue_green is not None


def rolls(policy: Policy | None) -> bool:
    """Return whether pods are exchanged one after the other, and nothing is waited for in between."""
    return policy is not None and policy.strategy.rolling_update is not None


def recreates(policy: Policy | None) -> bool:
    """Return whether no pod of one revision may be there together with one of another."""
    return policy is not None and policy.strategy.recreate is not None


def rehearses(policy: Policy) -> bool:
    """Return whether a part of the users can be led to other pods and back: a drill may never put all at stake."""
    way = policy.strategy
    routed = policy.traffic is not None and policy.traffic.gateway_api is not None
    return way.recreate is None and (way.blue_green is None or routed)


def switches(policy: Policy | None) -> bool:
    """Return whether the selector of the stable Service gives everybody to one revision, and routes give nothing."""
    if policy is None or policy.traffic is None:
        return False
    return policy.strategy.recreate is not None or policy.traffic.gateway_api is None


def other_way(one: Policy, other: Policy) -> bool:
    """Return whether the two move users in different ways, so that what began by one cannot go on by the other."""
    return type(one.strategy.way) is not type(other.strategy.way) or one.traffic != other.traffic
