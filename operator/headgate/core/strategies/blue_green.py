"""The steps of a blueGreen: a preview, a pause, then all users."""

from headgate.api import strategy
from headgate.core.strategies.steps import Step


def steps_of(way: strategy.BlueGreen) -> tuple[Step, ...]:
    """Return the steps of *way*."""
    preview, auto = way.preview_replicas or "100%", way.auto_promotion
    steps = [Step(0, pods=preview)]
    if auto is None or auto.after_seconds:
        steps.append(Step(0, waits=True, pause_seconds=auto.after_seconds if auto else None, pods=preview))
    if way.preview_replicas is not None:
        steps.append(Step(0, pods="100%"))
    return (*steps, Step(100))
