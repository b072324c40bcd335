"""A strategy as an ordered tuple of steps, the implied last one included."""

from headgate.api.spec import Policy
from headgate.core.strategies import blue_green, canary
from headgate.core.strategies.steps import Step


def planned(policy: Policy, *, is_rollback: bool = False) -> tuple[Step, ...]:
    """Return the steps of *policy*'s strategy; the last one holds 100 percent, implied where it is not written.

    What *is_rollback* to a revision that was stable before has that one alone: all its pods first, then all users.
    """
    way = policy.strategy
    if is_rollback:
        return (Step(100),)
    if way.blue_green is not None:
        return blue_green.steps_of(way.blue_green)
    return canary.steps_of(way.canary.steps) if way.canary else (Step(100),)
