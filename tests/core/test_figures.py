"""Clocks and figures that change without the phase: what is written at once, and what once it stands."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import status as api
from headgate.core.model import PodTrouble, Unwritten
from headgate.core.rollout import status as statuses
from headgate.core.rollout import status_figures
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, C, World, policy

PULL = PodTrouble("web-x: ImagePullBackOff", hopeless=True, of=A)
PLAIN = policy(50)


def side(**changes: Any) -> api.Side:
    """Return the stable revision on its way from two pods to five."""
    progress = api.Progress(**{"desired": 5, "ready": 2, "since": NOON - 60, **changes})
    return api.Side(revision=1, hash=A, replicas=5, ready=2, progress=progress)


# --- which clocks there are -------------------------------------------------------------------------------------------

FIGURES = {
    # Facts of the past: what happened, and when.
    "conditions.last_transition_time",
    "canary.drill.injected_at",
    "previous.promoted",
    "stable.since",
    "canary.since",
    "previous.since",
    "canary.started",
    "previous.started",
    "rejected.at",
    "history.started",
    "history.aborted_at",
    "history.finished",
    "history.drill.injected_at",
    # Which measurements have been judged: every pass goes on from the last one that is on record, by the same fold.
    "analysis.since",
    "analysis.last_tick",
    "analysis.last_judged",
    # Which weight is in effect: `_begun` sees to them.
    "traffic.since",
    "traffic.stable_since",
}
"""Times that no rule reads as a clock, or that others see to; all that change here is written with whatever else is."""
CLOCKS = {
    "stable.progress.since",
    "canary.progress.since",
    "previous.progress.since",
    "stable.progress.dropped",
    "canary.progress.dropped",
    "previous.progress.dropped",
    "canary.analysis_from",
    "canary.abort.since",
    "canary.abort.uncounted_since",
    "canary.abort.unserved_since",
    "canary.abort.rescued_since",
    "previous.analysis_from",
    "previous.until",
    "rollback.since",
    "step.since",
    "weight.since",
    "traffic.drift_last_time",
    "analysis.watched_since",
    "drill.next",
    "restart.since",
    "restart.until",
}
"""Times from which a rule counts: such a change is written in the pass that finds it."""


def times(model: type[pydantic.BaseModel], path: str = "") -> Iterator[str]:
    """Yield the paths of all fields of a model that are points in time."""
    schema = model.model_json_schema(by_alias=False, mode="serialization")["properties"]
    for name, field in model.model_fields.items():
        kinds = (schema[name], *schema[name].get("anyOf", ()))
        if any(one.get("format") == "date-time" for one in kinds):
            yield f"{path}{name}"
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, pydantic.BaseModel):
                yield from times(part, f"{path}{name}.")


def _parts(annotation: Any) -> Iterator[Any]:
    inner = getattr(annotation, "__args__", ())
    yield from ([annotation] if not inner else itertools.chain.from_iterable(_parts(one) for one in inner))


def test_every_time_is_classified() -> None:
    """A new time in the status is a clock, which is written at once, or it is none: that is for its author to say."""
    found = set(times(api.RolloutStatus))

    assert found == CLOCKS | FIGURES
    assert not CLOCKS & FIGURES


def full() -> api.RolloutStatus:
    """Return a status in which every part that has a clock is there, and every clock runs."""
    progress = api.Progress(desired=5, ready=2, since=NOON - 60, dropped=NOON - 60)
    common: Any = {"progress": progress, "replicas": 5}
    leaving = api.Abort(
        ending=api.Ending.ABORTED,
        reason="x",
        since=NOON - 60,
        uncounted_since=NOON - 60,
        unserved_since=NOON - 60,
        rescued_since=NOON - 60,
    )
    at = NOON - 60
    metric = api.MetricStatus(name="m", verdict=api.Outcome.PASSED, since=at, watched_since=at, last_tick=at)
    return api.RolloutStatus(
        stable=api.Side(revision=1, hash=A, **common),
        canary=api.Canary(revision=2, hash=B, started=at, analysis_from=at, abort=leaving, **common),
        previous=api.Previous(revision=3, hash=C, promoted=at, started=at, analysis_from=at, until=at, **common),
        rollback=api.Rollback(revision=3, hash=C, rejects=B, since=at),
        step=api.StepStatus(index=1, of=2, since=at),
        weight=api.Weight(desired=20, since=at),
        traffic=api.TrafficStatus(weight=20, lowest=20, highest=20, drift_last_time=at),
        analysis=(metric,),
        drill=api.DrillSchedule(schedule="x", next=at),
        restart=api.Restart(since=at, until=at, pods=5),
    )


def moved(part: Any, path: list[str], seconds: int) -> Any:
    """Return *part* with the time at *path* moved by so many *seconds*."""
    name, *rest = path
    found = getattr(part, name)
    if not rest:
        return part.model_copy(update={name: found + seconds})
    if isinstance(found, tuple):
        return part.model_copy(update={name: tuple(moved(one, rest, seconds) for one in found)})
    return part.model_copy(update={name: moved(found, rest, seconds)})


@pytest.mark.parametrize("path", sorted(CLOCKS))
@given(seconds=st.integers(-10_000, 10_000).filter(bool))
def test_a_clock_that_changes_is_written_at_once(path: str, seconds: int) -> None:
    """Whatever changes beside it: a deadline that nobody wrote down would begin anew with every pass."""
    assert statuses.significant(full(), moved(full(), path.split("."), seconds))


# --- the clocks of pods -----------------------------------------------------------------------------------------------

amounts = st.integers(0, 6)
progresses = st.builds(api.Progress, desired=amounts, ready=amounts, since=st.integers(NOON - 500, NOON))


@given(before=progresses, after=progresses, name=st.sampled_from(("stable", "canary", "previous")))
def test_which_clocks_of_pods_are_written_at_once(before: api.Progress, after: api.Progress, name: str) -> None:
    """All that began anew while pods are waited for, but for one that goes on because another pod is ready."""
    sides = {"stable": api.Side(revision=1, hash=A), "canary": api.Canary(revision=1, hash=A, started=1)}
    sides["previous"] = api.Previous(revision=1, hash=A, promoted=1, started=1)
    one, other = (
        api.RolloutStatus.model_validate({name: sides[name].model_copy(update={"progress": progress})})
        for progress in (before, after)
    )
    waits = after.ready < after.desired
    grew = after.desired == before.desired and after.ready > before.ready

    assert statuses.significant(one, other) == (waits and after.since != before.since and not grew)


def test_a_clock_without_a_record_is_written_unless_it_can_be_found_again() -> None:
    """A canary's begins with its attempt, or with its Deployment where that came later."""
    stable, bare = side(), side().model_copy(update={"progress": None})
    canary = api.Canary(revision=2, hash=B, started=NOON, progress=side().progress)
    unknown = canary.model_copy(update={"progress": None})

    assert statuses.significant(api.RolloutStatus(stable=bare), api.RolloutStatus(stable=stable))
    assert not statuses.significant(api.RolloutStatus(canary=unknown), api.RolloutStatus(canary=canary))
    assert not statuses.significant(api.RolloutStatus(stable=stable), api.RolloutStatus(stable=bare))


@pytest.mark.parametrize(
    ("created", "since"), [(0, NOON - 39), (NOON - 30, NOON - 29), (NOON + 9, NOON), (NOON - 4000, NOON - 39)]
)
def test_the_start_of_an_attempt_is_the_start_of_its_clock(created: int, since: int) -> None:
    """So no restart, and no pass that writes nothing, begins it anew."""
    world = World().stable(10).canary(2, 0, age=40, created=created).ruled(PLAIN)
    assert world.status.canary is not None
    world = world.with_status(canary=world.status.canary.model_copy(update={"progress": None}))
    canary = decide(world.observe()).status.canary

    assert canary is not None
    assert canary.progress is not None
    assert since == canary.progress.since


def test_h27_a_clock_that_jumped_takes_nobodys_patience() -> None:
    """H27: an attempt that seems to have begun an hour ago, and of which nothing is on record, has its time."""
    world = World().stable(10).canary(2, 0, age=3600).ruled(PLAIN)
    assert world.status.canary is not None
    world = world.with_status(canary=world.status.canary.model_copy(update={"progress": None}))
    canary = decide(world.observe()).status.canary

    assert canary is not None
    assert canary.abort is None
    assert canary.progress is not None
    assert NOON - 44 == canary.progress.since


def test_a_scale_up_begins_its_clock_with_the_write_that_asks_for_it() -> None:
    """No pass later has to write it down."""
    decision = decide(World().stable(5).but(replicas=8).observe())
    assert decision.status.stable is not None
    assert api.Progress(desired=8, ready=5, since=NOON) == decision.status.stable.progress
    assert decision.write_status

    later = aftermath.after(World().stable(5).but(replicas=8), decision, 3, ready=False)
    again = decide(later.observe())
    assert again.status.stable is not None
    assert again.status.stable.progress is not None
    assert NOON == again.status.stable.progress.since
    assert not again.write_status


def test_what_cannot_be_written_begins_no_clock_again_and_again() -> None:
    """The Deployment refuses the new size for an hour: the status is not written with every try."""
    world = World().stable(5).but(replicas=8)
    decision = decide(world.observe())
    for minutes in range(1, 5):
        world = world.but(status=decision.status, now=NOON + 60.0 * minutes, refusals=("no",), written_at=NOON - 1)
        decision = decide(world.but(written_at=world.now - 1).observe())
        assert minutes == 1 or not decision.write_status


def test_a_clock_goes_on_though_nobody_wrote_it() -> None:
    """One more pod is ready: the next passes count from then, and not from themselves."""
    world = World().stable(5).but(replicas=8)
    world = aftermath.after(world, decide(world.observe()), 100, ready=False).deployment(A, 8, 6)
    first = decide(world.but(written_at=world.now - 1).observe())
    assert not first.write_status
    for seconds in (0.5, 1.0, 1.5):
        later = world.but(now=world.now + seconds, unwritten=first.unwritten, written_at=world.now - 1)
        found = decide(later.observe()).status.stable
        assert found is not None
        assert found.progress is not None
        assert int(world.now) == found.progress.since


# --- whose words are told ---------------------------------------------------------------------------------------------


def test_quoted_pods_are_the_attempts_own() -> None:
    """A first version that is replaced is not told by the pods of the one before, nor judged by them."""
    world = World().first(10, 0, age=3000).wants(B).recorded(B).but(trouble=PULL)
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert (B, NOON) == (decision.status.canary.hash, decision.status.canary.started)
    assert ("FirstRevision", "first revision: 0 of 10 pods ready") == answers.ready(decision)


def test_pods_that_cannot_start_after_a_scale_up_are_told() -> None:
    """With their words as the reason, and asked for soon enough; a deadline counts from the scale-up."""
    rules = PLAIN.model_copy(update={"progress_deadline_seconds": 5})
    world = World().ruled(rules).stable(5).but(replicas=8)
    world = aftermath.after(world, decide(world.observe()), 2, ready=False)
    quiet = decide(world.observe())
    assert "Scaling" == answers.ready(quiet)[0]
    assert quiet.recheck_at is not None
    assert quiet.recheck_at <= world.now + 5

    told = decide(world.but(trouble=PULL).observe())
    assert ("PodsNotStarting", "5 of 8 stable pods ready: web-x: ImagePullBackOff") == answers.ready(told)
    assert told.write_status
    late = decide(world.but(trouble=PULL, now=NOON + 5.0).observe())
    assert (api.Phase.DEGRADED, True) == (late.status.phase, late.write_status)


# --- figures that stand -----------------------------------------------------------------------------------------------


def rolled_back() -> World:
    """Return a world at rest after a rollback."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="bad", at=NOON - 500)
    world = World().stable().wants(B).recorded(B).with_status(rejected=(entry,))
    return aftermath.settled(world)[0]


def test_figures_are_written_once_they_stand() -> None:
    """After a scale-down while RolledBack READY and status.replicas are right within seconds, by one write."""
    world = rolled_back().but(replicas=5)
    first = decide(world.observe())
    world = aftermath.after(world, first, 0.4)
    writes = [first.write_status]
    for _ in range(12):
        decision = decide(world.observe())
        writes.append(decision.write_status)
        world = aftermath.after(world, decision, 0.4)

    assert ("5/5", 5) == (world.status.ready, world.status.replicas)
    assert 1 == sum(writes)


def test_there_is_a_pass_for_that() -> None:
    """Two seconds after figures came to stand, if nothing else leads to one."""
    world = rolled_back().deployment(A, 10, 10, pods=11)
    decision = decide(world.observe())

    assert (False, world.now + 2) == (decision.write_status, decision.recheck_at)
    assert decision.unwritten is not None
    assert world.now == decision.unwritten.since
    world = world.but(now=world.now + 1.5, unwritten=decision.unwritten).deployment(A, 10, 10, pods=12)
    moving = decide(world.observe())
    assert (False, world.now + 2) == (moving.write_status, moving.recheck_at), "they moved again"
    world = world.but(now=world.now + 2, unwritten=moving.unwritten)
    assert decide(world.observe()).write_status


def test_nothing_is_left_of_what_is_not_new() -> None:
    """A pass that finds what is on record leaves nothing, and one that writes leaves nothing either."""
    assert decide(rolled_back().observe()).unwritten is None
    assert decide(rolled_back().but(replicas=12).told(abort="now").observe()).unwritten is None


def test_in_flight_figures_come_with_what_else_is_written() -> None:
    """They change all the time there, so they are not written for their own sake; a clock that goes on is."""
    world = World().stable(8).canary(2).ruled(policy(20, "pause")).at_step(2, since=30)
    seen = aftermath.settled(world)[0].observe()
    assert seen.status.canary is not None
    assert math.inf == status_figures.stand_at(seen, seen.status.model_copy(update={"replicas": 19, "ready": "18/10"}))

    canary = api.Canary(revision=2, hash=B, started=NOON, progress=side(ready=3, since=NOON).progress)
    after = seen.status.model_copy(update={"canary": canary})
    assert seen.now + status_figures.STILL_SECONDS == status_figures.stand_at(seen, after)


def test_a_clock_in_the_future_is_not_waited_for() -> None:
    """What stood before the clock was set back begins to stand anew."""
    world = rolled_back().deployment(A, 10, 10, pods=11)
    seen = world.but(unwritten=Unwritten(world.status, world.now + 3600)).observe()

    found = status_figures.unwritten(seen, decide(seen).status)
    assert found is not None
    assert world.now == found.since


@pytest.mark.parametrize(
    ("hash_", "started", "age", "since"),
    [
        (B, NOON - 1000, 1, NOON - 7),
        (C, NOON - 1000, 1, NOON - 5),
        (B, NOON - 1, 1, NOON - 5),
        (B, NOON - 1000, 45, NOON - 5),
    ],
)
def test_what_was_found_belongs_to_its_own_attempt(hash_: str, started: int, age: int, since: int) -> None:
    """Another revision's clock, that of an earlier attempt, or one from before a clock jumped is not gone on with."""
    world = World().stable(10).canary(2, 1).ruled(PLAIN)
    canary = world.status.canary
    assert canary is not None
    world = world.with_status(
        canary=canary.model_copy(update={"progress": api.Progress(desired=2, ready=1, since=NOON - 5)})
    )
    found = canary.model_copy(
        update={"hash": hash_, "started": started, "progress": api.Progress(desired=2, ready=1, since=NOON - 7)}
    )
    left = Unwritten(world.status.model_copy(update={"canary": found}), NOON - age)
    after = decide(world.but(unwritten=left).observe()).status.canary

    assert after is not None
    assert after.progress is not None
    assert since == after.progress.since
