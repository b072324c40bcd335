"""A status that is lost is found again: users stay on what was stable, and what was rejected stays rejected."""

from typing import Any

import pytest

from headgate.api import names, values
from headgate.api import status as api
from headgate.core.model import Decision
from headgate.core.model.actions import MarkDeployment, ScaleDeployment
from headgate.core.revisions import history
from headgate.core.rollout import deployment_annotations
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from tests.core import answers, ways
from tests.core.ways import STABLE, facts, service
from tests.core.worlds import NOON, A, B, C, World, policy, policy_of

EMPTY = api.RolloutStatus()
LONG_AGO, LATELY = NOON - 9000, NOON - 600
MARKED: dict[str, Any] = {"stable_since": LONG_AGO}
TAKEN_BACK: dict[str, Any] = {
    "rejected": f"{B}/{LATELY}",
    "rejected_for": f"{values.format_time(LATELY)} MetricFailed: errors 0.5",
}


def lost(world: World) -> World:
    """Return *world* without its status."""
    return world.ruled(policy(5, "pause", 50)).but(status=EMPTY)


def found(world: World) -> tuple[Decision, str, str]:
    """Return what is decided, what is stable then, and what is in flight."""
    decision = decide(world.observe())
    stable, canary = decision.status.stable, decision.status.canary
    return decision, stable.hash if stable else "", canary.hash if canary else ""


REST = World().deployment(A, 10, **MARKED)
NOT_READY = World().deployment(A, 10, 0, **MARKED)
BACK = REST.deployment(B, 0, **TAKEN_BACK).wants(B)
SITUATIONS: dict[str, tuple[World, str, str, str, dict[str, int]]] = {
    "at rest": (REST, A, "", "Healthy", {}),
    "at rest, none ready": (NOT_READY, A, "", "Progressing", {}),
    "no marks, an older version not ready": (World().deployment(A, 10, 0).wants(B), A, B, "Progressing", {B: 1}),
    "canary early": (REST.deployment(B, 1).wants(B), A, B, "RollingBack", {}),
    "canary late": (World().deployment(A, 4, **MARKED).deployment(B, 6).wants(B), A, B, "RollingBack", {A: 10}),
    "canary late, no marks": (World().deployment(A, 4).deployment(B, 6).wants(B), A, B, "RollingBack", {A: 10}),
    "canary alone is ready": (NOT_READY.deployment(B, 1).wants(B), A, B, "RollingBack", {}),
    "canary alone is ready, no marks": (
        World().deployment(A, 10, 0).deployment(B, 1).wants(B), A, B, "RollingBack", {},
    ),
    "all pods, before its promotion": (
        World().deployment(A, 0, **MARKED).deployment(B, 10).wants(B), A, B, "RollingBack", {A: 10},
    ),
    "all pods, no marks": (World().deployment(A, 0).deployment(B, 10).wants(B), B, "", "Healthy", {}),
    "promoted": (
        World().deployment(A, 0, **MARKED).deployment(B, 10, stable_since=LATELY).wants(B), B, "", "Healthy", {},
    ),
    "promoted, as the one before says": (
        World().deployment(A, 0, **MARKED, successor=B, succeeded_at=LATELY).deployment(B, 10).wants(B),
        B, "", "Healthy", {},
    ),
    "rolled back": (BACK, A, "", "RolledBack", {}),
    "rolled back, none ready": (
        NOT_READY.deployment(B, 0, **TAKEN_BACK).wants(B), A, "", "RolledBack", {},
    ),
    "rolled back by an older operator": (
        World().deployment(A, 10, 0).deployment(B, 0, rejected=f"{B}/{LATELY}").wants(B), A, "", "RolledBack", {},
    ),
    "rolling back": (
        World().deployment(A, 6, **MARKED).deployment(B, 5, **TAKEN_BACK).wants(B), A, B, "RollingBack", {A: 10, B: 4},
    ),
    "rolled back, no replicas": (
        World(replicas=0).deployment(A, 0).deployment(B, 0, **TAKEN_BACK).wants(B), A, "", "RolledBack", {},
    ),
    "two old ones with pods": (
        World().deployment(A, 4, **MARKED).deployment(B, 6, stable_since=LATELY).wants(C), B, C, "", {B: 10},
    ),
    "records gone as well": (
        World().deployment(A, 4, **MARKED).deployment(B, 6).wants(B).but(templates={}), A, B, "RollingBack", {A: 10},
    ),
    "adopted by a new Rollout": (
        World().deployment(A, 10, owner="", references=0, **MARKED).deployment(B, 0, **TAKEN_BACK).wants(B),
        A, "", "RolledBack", {},
    ),
    "first revision on its way": (World().deployment(A, 10, 0), "", A, "Pending", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_h32_what_a_lost_status_is_found_again_as(name: str) -> None:
    """H32: what was stable is stable, a canary is taken back, a rejection stands; nothing is emptied unproved."""
    world, stable, canary, phase, sizes = SITUATIONS[name]
    decision, found_stable, found_canary = found(lost(world))

    assert (stable, canary if canary != C else found_canary) == (found_stable, found_canary)
    assert phase in ("", str(decision.status.phase))
    wanted = {hash_: size for hash_, size in answers.sizes(decision).items() if size}
    assert sizes == {hash_: size for hash_, size in wanted.items() if hash_ != C}
    ready = {hash_: known.ready for hash_, known in world.deployments.items()}
    for action in decision.actions:
        if isinstance(action, ScaleDeployment) and not action.replicas and ready.get(action.hash):
            assert ready[stable] >= 10, "emptied before its successor was proved"
    rejected = {entry.hash for entry in decision.status.rejected}
    assert ({B} if world.deployments.get(B) and world.deployments[B].rejected else set()) == rejected


def test_h32_why_it_was_rejected_is_still_said() -> None:
    """H32: the reason of a rejection that only the Deployment knows stands in the status and in the message."""
    decision, _, _ = found(lost(BACK))
    (entry,) = decision.status.rejected

    assert (entry.reason, entry.message, entry.at) == ("MetricFailed", "errors 0.5", LATELY)
    assert "errors 0.5" in answers.ready(decision)[1]


@pytest.mark.parametrize("mark", ["", f"{C}/{LATELY}", B, f"{B}/soon"])
def test_a_mark_that_is_none_rejects_nothing(mark: str) -> None:
    """What is not an attempt at the revision itself is no rejection of it."""
    world = lost(REST.deployment(B, 0, rejected=mark).wants(B))

    assert decide(world.observe()).status.rejected == ()


def test_a_rejection_is_lifted_by_a_later_promotion() -> None:
    """What was tried again and became stable is not rejected any more, whatever its older mark says."""
    world = lost(World().deployment(A, 0, **MARKED).deployment(B, 10, **TAKEN_BACK, stable_since=LATELY + 1).wants(B))
    decision, stable, _ = found(world)

    assert (B, ()) == (stable, decision.status.rejected)


def test_h32_what_was_stable_can_still_be_gone_back_to() -> None:
    """H32: the history is found again as far as it is marked, so that rollback-to leads where it did."""
    world = lost(World().deployment(A, 0, **MARKED).deployment(B, 10, stable_since=LATELY).wants(B))
    decision = decide(world.observe())
    assert [(entry.hash, entry.reason) for entry in decision.status.history] == [(B, "Recovered"), (A, "Recovered")]

    again = decide(world.but(status=decision.status).told(rollback_to=A).observe())
    assert again.status.canary is not None
    assert (again.status.canary.hash, again.status.canary.is_rollback) == (A, True)


def test_h32_a_backup_is_not_believed_against_the_marks() -> None:
    """H32: a status that is older than the last promotion is found anew; one that is newer is left alone."""
    old = World().stable().deployment(A, 0, **MARKED).deployment(B, 10, stable_since=LATELY).wants(B)
    assert old.status.stable is not None
    for since, expected in ((LONG_AGO, B), (LATELY + 1, A), (None, A)):
        world = old.with_status(stable=old.status.stable.model_copy(update={"since": since}))
        assert found(world)[1] == expected


@pytest.mark.parametrize("ready", [9, 10])
def test_h32_it_is_proved_once_all_pods_are_ready(ready: int) -> None:
    """H32: until all pods of what was found are ready, nothing else is emptied, tidied or marked."""
    world = lost(World().deployment(A, 10, ready).deployment(C, 3).wants(A))
    decision = decide(world.observe())
    assert decision.status.stable is not None
    assert (decision.status.stable.found, decision.status.stable.since) == (ready < 10, NOON if ready == 10 else None)
    assert answers.sizes(decision) == ({C: 0} if ready == 10 else {})

    useless = lost(World().deployment(A, 10, ready).deployment(C, 3, 0).wants(A))
    assert answers.sizes(decide(useless.observe())) == ({C: 0} if ready == 10 else {})


def test_where_replicas_are_absent_all_pods_count() -> None:
    """Both versions' pods make what is wanted, where the spec does not say it."""
    world = lost(World(replicas=None).deployment(A, 4, **MARKED).deployment(B, 6).wants(B))

    assert decide(world.observe()).status.min_replicas == 10


# --- where users are led -------------------------------------------------------------------------------------------


def routed(*hashes: str, selects: str) -> World:
    """Return a world behind a route whose stable Service selects a revision."""
    world = World()
    for hash_ in hashes:
        world = world.deployment(hash_, 10)
    return ways.routed(world, 20, ways=facts(stable=service(STABLE, selects))).wants(B)


def test_what_was_just_promoted_is_led_to() -> None:
    """H32: the stable Service follows a promotion before the mark does, and never leads to a canary."""
    marked = routed(A, B, selects=B).deployment(A, 10, **MARKED)
    _, stable, canary = found(marked.but(status=EMPTY))

    assert (B, "") == (stable, canary)


def test_h32_the_old_revision_stays_warm() -> None:
    """H32: after a promotion through a route the revision before it is warm again, and can be gone back to."""
    both = routed(A, B, selects=A).deployment(A, 10, **MARKED).deployment(B, 10, stable_since=LATELY)
    decision, stable, canary = found(both.but(status=EMPTY))
    assert (B, "") == (stable, canary)
    assert decision.status.previous is not None
    assert (decision.status.previous.hash, decision.status.previous.promoted) == (A, LATELY)

    unmarked, _, _ = found(routed(A, B, selects=B).but(status=EMPTY))
    assert unmarked.status.previous is None


def test_h32_a_mark_tells_who_is_stable_where_the_service_switches() -> None:
    """H32: a Service that switches users leads to a canary as well: it proves nothing."""
    switch = policy_of(blueGreen={}, traffic={"stableService": STABLE, "canaryService": "web-canary"})
    world = ways.routed(
        World().deployment(A, 10, **MARKED).deployment(B, 10), 20, ways=facts(stable=service(STABLE, B))
    )
    _, stable, canary = found(world.ruled(switch).wants(B).but(status=EMPTY))

    assert (A, B) == (stable, canary)


def test_h32_in_recreate_whoever_has_pods_goes_first() -> None:
    """H32: where no two revisions may have pods, the stable one waits for any other to be gone."""
    world = lost(World().deployment(A, 0, **MARKED).deployment(B, 10).wants(C)).ruled(policy_of(recreate={}))
    _, stable, canary = found(world.but(status=EMPTY, present={B: 10}))

    assert (A, B) == (stable, canary)


# --- marks -----------------------------------------------------------------------------------------------------------


def stood(since: int | None = LATELY, **changes: Any) -> World:
    """Return a world at rest on A, stable since a time that is not marked yet."""
    world = World().stable(10, **changes)
    assert world.status.stable is not None
    return world.with_status(stable=world.status.stable.model_copy(update={"since": since}))


def written(world: World) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the marks that are written, with the Deployment."""
    actions = decide(world.observe()).actions
    return [(one.hash, one.marks) for one in actions if isinstance(one, MarkDeployment | ScaleDeployment) and one.marks]


AT = values.format_time(LATELY)
OWN = (names.STABLE_SINCE, AT)


def test_a_mark_rides_on_a_write_that_is_made() -> None:
    """That of a scale-up of its own, or of the old revision's end; a write of its own only where none is near."""
    assert written(stood()) == [(A, (OWN,))]
    assert written(stood(stable_since=LATELY)) == []
    assert written(stood(None)) == []
    assert written(stood().but(replicas=12)) == [(A, (OWN,))]
    assert written(stood().deployment(C, 3, successor="other", succeeded_at=NOON)) == [
        (C, ((names.SUCCEEDED_BY, f"{A} {AT}"),))
    ]
    assert written(stood().deployment(C, 0, successor=A, succeeded_at=LATELY)) == []


def test_a_mark_waits_for_the_status() -> None:
    """What is urgent is carried out before the status is known to be written: no mark may be earlier than that."""
    world = World().canary(2).leaving()
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"since": LATELY}))
    assert written(world.deployment(A, 10)) == [(B, ((names.SUCCEEDED_BY, f"{A} {AT}"),))]


def test_what_rollback_to_was_given_against_is_marked() -> None:
    """H32: so that it does not come back where the status is lost, though no write of its Deployment is near."""
    entry = stood(stable_since=LATELY).deployment(C, 0)
    rejection = api.Rejected(revision=3, hash=C, reason="RolledBackTo", message="by command", at=LATELY)
    world = entry.with_status(rejected=(rejection,))
    told = ((names.REJECTED, f"{C}/0"), (names.REJECTED_FOR, f"{AT} RolledBackTo: by command"))
    assert written(world) == [(C, told)]
    assert written(world.deployment(C, 0, rejected=f"{C}/0", rejected_for=told[1][1])) == []
    gone = {hash_: one for hash_, one in world.deployments.items() if hash_ != C}
    assert written(world.but(deployments=gone)) == []
    assert written(world.with_status(rejected=(rejection.model_copy(update={"reason": "MetricFailed"}),))) == []


def test_reasons_of_a_rejection_are_marked_with_it() -> None:
    """The write that takes a canary's pods away says why."""
    decision = decide(World().canary(2).leaving().observe())
    scaled = next(one for one in decision.actions if isinstance(one, ScaleDeployment) and one.hash == B)

    assert scaled.rejected.startswith(f"{B}/")
    assert scaled.why == f"{values.format_time(NOON - 5)} MetricFailed: why"


def test_a_later_promotion_has_a_later_time() -> None:
    """By a clock that was set back as well: the newest mark is that of the last promotion."""
    before = api.Side(revision=1, hash=A, since=NOON + 500)
    stable = history.stable_of(api.Side(revision=2, hash=B), before, NOON)

    assert stable.since == NOON + 501
    assert history.stable_of(api.Side(revision=2, hash=B), before, NOON + 600).since == NOON + 600


def test_no_mark_is_due_of_what_is_going() -> None:
    """A Rollout that is being deleted takes its Deployments along: nothing is written down for later."""
    seen = stood().but(deleting=True, finalizers=(names.FINALIZER,)).observe()

    assert deployment_annotations.folded(Situation(seen, seen.status), []) == []


def test_a_mark_waits_for_the_pods_that_are_about_to_go() -> None:
    """While a canary leaves, its own scale-down is near, and takes the mark along: none is written for itself."""
    world = World().canary(2).leaving(since=0)
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"since": LATELY}))
    situation = Situation(world.observe(), world.status)

    assert deployment_annotations.folded(situation, []) == []


def test_ways_that_are_not_known_yet_are_looked_at_at_once() -> None:
    """A revision that was found again is led to from the next pass on, once the ways to it are in the status."""
    world = World().stable(10)
    assert world.status.stable is not None
    side = world.status.stable.model_copy(update={"found": True})
    seen = ways.routed(world, 0, ways=facts()).with_status(stable=side, traffic=None).observe()

    assert deployment_annotations.looks(Situation(seen, seen.status)) == (seen.now,)
