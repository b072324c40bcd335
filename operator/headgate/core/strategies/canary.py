"""The steps of a canary, as they are written."""

from collections.abc import Iterable
from typing import Any

from headgate.api import steps
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import Header
from headgate.core.strategies import headers as strategies_headers
from headgate.core.strategies.steps import Step


def steps_of(written: Iterable[steps.Step]) -> tuple[Step, ...]:
    """Return the steps that *written* means, with the implied last one."""
    planned: list[Step] = []
    weight, mirror, pods = 0, 0, None
    headers: tuple[Header, ...] = ()
    routes: dict[str, tuple[steps.HeaderMatch, ...]] = {}
    for step in written:
        if step.set_weight is not None:
            weight = step.set_weight
            # Where all requests reach the new version anyway, nothing is left to be told apart, or to be copied.
            headers, mirror = (headers, mirror) if weight < WHOLE else ((), 0)
        elif step.set_canary_scale is not None:
            pods = step.set_canary_scale.pods
        elif step.set_header_route is not None:
            routes = {**routes, step.set_header_route.name: step.set_header_route.match}
            headers = strategies_headers.united(routes.values())
        elif step.set_mirror_route is not None:
            mirror = step.set_mirror_route.percentage
        planned.append(Step(weight, pods=pods, headers=headers, mirror_percent=mirror, **_own(step)))
    if weight != WHOLE:
        planned.append(Step(WHOLE))
    return tuple(planned)


def _own(step: steps.Step) -> dict[str, Any]:
    """Return what is true of a step alone, and of none after it."""
    if step.pause is not None:
        return {"waits": True, "pause_seconds": step.pause.duration_seconds}
    if step.analysis is not None:
        return {"metrics": step.analysis.metrics}
    return {"anew": step.set_weight is None}
