"""The status that people and machines read, and when it is worth a write."""

import dataclasses

import pytest

from headgate.api import status as api
from headgate.core.model import Identity, Target
from headgate.core.rollout import status
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.ways import CANARY, facts, parent, route, rule, service
from tests.core.ways import in_flight as in_flight_with_route
from tests.core.worlds import NOON, A, B, World, metric, policy

WATCHED = policy(20, "2m", 50, metrics=(metric(),))


def in_flight() -> World:
    """Return a settled world at 20 % in a pause, measured."""
    world = World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=30).knows(passes=1, last_tick=NOON - 30)
    return aftermath.after(world, decide(world.observe()), 0)


def test_what_a_flight_tells() -> None:
    """Both sides, sizes, selectors, images, step, weight and its achieved share are told."""
    status = decide(World().stable(8).canary(2, 1).at_step(1).observe()).status

    assert status.stable is not None
    assert status.canary is not None
    assert status.weight is not None
    assert status.selector == "app=web"
    assert status.canary.selector == f"app=web,headgate.dev/pod-hash={B}"
    assert (status.stable.replicas, status.canary.replicas, status.canary.images) == (8, 2, (f"web:{B}",))
    assert (status.stable.ready, status.canary.ready, status.ready, status.replicas) == (8, 1, "9/10", 10)
    assert (status.weight.desired, status.weight.achieved) == (20, 11)
    assert status.observed_generation == 1


def test_conditions_stay_where_the_server_has_them() -> None:
    """A list that is merged by type gets new entries at its end; that is no reason to write it once more."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="bad", at=NOON - 500)
    drill = api.Drill(of=A, by="x", within_seconds=60, injected_at=NOON - 900, rollback_seconds=1.0, within_target=True)
    past = api.HistoryEntry(
        revision=1, hash=A, outcome=api.Ending.DRILLED, started=NOON - 990, finished=NOON - 900, drill=drill
    )
    world, _ = aftermath.settled(World().stable().with_status(history=(past,)))
    assert ["Available", "Ready", "DrillSucceeded"] == [one.type for one in world.status.conditions]

    world, _ = aftermath.settled(world.wants(B).recorded(B).with_status(rejected=(entry,)))
    assert ["Available", "Ready", "DrillSucceeded", "Stalled"] == [one.type for one in world.status.conditions]
    assert not decide(world.but(now=world.now + 600).observe()).write_status


def test_images_of_a_lost_record_are_remembered() -> None:
    """Where the record of a revision is gone, the status keeps the images that it knew."""
    status = decide(World().stable().but(templates={}, written="x").observe()).status
    assert status.stable is not None
    assert status.stable.images == (f"web:{A}",)


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (World().stable(), {"Available": "True", "Ready": "True"}),
        (World().stable(10, 9), {"Available": "False", "Ready": "False", "Reconciling": "True"}),
        (World().stable(0).but(replicas=0), {"Available": "True", "Ready": "True"}),
        (World().first(10, 9), {"Available": "False", "Ready": "False", "Reconciling": "True"}),
        (World().stable().but(invalid="x"), {"Available": "True", "Ready": "False", "Stalled": "True"}),
        (in_flight(), {"Available": "True", "Ready": "False", "Reconciling": "True"}),
        (in_flight().leaving(), {"Available": "True", "Ready": "False", "Reconciling": "True"}),
        (
            World().stable(10, 0).ruled(policy(20, unavailable="100%")),
            {"Available": "False", "Ready": "False", "Reconciling": "True"},
        ),
    ],
)
def test_conditions(world: World, expected: dict[str, str]) -> None:
    """Available says that users are served, Ready that the spec is what serves; kstatus' two say why it is not."""
    conditions = decide(world.observe()).status.conditions

    assert expected == {known.type: known.status for known in conditions}
    assert len({known.message for known in conditions if known.type != "Available"}) == 1


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    """The time of a condition changes with its status alone, not with its words."""
    world, _ = aftermath.settled(World().stable())
    turned = {known.type: known.last_transition_time for known in world.status.conditions}
    decision = decide(world.but(now=NOON + 500).deployment(A, 10, 9).observe())
    times = {known.type: known.last_transition_time for known in decision.status.conditions}

    assert turned["Ready"] < NOON + 500
    assert times == {"Available": NOON + 500, "Ready": NOON + 500, "Reconciling": NOON + 500}
    later = decide(world.but(status=decision.status, now=NOON + 600).deployment(A, 10, 8).observe())
    assert {known.last_transition_time for known in later.status.conditions} == {NOON + 500}


@pytest.mark.parametrize(
    ("change", "significant"),
    [
        (lambda world: world.reads(0.001), False),
        (lambda world: world.deployment(B, 2, 2, pods=3), False),
        (lambda world: world.reads(0.5), True),
        (lambda world: world.reads(problem="refused"), True),
        (lambda world: world.but(paused=True), True),
        (lambda world: world.but(invalid="x"), True),
        (lambda world: world.but(now=NOON + 95), True),
        (lambda world: world.told(abort="now"), True),
        (lambda world: world.but(replicas=11), True),
        (lambda world: world.but(target=Target(Identity.UNKNOWN, message="x")), True),
    ],
)
def test_when_the_status_is_written(change: object, *, significant: bool) -> None:
    """A new verdict, step, phase or wait is written at once; other numbers wait for up to half a minute."""
    assert callable(change)
    world: World = change(in_flight())
    now = int(world.now)
    decision = decide(world.but(written_at=now - 10.0).observe())

    assert decision.write_status == significant
    assert decision.status != world.status
    if not significant:
        assert decision.recheck_at is not None
        assert decision.recheck_at <= now + 20 + 1
        for age, written in ((28.9, False), (29.1, True), (30.0, True)):
            assert written == decide(world.but(written_at=now - age).observe()).write_status


def test_an_unchanged_status_is_never_written() -> None:
    """However long ago the last write was, a status that says nothing new is not written."""
    world = in_flight()
    decision = decide(world.but(written_at=0).observe())

    assert decision.status == world.status
    assert not decision.write_status


def test_waits_are_told_once() -> None:
    """A pause, a hold and trouble are Events when they begin, not while they last; other waits are not Events."""
    world = World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=30).knows()
    first = decide(world.observe())
    assert answers.reasons(first) == ["PausedForTime"]
    assert not first.notices[0].warning
    assert answers.reasons(decide(aftermath.after(world, first).observe())) == []
    held = decide(world.but(refusals=("quota",)).observe())
    assert [(notice.reason, notice.warning) for notice in held.notices] == [("WriteRefused", True)]
    assert answers.reasons(decide(World().stable(10, 9).observe())) == []


def test_hostile_words_are_cut() -> None:
    """H23: words of any length in a spec or from the API server never make a status that cannot be written."""
    for world in (
        World().stable().but(invalid="x" * 100_000),
        in_flight().but(refusals=("y" * 100_000,)),
        World().stable().but(target=Target(Identity.REFUSED, message="z" * 100_000)),
    ):
        status = decide(world.observe()).status
        assert api.RolloutStatus.model_validate(status.written()) == status
        assert max(len(known.message) for known in status.conditions) == 4000
        assert status.step is None or len(status.step.waiting_for) == 4000


def test_the_status_survives_the_cluster() -> None:
    """A status that is written and read again is the same, so that a restart changes nothing."""
    for world in (in_flight(), in_flight().leaving(), World().first(), World().stable()):
        status = decide(world.observe()).status
        assert api.RolloutStatus.model_validate(status.written()) == status


STABLE = api.Side(revision=1, hash=A)
UP = api.Canary(revision=2, hash=B, started=NOON - 900)
GONE = api.Abort(ending=api.Ending.ABORTED, reason="Aborted", since=NOON - 1)


def remembered(canary: api.Canary | None = UP, heard: tuple[str, ...] = (), **changes: object) -> api.RolloutStatus:
    """Return a status that says of traffic alone: 20 percent for a while, and nothing left of any other weight."""
    fields: dict[str, object] = {"lowest": 20, "highest": 20, "since": NOON - 60, "stable_since": NOON - 900, **changes}
    traffic = api.TrafficStatus.model_validate({"weight": 20, **fields})
    return api.RolloutStatus(stable=STABLE, canary=canary, handled_commands=heard, traffic=traffic)


def going_back(**changes: object) -> api.RolloutStatus:
    """Return such a status of a canary that leaves."""
    return remembered(UP.model_copy(update={"abort": GONE}), **changes)  # type: ignore[arg-type]  # fields of traffic


def at_rest(**changes: object) -> api.RolloutStatus:
    """Return such a status after a promotion."""
    return remembered(None, **changes)  # type: ignore[arg-type]  # fields of traffic


HOME = {"weight": 0, "lowest": 0}
"""What the routes hold in the end."""


@pytest.mark.parametrize(
    ("before", "after", "significant"),
    [
        (remembered(), remembered(lowest=0), True),
        (remembered(), remembered(weight=50, highest=50, since=None), False),
        (remembered(), remembered(weight=50, highest=50, since=NOON), True),
        (remembered(since=None), remembered(since=NOON), True),
        (remembered(stable_since=None), remembered(stable_since=NOON), True),
        (remembered(), remembered(since=None), False),
        (going_back(), going_back(**HOME, since=NOON), True),
        (at_rest(), at_rest(**HOME, since=NOON), True),
        (at_rest(**HOME, stable_since=None), at_rest(**HOME, stable_since=NOON), True),
    ],
)
def test_a_clock_of_traffic_is_remembered(
    before: api.RolloutStatus, after: api.RolloutStatus, *, significant: bool
) -> None:
    """A clock that has started is written at once: each pass would start one anew that only it knows."""
    assert significant == status.significant(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (going_back(), going_back(**HOME, since=None)),
        (going_back(heard=("abort=now",)), going_back(**HOME, since=None)),
        (going_back(stable_since=None), going_back(stable_since=NOON)),
        (at_rest(), at_rest(**HOME, since=None)),
        (at_rest(stable_since=None), at_rest(stable_since=NOON)),
        (at_rest(stable_since=None), at_rest(**HOME, since=None, stable_since=NOON)),
    ],
)
def test_what_a_gateway_is_about_to_answer_is_told_with_its_answer(
    before: api.RolloutStatus, after: api.RolloutStatus
) -> None:
    """Traffic that goes back is told of within two seconds, so that one write can say all; nothing is lost by that."""
    seen = World().stable().but(written_at=NOON - 1).observe()

    assert not status.significant(before, after)
    told, same = dataclasses.replace(seen, status=before), dataclasses.replace(seen, status=after)
    assert (NOON + 1, NOON + 1) == (status.due_at(told, after), status.looked_at(told, after))
    assert (NOON + 28, NOON + 30) == (status.due_at(same, after), status.looked_at(same, after))


def test_a_command_that_is_heard_while_traffic_goes_back_is_remembered_at_once() -> None:
    """Only that its annotation has gone may wait."""
    assert status.significant(going_back(), going_back(**HOME, since=None, heard=("retry=x",)))
    assert status.significant(going_back(heard=("retry=x",)), going_back())


def test_a_gateway_that_is_late_is_told_of_after_two_seconds() -> None:
    """H20: while traffic goes back nobody reads for longer what has been true."""
    late = route(rule(100, 0), parents=(parent(current=False),))
    world = in_flight_with_route().leaving()
    told = world.but(status=decide(world.observe()).status, traffic=facts(canary=service(CANARY, B), route=late))
    early, due = (decide(told.but(written_at=NOON - ago).observe()) for ago in (1.0, 2.0))

    assert (early.write_status, early.recheck_at) == (False, NOON + 1)
    assert due.write_status
    assert "waiting for Gateway eg/public to accept HTTPRoute web" in answers.ready(due)[1]
    assert due.status.weight is not None
    assert due.status.weight.achieved == 0
