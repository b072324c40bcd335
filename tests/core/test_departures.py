"""What is told as gone is gone: pods that end may answer, and only what is said waits for them."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Ending, Phase
from headgate.core.model import EndingPods, PodTrouble, TemplateRecord, Unreadable
from headgate.core.rollout import termination
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.ways import CANARY, STABLE, facts, in_flight, known, service, warm
from tests.core.worlds import NOON, A, B, C, World, policy, policy_of, template

FORBIDDEN = Unreadable("pods is forbidden")
PLAIN = policy(50)
OUTLIVED = (
    "revision 2 is taken back after 5s, though 1 pod has outlived what is given for it; 10 of 10 stable pods ready"
)
GONE = "revision 2 is gone after 5s; 10 of 10 stable pods ready"


def leaving(pods: Any = None, **changes: Any) -> World:
    """Return a world by pods in which all is done but that pods of the canary may still end."""
    return World().stable(10).canary(0).ruled(PLAIN).leaving(**changes).but(ending=pods)


def promoted(ending: Any, at: int = NOON - 10, **newest: Any) -> World:
    """Return a world in which B took A's place at that time, and has all pods."""
    entries = (
        past(B, at, **newest),
        past(A, at - 900),
    )
    world = World().ruled(PLAIN).deployment(A, 0).deployment(B, 10).wants(B).but(ending=ending)
    progress = api.Progress(desired=10, ready=10, since=NOON - 500)
    side = api.Side(revision=2, hash=B, replicas=10, ready=10, progress=progress)
    return world.with_status(stable=side, history=entries, phase=Phase.PROMOTING)


def past(hash_: str, finished: int, **changes: Any) -> api.HistoryEntry:
    """Return the history's entry of a promotion, or of another ending."""
    number = {A: 1, B: 2, C: 3}[hash_]
    fields = {"outcome": Ending.PROMOTED, "started": finished - 100, "reason": "Promoted", **changes}
    return api.HistoryEntry(revision=number, hash=hash_, finished=finished, **fields)


# --- a version that is taken back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "phase", "words"),
    [
        (None, Phase.ROLLED_BACK, GONE),
        ({B: EndingPods()}, Phase.ROLLED_BACK, GONE),
        ({B: EndingPods(2, NOON + 9)}, Phase.ROLLING_BACK, "of the canary, 2 pods have not ended and may still answer"),
        ({B: EndingPods(1, NOON + 1)}, Phase.ROLLING_BACK, "of the canary, 1 pod has not ended and may still answer"),
        (
            {B: EndingPods(1, NOON)},
            Phase.ROLLED_BACK,
            OUTLIVED,
        ),
        (FORBIDDEN, Phase.ROLLING_BACK, "of the canary, its pods cannot be counted: pods is forbidden"),
        ({B: EndingPods(1)}, Phase.ROLLING_BACK, "of the canary, 1 pod has not ended and may still answer"),
    ],
)
def test_rolled_back_is_said_once_nothing_answers(ending: Any, phase: Phase, words: str) -> None:
    """Not a second before; nor is it kept back for a pod that outlives its grace, as on a dead node."""
    decision = decide(leaving(ending).observe())

    assert phase is decision.status.phase
    if phase is Phase.ROLLED_BACK:
        assert words == answers.said(decision, "RolledBack")
        assert decision.status.canary is None
    else:
        assert f"why; 10 of 10 stable pods ready; {words}" == answers.ready(decision)[1]
        assert "RolledBack" not in answers.reasons(decision)
        assert () == decision.status.history


@pytest.mark.parametrize("ending", [FORBIDDEN, {B: EndingPods(1)}])
def test_what_does_not_say_how_long_it_takes_is_given_its_grace(ending: Any) -> None:
    """Since it was first looked for in vain, which is on record: no restart begins that anew."""
    first = decide(leaving(ending).observe())
    since = first.status.canary.abort.uncounted_since if first.status.canary and first.status.canary.abort else None
    assert (NOON, True) == (since, first.write_status)

    world = leaving(ending).but(status=first.status)
    bound = termination.GRACE_SECONDS + termination.SLACK_SECONDS
    assert Phase.ROLLING_BACK is decide(world.but(now=NOON + bound - 1.0).observe()).status.phase
    last = decide(world.but(now=NOON + float(bound)).observe())
    assert Phase.ROLLED_BACK is last.status.phase
    assert " is taken back after 40s, though " in answers.said(last, "RolledBack")


def test_a_clock_that_was_set_back_begins_that_anew() -> None:
    """Otherwise it would be waited for until the hour comes round again."""
    world = leaving(FORBIDDEN).but(status=decide(leaving(FORBIDDEN).observe()).status)
    status = decide(world.but(now=NOON - 3600.0, clock_set_back=True).observe()).status

    assert status.canary is not None
    assert status.canary.abort is not None
    assert NOON - 3600 == status.canary.abort.uncounted_since


@pytest.mark.parametrize(
    ("until", "again"),
    [(NOON + 35, NOON + 1), (NOON + 20, NOON + 15 / 4), (NOON + 3, NOON + 3), (NOON + 34, NOON + 1)],
)
def test_pods_are_looked_at_again(until: int, again: float) -> None:
    """After a second at first, then seldomer, and when their grace is over."""
    assert again == decide(leaving({B: EndingPods(1, until)}).observe()).recheck_at


def test_at_least_every_ten_seconds() -> None:
    """However long their template lets pods take."""
    world = leaving({B: EndingPods(1, NOON + 2000)})
    record = slow_record(B, 3600)
    decision = decide(world.but(templates={**world.templates, B: record}).observe())

    assert NOON + 10 == decision.recheck_at


def slow_record(hash_: str, seconds: Any) -> TemplateRecord:
    """Return a template on record that gives its pods so long to end in."""
    slow = template(hash_)
    slow["spec"]["terminationGracePeriodSeconds"] = seconds
    return TemplateRecord(f"web-{hash_}", hash_, 2, slow, NOON - 9000)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 0), (90, 90), (True, 30), (-1, 30), ("90", 30), (None, 30), (1.5, 30)]
)
def test_grace_of_a_template(asked: Any, seconds: int) -> None:
    """What makes no sense counts as what Kubernetes gives by itself; so does what is not on record."""
    assert seconds == termination.grace_seconds({B: slow_record(B, asked)}, B)
    assert termination.GRACE_SECONDS == termination.grace_seconds({}, B)
    assert termination.GRACE_SECONDS == termination.grace_seconds(
        {B: TemplateRecord("web", B, 2, {"spec": "x"}, NOON)}, B
    )


@pytest.mark.parametrize(
    "world",
    [
        leaving({B: EndingPods(2, NOON + 9)}, ending=Ending.SUPERSEDED).wants(C).recorded(C),
        leaving(FORBIDDEN, ending=Ending.SUPERSEDED).wants(C).recorded(C),
        leaving({B: EndingPods(2, NOON + 9)}).wants(B).with_status(rejected=()),
        leaving({B: EndingPods(2, NOON + 9)}).with_status(
            rollback=api.Rollback(revision=3, hash=C, rejects=B, by="x", since=NOON - 9)
        ),
        leaving({B: EndingPods(2, NOON + 9)}).but(deleting=True, finalizers=("x",)),
    ],
    ids=["newer", "unreadable", "retried", "rollback-to", "deleted"],
)
def test_h13_nothing_that_is_to_come_waits_for_words(world: World) -> None:
    """H13: what comes next starts at once; what is said of the version before is true all the same."""
    decision = decide(world.observe())

    told = answers.said(decision, "RolledBack")
    assert told.startswith("revision 2 is taken back after 5s, though ")
    assert decision.status.canary is None or decision.status.canary.started == NOON


# --- what is asked for ------------------------------------------------------------------------------------------------


def asked(world: World) -> tuple[str, ...]:
    """Return whose pods are to be counted."""
    seen = world.observe()
    return termination.counted(seen.status, seen.deployments, seen.templates, seen.traffic, seen.now)


def at_the_whole(since: float | None) -> World:
    """Return a world by pods in which the canary has everything."""
    return World().stable(0).canary(10).ruled(PLAIN).at_step(2, since=since)


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (World().stable(), ()),
        (World().stable(8).canary(2).at_step(1), ()),
        (leaving(), (B,)),
        (World().stable(10).canary(1).ruled(PLAIN).leaving(), ()),
        (World().stable(10).canary(0).deployment(B, 0, pods=1).ruled(PLAIN).leaving(), ()),
        (at_the_whole(None), (A,)),
        (at_the_whole(34), (A,)),
        (at_the_whole(35), ()),
        (at_the_whole(None).deployment(A, 0, pods=1), ()),
        (at_the_whole(34).with_status(history=(past(C, NOON - 5, outcome=Ending.SUPERSEDED),)), (A, C)),
        (promoted(None), (A,)),
        (promoted(None).with_status(phase=Phase.HEALTHY), ()),
        (promoted(None).with_status(phase=Phase.ROLLED_BACK), ()),
        (promoted(None, at=NOON - 34), (A,)),
        (promoted(None, at=NOON - 35), ()),
        (promoted(None, at=NOON + 90), ()),
        (promoted(None).with_status(history=(past(B, NOON - 10),)), ()),
        (promoted(None).with_status(history=(past(C, NOON - 9, outcome=Ending.ABORTED),)), (C,)),
        (promoted(None).with_status(history=(past(B, NOON - 9, outcome=Ending.ABORTED),)), ()),
        (World().first(10, 5).with_status(history=(past(C, NOON - 9, outcome=Ending.SUPERSEDED),)), (C,)),
        (World().first(10, 5), ()),
    ],
)
def test_whose_pods_are_counted(world: World, expected: tuple[str, ...]) -> None:
    """In the last moment only, and never at rest: those of whom none is asked for, for as long as they may end."""
    assert expected == asked(world)


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ({}, ()),
        ({"canary": service(CANARY, B, {B: 1})}, (B,)),
        ({"canary": service(CANARY, B, {}, ending={B: 1})}, (B,)),
        ({"canary": service(CANARY, B, {}, ending={A: 1})}, (B,)),
        ({"canary": service(CANARY, A, {}, ending={A: 1})}, ()),
        ({"stable": service(STABLE, A, {A: 9, B: 1})}, (B,)),
        ({"canary": service(CANARY, B, Unreadable("no"))}, (B,)),
        ({"stable": Unreadable("no")}, (B,)),
        ({"canary": None}, (B,)),
    ],
)
def test_behind_services_only_what_still_serves_is_counted(ways: Any, expected: tuple[str, ...]) -> None:
    """Where both Services say that none of it serves, and select others, pods are not looked at, and it is gone."""
    world = in_flight().deployment(B, 0).leaving().but(traffic=facts(**ways))
    world = world.with_status(traffic=known(0))

    assert expected == asked(world)
    unwritten = in_flight().deployment(B, 0).but(traffic=facts(**ways)).with_status(traffic=known(0))
    assert expected == asked(unwritten), "the pass that let its pods go could not write the status"
    assert () == asked(at_the_whole(None).but(traffic=facts(**ways)))


# --- a version that takes over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "phase"),
    [
        ({A: EndingPods(3, NOON + 9)}, Phase.PROMOTING),
        ({C: EndingPods(3, NOON + 9)}, Phase.HEALTHY),
        ({A: EndingPods(3, NOON)}, Phase.HEALTHY),
        ({A: EndingPods(1)}, Phase.PROMOTING),
        ({A: EndingPods()}, Phase.HEALTHY),
        (FORBIDDEN, Phase.PROMOTING),
        (None, Phase.HEALTHY),
    ],
)
def test_healthy_is_said_once_only_it_answers(ending: Any, phase: Phase) -> None:
    """As after a rollback; it is stable before that, and nothing else waits."""
    decision = decide(promoted(ending).observe())

    assert phase is decision.status.phase
    if phase is Phase.PROMOTING:
        assert answers.ready(decision)[1].startswith("revision 2 is stable; of revision 1, ")
        assert decision.recheck_at is not None
        assert NOON < decision.recheck_at <= NOON + 10


def test_promoted_in_the_same_pass() -> None:
    """The commit waits for no pod that ends; the phase does."""
    world = at_the_whole(None).with_status(history=(past(A, NOON - 900),))
    decision = decide(world.but(ending={A: EndingPods(3, NOON + 9)}).observe())

    assert decision.status.stable is not None
    assert (B, Phase.PROMOTING) == (decision.status.stable.hash, decision.status.phase)
    assert ["Promoted"] == [reason for reason in answers.reasons(decision) if reason == "Promoted"]


@pytest.mark.parametrize(
    "newest", [{"reason": "RolledBack"}, {"outcome": Ending.ABORTED}, {"outcome": Ending.SUPERSEDED}]
)
def test_going_back_goes_on_until_then(newest: dict[str, Any]) -> None:
    """What was gone back to is not told as done either, by a template or by command, however it came."""
    world = promoted({A: EndingPods(1, NOON + 9)}, **newest)
    if "outcome" in newest:
        world = promoted({A: EndingPods(1, NOON + 9)}).with_status(history=(past(A, NOON - 9, **newest),))
    assert Phase.ROLLING_BACK is decide(world.observe()).status.phase

    entry = api.Rejected(revision=1, hash=A, reason="RolledBackTo", message="x", at=NOON - 9)
    rejected = decide(world.wants(A).with_status(rejected=(entry,)).observe())
    assert (Phase.ROLLING_BACK, "WaitingForPods") == (rejected.status.phase, answers.ready(rejected)[0])


def test_a_first_version_that_was_replaced_is_waited_for() -> None:
    """The pods of the one before answer until they end, and then the next one alone is Healthy."""
    history = (past(C, NOON - 9, outcome=Ending.SUPERSEDED),)
    world = World().first(10, 10).deployment(C, 0).with_status(history=history)

    decision = decide(world.but(ending={C: EndingPods(1, NOON + 9)}).observe())
    assert Phase.PROMOTING is decision.status.phase
    assert Phase.HEALTHY is decide(world.but(ending={C: EndingPods()}).observe()).status.phase


# --- the old version that was warm ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "age", "told"),
    [
        ({}, 1, True),
        ({"ending": {A: 2}}, 1, False),
        ({"ending": {A: 2}}, 34, False),
        ({"ending": {A: 2}}, 35, True),
        ({"endpoints": Unreadable("no")}, 34, False),
    ],
)
def test_old_pods_are_released_once_none_serves(ways: Any, age: int, *, told: bool) -> None:
    """OldRevisionReleased is said when no endpoint of theirs serves any more, or has outlived its grace."""
    services = facts(stable=service(STABLE, B), canary=service(CANARY, B, **ways))
    world = warm(until=NOON - age, ways=services).deployment(A, 0)
    decision = decide(world.observe())

    assert told == (decision.status.previous is None)
    assert told == ("OldRevisionReleased" in answers.reasons(decision))
    if not told:
        assert answers.ready(decision)[1].endswith("; revision 1 is asked to go, and its last pods end")
        assert NOON - age + 35 == decision.recheck_at


def test_a_restart_is_not_kept_waiting_for_that() -> None:
    """It replaces pods of the version that is stable, and those that end are nobody's any more."""
    services = facts(stable=service(STABLE, B), canary=service(CANARY, B, ending={A: 1}))
    world = warm(until=NOON - 1, ways=services).deployment(A, 0)
    restart = api.Restart(since=NOON - 1, asked="now", pods=10)

    assert decide(world.with_status(restart=restart).observe()).status.previous is None


def test_pods_that_do_not_go_are_told() -> None:
    """Where the Deployment still counts some, nothing is told as gone."""
    decision = decide(warm(until=NOON - 2).deployment(A, 0, pods=10).observe())

    assert answers.said(decision, "OldRevisionReleased").endswith("is scaled down; 10 of its pods are still there")


# --- a drill ----------------------------------------------------------------------------------------------------------


def test_a_drill_that_makes_way_is_not_told_as_gone() -> None:
    """Its pods end beside the first ones of the version that is wanted."""
    world = in_flight(ways=facts()).leaving(Ending.WITHDRAWN).wants(C).recorded(C).with_status(traffic=known(0))
    assert world.status.canary is not None
    drill = api.Drill(of=A, by="x", within_seconds=60)
    world = world.with_status(canary=world.status.canary.model_copy(update={"drill": drill}))
    decision = decide(world.observe())

    assert "the drill of revision 2 has ended after 5s, though 2 of its pods are still there; " in answers.said(
        decision, "DrillEnded"
    )


def test_recreate_counts_by_itself() -> None:
    """There no pod of two revisions may exist beside another, so all objects are counted anyway."""
    world = World().stable(10).canary(0).ruled(policy_of(recreate={})).leaving().but(present={A: 10})

    assert Phase.ROLLED_BACK is decide(world.observe()).status.phase


def test_a_canary_that_never_ran_is_gone_at_once() -> None:
    """Pods of which no container runs answer nobody."""
    world = leaving({B: EndingPods()}).but(trouble=PodTrouble("x: ImagePullBackOff", hopeless=True))

    assert GONE == answers.said(decide(world.observe()), "RolledBack")


def test_a_first_version_keeps_its_pods_until_it_is_replaced() -> None:
    """They are asked to go in the pass that makes the next one stable, however long ago it came, and count so long."""
    history = (past(C, NOON - 900, outcome=Ending.SUPERSEDED),)
    world = World().first(10, 10).deployment(C, 4).with_status(history=history)
    decision = decide(world.observe())

    assert {C: 0} == answers.sizes(decision)
    assert (Phase.PROMOTING, A) == (decision.status.phase, decision.status.stable and decision.status.stable.hash)
    later = world.but(now=NOON + 1.0, status=decision.status).deployment(C, 0)
    assert (C,) == asked(later)
    assert Phase.HEALTHY is decide(later.but(ending={C: EndingPods()}).observe()).status.phase
