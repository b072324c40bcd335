"""A clock that jumps ahead: what runs goes on as if nothing had been waited for, and nothing is decided by it."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from headgate.api import status as api
from headgate.core.model import PodTrouble
from headgate.core.rollout import clock_jumps, refresh
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers, drilling, earlier, ways
from tests.core.ways import facts, known, parent, route, rule, service
from tests.core.worlds import NOON, B, World, metric, policy, policy_of

HOUR: Final = 3600
WATCHED: Final = policy(20, "2m", 50, metrics=(metric(no_data={"after": "5m", "then": "Rollback"}),))
SLOW: Final = PodTrouble("web-x: ImagePullBackOff", hopeless=True)


def jumped(world: World, seconds: float = HOUR) -> World:
    """Return *world* in the moment after its clock jumped ahead."""
    return world.but(now=world.now + seconds, jumped_seconds=seconds)


def _progress(world: World, side: str, **fields: int) -> World:
    known_side = getattr(world.status, side)
    return world.with_status(**{side: known_side.model_copy(update={"progress": api.Progress(**fields)})})


def starting() -> World:
    """Return a canary of which no pod is ready for 20 s, for a reason that waiting does not mend."""
    world = World().stable(10).canary(2, 0, age=20).ruled(WATCHED).at_step(1).but(trouble=SLOW)
    return _progress(world, "canary", desired=2, ready=0, since=NOON - 20)


def retreating() -> World:
    """Return a canary that left 5 s ago, while stable has one of its ten pods."""
    world = World().stable(10, 1).canary(8).ruled(WATCHED).leaving(since=5)
    return _progress(world, "stable", desired=10, ready=1, since=NOON - 5)


def draining() -> World:
    """Return a canary behind routes whose weight was taken back 5 s ago."""
    ways_back = facts(canary=service(ways.CANARY, B, {B: 2}))
    remembered = known(0, highest=20, since=NOON - 5)
    return ways.routed(World().stable(10).canary(2), 20, ways=ways_back, remembered=remembered).leaving(since=5)


def blind() -> World:
    """Return a canary at a weight that was not measured for a minute."""
    world = World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=100)
    return world.knows(passes=1, verdict=api.Outcome.NO_DATA, last_judged=NOON - 80, watched_since=NOON - 100)


def recreating() -> World:
    """Return a recreate that began a second ago: its old pods were asked to go."""
    world = World().stable(0).canary(0, age=1).ruled(policy_of(recreate={})).at_step(1)
    return world.but(present={})


def _behind() -> World:
    found = facts(canary=service(ways.CANARY, B, {B: 2}), route=route(rule(80, 20), parents=(parent(),)))
    return ways.routed(World().stable(10).canary(2), 20, "2m", 50, ways=found, remembered=known(20)).at_step(
        2, since=60
    )


WORLDS: Final[dict[str, Callable[[], World]]] = {
    "pods that cannot start": starting,
    "a retreat": retreating,
    "a drain": draining,
    "no data": blind,
    "a pause": lambda: World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=60).knows(passes=3),
    "a pause behind routes": _behind,
    "a recreate": recreating,
    "warm": ways.warm,
    "a drill that holds": drilling.holding,
    "a drill that ends": drilling.leaving,
    "on the way back": earlier.going_back,
    "the first revision": lambda: World().first(10, 4, age=30),
}


def decided(world: World) -> tuple[Any, ...]:
    """Return what was decided, apart from times."""
    decision = decide(world.observe())
    canary = decision.status.canary
    ended = [(entry.hash, entry.outcome, entry.reason) for entry in decision.status.history]
    rejected = [entry.hash for entry in decision.status.rejected]
    leaving = canary.abort.reason if canary is not None and canary.abort is not None else ""
    return decision.rule, decision.status.phase, decision.actions, answers.step(decision), leaving, ended, rejected


@pytest.mark.parametrize("seconds", [60, HOUR, 86_400])
@pytest.mark.parametrize("name", WORLDS)
def test_h27_nothing_is_decided_by_a_jump(name: str, seconds: int) -> None:
    """H27: what follows is what would have followed without it; the same holds a moment later, once that is written."""
    world = WORLDS[name]()
    ahead = jumped(world, seconds)
    if name == "no data":  # the ticks in between are yet to be read, and hold nothing
        ahead = ahead.knows(passes=1, verdict=api.Outcome.NO_DATA, last_judged=NOON - 80, watched_since=NOON - 100)

    assert decided(world) == decided(ahead)
    decision = decide(ahead.observe())
    assert decision.write_status
    written = ahead.but(status=decision.status, jumped_seconds=0.0, written_at=ahead.now, commands={})
    assert decided(world.but(status=decide(world.observe()).status, commands={})) == decided(written)


@pytest.mark.parametrize("name", WORLDS)
def test_the_worlds_are_ones_that_a_jump_would_end(name: str) -> None:
    """H27: untold, an hour decides: something else follows, or a wait of an hour is over."""
    world = WORLDS[name]()
    status = decide(world.observe()).status
    moved = clock_jumps.without_jump(jumped(world).observe(), world.status)

    assert moved != world.status
    assert status.phase is not api.Phase.HEALTHY or world.status.previous is not None


def test_h27_a_retreat_keeps_its_patience() -> None:
    """H27: an hour that nobody waited for takes no pod of the version that still carries users."""
    world = retreating()
    after = decide(jumped(world).observe())
    untold = decide(world.but(now=NOON + HOUR).observe())

    assert answers.sizes(untold).get(B, 8) < 8
    assert answers.sizes(after).get(B, 8) == 8


def test_a_jump_is_counted_once() -> None:
    """What was written after it is not moved again, and a clock of pods that are all ready does not run."""
    first = decide(jumped(starting()).observe()).status
    assert first.canary is not None
    assert first.canary.progress is not None
    assert first.canary.progress.since == NOON - 20 + HOUR
    assert first.canary.started == NOON - 20
    assert first.canary.waits_since == NOON - 20 + HOUR
    assert first.stable is not None
    assert first.stable.progress is not None
    assert first.stable.progress.since == NOON - 5000


def test_at_rest_a_jump_writes_nothing() -> None:
    """Where nothing runs nothing is moved."""
    world, _ = aftermath.settled(World().stable())

    assert not decide(jumped(world).observe()).write_status


# --- pods that flap ---------------------------------------------------------------------------------------------------


def flapping(dropped: int | None, ready: int = 7) -> World:
    """Return a world that goes back from B, of which never more than seven of ten pods were ready, for an hour now."""
    world = earlier.going_back()
    progress = api.Progress(desired=10, ready=7, since=NOON - HOUR, dropped=dropped)
    assert world.status.stable is not None
    stable = world.status.stable.model_copy(update={"progress": progress, "ready": 7})
    return world.deployment(B, 10, ready).with_status(stable=stable)


def stopped(world: World) -> int | None:
    """Return since when stable's pods are not ready, as the next pass meets it."""
    stable = refresh.opened(world.observe()).status.stable
    return stable.progress.stopped if stable is not None and stable.progress is not None else None


@pytest.mark.parametrize(("ready", "since"), [(7, NOON - HOUR), (6, NOON + 2), (0, NOON + 2), (8, NOON + 2)], ids=str)
def test_a_flap_is_told_from_a_start_that_hangs(ready: int, since: int) -> None:
    """The clock of pods that are not ready begins when they stopped being so, also where never all were ready."""
    assert since == stopped(flapping(None, ready))


def test_a_flap_that_goes_on_keeps_its_clock() -> None:
    """It is remembered from one pass to the next: that it began is written at once."""
    decision = decide(flapping(None, 6).observe())
    assert decision.write_status
    world = flapping(None, 6).but(status=decision.status, now=NOON + 8)

    assert NOON + 2 == stopped(world)


def test_the_deadline_is_not_put_off_by_a_flap() -> None:
    """A flap is no progress: what was never ready in time goes back all the same."""
    world = World().stable(10).canary(2, 0, age=700).ruled(WATCHED).at_step(1)
    world = _progress(world, "canary", desired=2, ready=1, since=NOON - 600)
    canary = world.status.canary
    assert canary is not None
    world = world.with_status(canary=canary.model_copy(update={"ready": 1}))

    assert decide(world.observe()).status.rejected[0].reason == "ProgressDeadlineExceeded"


@pytest.mark.parametrize(("dropped", "back"), [(NOON - 29, False), (NOON - 30, True), (None, True)])
def test_pods_that_stopped_get_their_time(dropped: int | None, *, back: bool) -> None:
    """failFast.after counts from when the last pod that was ready stopped being so."""
    world = World().stable(10).canary(2, 0, age=400).ruled(WATCHED).at_step(1).but(trouble=SLOW)
    canary = world.status.canary
    assert canary is not None
    progress = api.Progress(desired=2, ready=1, since=NOON - 300, dropped=dropped)
    world = world.with_status(canary=canary.model_copy(update={"progress": progress, "ready": 0}))

    assert back == bool(decide(world.observe()).status.rejected)
