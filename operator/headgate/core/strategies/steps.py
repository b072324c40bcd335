"""A strategy as an ordered tuple of steps, the implied last one included."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from headgate.api import steps, strategy
from headgate.api.spec import Policy
from headgate.core.model.traffic import Extras, Header
from headgate.core.traffic.routers.gateway_api import header_matches
from headgate.core.traffic.routers.gateway_api.route_weights import WHOLE


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One step: the weight that holds in it, and the wait that it adds."""

    weight_percent: int
    waits: bool = False
    """Whether it is a pause."""
    pause_seconds: float | None = None
    """How long a pause lasts; None: until promoted."""
    pods: int | str | None = None
    """How many pods the new version has at least, or which part of the replicas; None: as many as its weight needs."""
    anew: bool = False
    """Whether something else than the weight is another than before, so that evidence begins anew."""
    headers: tuple[Header, ...] = ()
    """Requests with any one of these reach the new version, whatever the weight."""
    mirror_percent: int = 0
    """The part of all requests that the new version gets a copy of."""
    metrics: tuple[str, ...] = ()
    """The metrics that are judged in it, beside those that are judged all the time, and have to pass."""

    @property
    def waits_for_people(self) -> bool:
        """Whether only a person (or a pipeline) can end it."""
        return self.waits and self.pause_seconds is None

    @property
    def extras(self) -> Extras:
        """What the new version gets beside its weight."""
        return Extras(self.headers, self.mirror_percent)


def planned(policy: Policy, *, goes_back: bool = False) -> tuple[Step, ...]:
    """Return the steps of *policy*'s strategy; the last one holds 100 percent, implied where it is not written.

    What *goes_back* to a revision that was stable before has that one alone: all its pods first, then all users.
    """
    way = policy.strategy
    if goes_back:
        return (Step(100),)
    if way.blue_green is not None:
        return _previewed(way.blue_green)
    return _written(way.canary.steps) if way.canary else (Step(100),)


def _previewed(way: strategy.BlueGreen) -> tuple[Step, ...]:
    preview, auto = way.preview_replicas or "100%", way.auto_promotion
    steps = [Step(0, pods=preview)]
    if auto is None or auto.after_seconds:
        steps.append(Step(0, waits=True, pause_seconds=auto.after_seconds if auto else None, pods=preview))
    if way.preview_replicas is not None:
        steps.append(Step(0, pods="100%"))
    return (*steps, Step(100))


def _written(written: Iterable[steps.Step]) -> tuple[Step, ...]:
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
            headers = header_matches.united(routes.values())
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


def resumed(old: tuple[Step, ...], new: tuple[Step, ...], index: int, weight_percent: int) -> int:
    """Return the number in *new* at which a rollout goes on that was at step *index* of *old*, with *weight_percent*.

    Steps are counted from 1; 0 means before the first one. Where everything up to that step is unchanged, it stays.
    Otherwise it goes on at the first step whose weight is not below the present one, and never jumps past that: at the
    step itself where the weight is the same, else before it, for a higher weight has to be earned. The same holds where
    *old* is not known and therefore empty.
    """
    if index <= len(old) and new[:index] == old[:index]:
        return index
    at = next(at for at, step in enumerate(new) if not step.waits and step.weight_percent >= weight_percent)
    return at + 1 if new[at].weight_percent == weight_percent else at
