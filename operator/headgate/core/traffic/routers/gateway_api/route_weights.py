"""The arithmetic of route weights: percent to the two weights of a rule and back. Integers in, integers out.

In each rule two weights are ours, the stable Service's and the canary Service's. Their sum stays what it was wherever
other backends have weight too, so that these keep their share; where nobody else has any, the sum becomes 100.
"""

from collections.abc import Iterable

from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import RouteFacts, RuleFacts


def base(rule: RuleFacts) -> int:
    """Return what our two weights together are to be in *rule*."""
    return rule.sum if rule.foreign_weight else WHOLE


def weights(rule: RuleFacts, percent: int) -> tuple[int, int]:
    """Return the stable and the canary weight that give the canary *percent* of our part, rounded down."""
    whole = base(rule)
    canary = whole * percent // WHOLE
    return whole - canary, canary


def share(rule: RuleFacts) -> int:
    """Return what *rule* gives to the canary of our part, in percent, rounded up: no little share counts as none."""
    return -(-WHOLE * rule.canary_weight // rule.sum) if rule.sum else 0


def exact(rule: RuleFacts, percent: int) -> bool:
    """Return whether *rule*'s weights can give exactly *percent*."""
    return base(rule) * percent % WHOLE == 0


def at(rule: RuleFacts, percent: int) -> bool:
    """Return whether *rule* gives what `weights` makes of *percent*; at rest any sum will do."""
    if rule.canary_weight == 0:
        return weights(rule, percent)[1] == 0
    return (rule.stable_weight, rule.canary_weight) == weights(rule, percent)


def rules(routes: Iterable[RouteFacts]) -> tuple[RuleFacts, ...]:
    """Return all rules of *routes* that are ours to weigh."""
    return tuple(rule for route in routes for rule in route.rules)


def highest(routes: Iterable[RouteFacts]) -> int:
    """Return the most that any rule gives to the canary, in percent."""
    return max((share(rule) for rule in rules(routes)), default=0)


def lowest(routes: Iterable[RouteFacts]) -> int:
    """Return the least that any rule gives to the canary, in percent."""
    return min((share(rule) for rule in rules(routes)), default=0)
