"""H44: the version that was gone back to has no ready pod while the one that leaves has all of its own."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Ending
from headgate.core.model import Decision, Unreadable
from headgate.core.model.actions import SelectRevision, SetWeights
from headgate.core.replicas.pod_budget import Budget, Pods
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from headgate.core.traffic import unready_stable
from tests.core import answers
from tests.core.ways import CANARY, STABLE, facts, in_flight, known, route, rule, service
from tests.core.worlds import NOON, A, B, World, policy

EMPTY = service(STABLE, A, {})
LED = service(STABLE, B, {B: 10})


def back(ready: int = 0, ways: Any = None, weight: int = 0, **changes: Any) -> World:
    """Return a world in which B leaves for A, of which so many pods are ready, and users have been led to A."""
    fields = {"stable": EMPTY, "canary": service(CANARY, B, {B: 10}), "route": route(rule(100 - weight, weight))}
    base = in_flight(0 if weight == 0 else weight, 10, ways=facts(**{**fields, **(ways or {})}))
    base = base.leaving(Ending.ABORTED).deployment(A, 10, ready).with_status(traffic=known(weight))
    leaving: Any = {"had_all": True, **changes}
    canary = base.status.canary
    assert canary is not None
    assert canary.abort is not None
    return base.with_status(canary=canary.model_copy(update={"abort": canary.abort.model_copy(update=leaving)}))


def led(decision: Decision) -> list[str]:
    """Return what the stable Service is told to select."""
    return [one.hash for one in decision.actions if isinstance(one, SelectRevision) and one.service == STABLE]


def remembered(decision: Decision) -> tuple[int | None, int | None, int]:
    """Return since when nobody serves, since when users are led away, and how often they were."""
    leaving = decision.status.canary.abort if decision.status.canary else None
    assert leaving is not None
    return leaving.unserved_since, leaving.rescued_since, leaving.rescues


def test_h44_it_is_noted_at_once_and_told() -> None:
    """H44: since when nobody serves is on record from the first pass on, with what follows and when."""
    decision = decide(back().observe())

    assert (NOON, None, 0) == remembered(decision)
    assert [] == led(decision)
    assert decision.write_status
    assert NOON + 5 == decision.recheck_at
    assert answers.ready(decision)[1].endswith(
        "no pod of the stable revision is ready, and 10 of the one that leaves are: "
        "users are led to these from 2027-01-15T08:00:05Z on"
    )


@pytest.mark.parametrize(
    ("age", "rescues_before", "rescued"),
    [(4, 0, False), (5, 0, True), (9, 1, False), (10, 1, True), (319, 6, False), (320, 6, True), (320, 60, True)],
)
def test_h44_users_are_led_to_who_serves(age: int, rescues_before: int, *, rescued: bool) -> None:
    """H44: after 5 s, and each further time after twice as long, up to five minutes."""
    decision = decide(back(unserved_since=NOON - age, rescues=rescues_before).observe())

    assert ([B] if rescued else []) == led(decision)
    assert rescued == ("UsersRescued" in answers.reasons(decision))
    assert remembered(decision)[2] == rescues_before + rescued
    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None, "it leaves all the same"


def test_h44_there_they_stay_until_one_is_ready() -> None:
    """H44: and then they are led home in the same pass, whatever else stands in the way."""
    away = back(ways={"stable": LED}, unserved_since=NOON - 60, rescued_since=NOON - 50, rescues=1)
    stays = decide(away.observe())
    assert [] == led(stays)
    assert (NOON - 60, NOON - 50, 1) == remembered(stays)
    assert answers.ready(stays)[1].endswith("are: Service web leads to these until one is")

    home = decide(away.deployment(A, 10, 1).observe())
    assert [A] == led(home)
    assert (None, None, 1) == remembered(home)


def test_h44_what_a_stranger_led_back_is_led_away_again() -> None:
    """H44: an apply of the user's manifest does not leave users with nobody."""
    away = back(unserved_since=NOON - 60, rescued_since=NOON - 50, rescues=1)

    assert [B] == led(decide(away.observe()))


def test_h44_before_they_were_led_home_they_stay_where_they_are() -> None:
    """H44: a Service that still selects the version that leaves keeps it, and that is no rescue."""
    decision = decide(back(ways={"stable": LED}, unserved_since=NOON - 60).observe())

    assert [] == led(decision)
    assert (NOON - 60, None, 0) == remembered(decision)
    assert answers.ready(decision)[1].endswith("are: Service web leads to them until one is")


def test_h44_the_routes_give_their_share_once_the_service_leads_there() -> None:
    """H44: until then whoever comes by the canary Service is served there."""
    still = back(weight=20, unserved_since=NOON - 60, rescued_since=NOON)
    assert not [one for one in decide(still.observe()).actions if isinstance(one, SetWeights)]

    there = back(weight=20, ways={"stable": LED}, unserved_since=NOON - 60, rescued_since=NOON)
    assert [0] == [one.percent for one in decide(there.observe()).actions if isinstance(one, SetWeights)]


@pytest.mark.parametrize(
    "world",
    [
        back(ready=1, unserved_since=NOON - 60),
        back(had_all=False, unserved_since=NOON - 60),
        back(ways={"stable": service(STABLE, A, Unreadable("no"))}, unserved_since=NOON - 60),
        back(ways={"stable": Unreadable("no")}, unserved_since=NOON - 60),
        back(ways={"stable": None}, unserved_since=NOON - 60),
        back(ways={"stable": service(STABLE, A, {A: 1})}, unserved_since=NOON - 60),
        back(unserved_since=NOON - 60).deployment(B, 10, 9),
        back(unserved_since=NOON - 60).but(replicas=0).with_status(min_replicas=0),
        back(unserved_since=NOON - 60).deployment(A, 10, 0, answering=1),
    ],
    ids=["served", "never all", "unread", "no Service read", "no Service", "endpoints", "too few", "nobody", "answers"],
)
def test_h44_nobody_is_led_away_without_need(world: World) -> None:
    """H44: nor to a version that never had all users, or cannot carry them, nor on what nobody could read."""
    assert B not in led(decide(world.observe()))


@pytest.mark.parametrize(
    ("stable", "other", "total", "expected"),
    [
        (Pods(4), Pods(4, 4, 4), 4, True),
        (Pods(4), Pods(4, 4, 3), 4, False),
        (Pods(4, 4, 1), Pods(4, 4, 4), 4, False),
        (Pods(4, answering=1), Pods(4, 4, 4), 4, False),
        (Pods(), Pods(), 0, False),
    ],
)
def test_who_serves_alone(stable: Pods, other: Pods, total: int, *, expected: bool) -> None:
    """A version whose pods carry everybody, beside one of which none is ready."""
    assert expected == unready_stable.serves_alone(Budget(total, 1, 0), stable, other)


def test_a_plan_without_a_clock_says_no_time() -> None:
    """Before it is on record since when nobody serves, no time is told."""
    seen = back().observe()
    view = Situation(seen, seen.status).view
    assert view is not None
    leaving = api.Abort(ending=Ending.ABORTED, reason="x", since=NOON, had_all=True)
    assert unready_stable.backward(view, leaving).waits.endswith("users are led to these")


# --- by command -------------------------------------------------------------------------------------------------------


def promoted_before(world: World) -> World:
    """Return *world*, whose leaving version had been made stable by this very attempt."""
    canary = world.status.canary
    assert canary is not None
    entry = api.HistoryEntry(
        revision=2, hash=B, outcome=Ending.PROMOTED, started=canary.started, finished=canary.started + 9
    )
    return world.with_status(history=(entry,))


@pytest.mark.parametrize("value", ["now", A])
def test_h44_abort_makes_what_serves_stable_again(value: str) -> None:
    """H44: at once, and it is rejected no more; the other one is, and leaves."""
    decision = decide(promoted_before(back()).told(abort=value).observe())
    stable, canary = decision.status.stable, decision.status.canary

    assert (B, A) == (stable and stable.hash, canary and canary.hash)
    assert [A] == [entry.hash for entry in decision.status.rejected]
    assert [B] == led(decision)
    assert answers.said(decision, "RollbackStarted") == (
        "revision 1 is taken back: aborted by command while none of its pods was ready; revision 2 serves"
    )


def test_h44_abort_leads_users_at_once_to_what_never_was_stable() -> None:
    """H44: a version that had all users and was not promoted serves until the other one does, and leaves then."""
    decision = decide(back().told(abort="now").observe())

    assert decision.status.stable is not None
    assert (A, [B]) == (decision.status.stable.hash, led(decision))
    assert (NOON, NOON, 1) == remembered(decision)
    again = decide(back(ways={"stable": LED}, unserved_since=NOON, rescued_since=NOON).told(abort="now").observe())
    assert "CommandMismatch" in answers.reasons(again)


@pytest.mark.parametrize(
    "world",
    [
        promoted_before(back(ready=1)),
        promoted_before(back()).deployment(B, 10, 3),
        back(had_all=False),
        World().stable(10, 0).canary(10).ruled(policy(50)).leaving(),
    ],
    ids=["served", "too few", "never all", "by pods"],
)
def test_h44_abort_has_no_other_effect_than_before(world: World) -> None:
    """H44: where the way back leads to pods, or the other version cannot serve, it goes on."""
    decision = decide(world.told(abort="now").observe())

    assert "CommandMismatch" in answers.reasons(decision)
    assert decision.status.stable is not None
    assert A == decision.status.stable.hash


@pytest.mark.parametrize(("weight", "had"), [(100, True), (99, False), (0, False)])
def test_who_had_all_users_is_on_record(weight: int, *, had: bool) -> None:
    """When it begins to leave: later the routes do not tell any more."""
    ways = facts(canary=service(CANARY, B, {B: 10}), route=route(rule(100 - weight, weight)))
    world = in_flight(50, 10).but(traffic=ways).with_status(traffic=known(weight))
    canary = decide(world.told(abort="now").observe()).status.canary

    assert canary is not None
    assert canary.abort is not None
    assert had == canary.abort.had_all
