"""rollback-to while something is in flight, waits or leaves; what ends it or holds it up; and what does not match."""

from typing import Any

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import Identity, Target
from headgate.core.revisions import identity as revisions_identity
from headgate.core.rollout import revision_choice, rollbacks
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from tests.core import aftermath, answers, earlier, ways
from tests.core.worlds import NOON, A, B, C, World, policy, policy_of

# --- in flight --------------------------------------------------------------------------------------------------------


def third(by: Any = earlier.PLAN) -> World:
    """Return a world with revision C in flight beside B, after A."""
    world = earlier.second(by).deployment(C, 2).wants(C).but(finalizers=(names.FINALIZER,))
    progress = api.Progress(desired=2, ready=2, since=NOON - 50)
    canary = api.Canary(revision=3, hash=C, replicas=2, ready=2, progress=progress, started=NOON - 100)
    return world.with_status(canary=canary, min_replicas=10).at_step(1, since=50)


@pytest.mark.parametrize("value", ["2", B])
def test_in_flight_to_the_stable_one_is_an_abort(value: str) -> None:
    """With other words in the history."""
    decision = decide(third().told(rollback_to=value).observe())

    assert api.Ending.ABORTED is answers.ending(decision)
    assert [("RolledBackTo", C)] == [(entry.reason, entry.hash) for entry in decision.status.rejected]
    assert decision.status.rollback is None


def test_in_flight_to_an_earlier_one() -> None:
    """What is in flight is taken back and rejected first; then the earlier one comes in its place."""
    world = third(earlier.roomy()).told(rollback_to="1")
    decision = decide(world.observe())
    assert api.Ending.ABORTED is answers.ending(decision)
    assert decision.status.rollback is not None
    assert (A, C) == (decision.status.rollback.hash, decision.status.rollback.rejects)
    end, _ = aftermath.settled(aftermath.after(world, decision))
    assert end.status.stable is not None
    assert (A, [C]) == (end.status.stable.hash, [entry.hash for entry in end.status.rejected])
    assert [A, C] == [entry.hash for entry in end.status.history[:2]]


def test_recreate_does_not_start_what_would_only_go_again() -> None:
    """The earlier revision follows the one that was in flight, and the stable one between them is left out."""
    by = policy_of(recreate={})
    world = third(by).deployment(B, 0).deployment(C, 10).but(present={C: 10}).told(rollback_to="1")
    end, decisions = aftermath.settled(world)

    assert end.status.stable is not None
    assert A == end.status.stable.hash
    assert 0 == max(answers.sizes(decision).get(B, 0) for decision in decisions)


def test_to_the_stable_one_while_another_waits() -> None:
    """A version that has not begun, as in a pause, is rejected before it does."""
    world = earlier.second().wants(C).but(paused=True).told(rollback_to="2")
    decision = decide(world.observe())

    assert [C] == [entry.hash for entry in decision.status.rejected]
    assert answers.ready(decision)[0] == "RolledBackTo"
    assert "RollbackStarted" in answers.reasons(decision)


def test_the_last_word_counts() -> None:
    """Another rollback-to takes back the one on its way, with no verdict; to the stable one, only that."""
    other = decide(earlier.going_back().told(rollback_to="2").observe())
    assert (api.Ending.ABORTED, None) == (answers.ending(other), other.status.rollback)
    world = earlier.going_back().deployment(C, 0).with_status(history=(*earlier.PAST, earlier.ended(C, ago=900)))
    before = decide(world.told(rollback_to=C).observe())
    assert api.Ending.WITHDRAWN is answers.ending(before)
    assert C not in [entry.hash for entry in before.status.rejected]
    assert before.status.rollback is not None
    assert C == before.status.rollback.hash


def test_while_something_leaves() -> None:
    """What was in flight is on its way out already: the earlier one follows it."""
    leaving = api.Abort(ending=api.Ending.ROLLED_BACK, reason="MetricFailed", by="analysis", since=NOON - 5)
    world = third()
    canary = world.status.canary
    assert canary is not None
    gone = canary.model_copy(update={"abort": leaving})
    world = world.with_status(canary=gone, rejected=(earlier.rejection(C),), weight=api.Weight(desired=0))
    decision = decide(world.told(rollback_to="1").observe())
    assert decision.status.rollback is not None
    assert api.Ending.ROLLED_BACK is answers.ending(decision)
    stays = decide(world.told(rollback_to="2").observe())
    assert answers.said(stays, "CommandMismatch").endswith(
        "revision 2 is stable already; headgate.dev/rollback-to=1 goes further back"
    )


@pytest.mark.parametrize(("target", "gone"), [(C, True), (A, False), (B, False)])
def test_another_template_ends_it(target: str, *, gone: bool) -> None:
    """Not the same one, and not the one that is gone back to, as where Git follows."""
    decision = decide(earlier.going_back().wants(target).recorded(C).observe())

    assert gone == (decision.status.rollback is None)
    assert (api.Ending.SUPERSEDED if gone else None) is answers.ending(decision)


def test_it_ends_where_git_was_quicker() -> None:
    """The template was put back while the command's rollback went on: what the spec held then is rejected."""
    end, _ = aftermath.settled(earlier.going_back().deployment(A, 3).wants(A))

    assert end.status.stable is not None
    assert (A, [B]) == (end.status.stable.hash, [entry.hash for entry in end.status.rejected])
    assert api.Phase.HEALTHY is decide(end.observe()).status.phase


def test_a_rollback_to_what_is_stable_is_over() -> None:
    """However it came to be: nobody waits for it any more."""
    wanted = api.Rollback(revision=2, hash=B, rejects=C, since=NOON - 10)

    assert decide(earlier.second().with_status(rollback=wanted).observe()).status.rollback is None


def test_a_policy_edit_leaves_it_its_one_step() -> None:
    """Steps that are edited on the way are those of the next version."""
    decision = decide(earlier.going_back().edited(policy(10, 30, "pause", 60)).observe())

    assert (1, 100) == (answers.step(decision), answers.weight(decision))
    assert answers.ending(decision) is None


# --- held up ----------------------------------------------------------------------------------------------------------


def held_up() -> World:
    """Return a world in which a rollback was asked for and cannot begin: the stable Service is gone."""
    base = ways.routed(earlier.second(), 20, ways=ways.facts(stable=ways.service(selects=B), route=None))
    missing = base.but(traffic=ways.facts(stable=ways.service(selects=B), routes={("HTTPRoute", "web"): None}))
    wanted = api.Rollback(revision=1, hash=A, rejects=B, since=NOON - 10)
    return missing.with_status(rollback=wanted, history=earlier.PAST)


def test_a_rollback_that_waits_can_be_cancelled() -> None:
    """By abort; another revision's hash means something else."""
    assert decide(held_up().observe()).status.rollback is not None
    decision = decide(held_up().told(abort="now").observe())
    assert decision.status.rollback is None
    assert answers.said(decision, "RollbackCancelled") == "revision 1 is not gone back to, by command"
    other = decide(held_up().told(abort=C).observe())
    assert other.status.rollback is not None
    assert "CommandMismatch" in answers.reasons(other)


# --- mismatches -------------------------------------------------------------------------------------------------------

MISMATCHES: tuple[tuple[str, World, str, str], ...] = (
    ("first", World().first(), "1", "there is no stable revision yet, and none to go back to"),
    ("stable", earlier.second(), "2", "revision 2 is stable already; headgate.dev/rollback-to=1 goes further back"),
    (
        "stable by hash",
        earlier.second(),
        B,
        "revision 2 is stable already; headgate.dev/rollback-to=1 goes further back",
    ),
    ("unknown", earlier.second(), "7", "no such revision has been stable; headgate.dev/rollback-to=1 would match"),
    ("no word", earlier.second(), "", "no such revision has been stable; headgate.dev/rollback-to=1 would match"),
    (
        "rejected",
        earlier.second().with_status(rejected=(earlier.rejection(C),)).recorded(C),
        "3",
        "revision 3 was taken back or has never been stable; headgate.dev/rollback-to=1 would match",
    ),
    (
        "none is left",
        earlier.second().with_status(history=earlier.PAST[:1]),
        "1",
        "no such revision has been stable; there is none to go back to",
    ),
    (
        "its record is gone",
        earlier.second().but(templates={}, deployments={B: earlier.second().deployments[B]}),
        "1",
        "the template of revision 1 is not on record any more; there is none to go back to",
    ),
    (
        "on its way",
        earlier.going_back(),
        "1",
        f"revision 1 is on its way already; headgate.dev/promote-full={A} skips what is left",
    ),
    (
        "several",
        earlier.second()
        .deployment(C, 0)
        .with_status(history=(*earlier.PAST, earlier.ended(C, ago=8000), earlier.ended(C, ago=9000))),
        "9",
        "no such revision has been stable; headgate.dev/rollback-to=1 or headgate.dev/rollback-to=3 would match",
    ),
)


@pytest.mark.parametrize(("world", "value", "why"), [row[1:] for row in MISMATCHES], ids=[row[0] for row in MISMATCHES])
def test_mismatches(world: World, value: str, why: str) -> None:
    """What does not match does nothing but a Warning that says which revisions would, once."""
    told = world.told(rollback_to=value)
    decision = decide(told.observe())
    (notice,) = [notice for notice in decision.notices if notice.reason == "CommandMismatch"]
    assert notice.warning
    assert f"headgate.dev/rollback-to={value} had no effect: {why}" == notice.message
    assert decision.status.rollback == decide(world.observe()).status.rollback
    again = decide(told.but(status=decision.status, written_at=NOON).observe())
    assert "CommandMismatch" not in answers.reasons(again)


def test_it_is_carried_out_once() -> None:
    """After a crash between its effect and its removal it is only removed."""
    told = earlier.second().told(rollback_to="1")
    first = decide(told.observe())
    second_time = decide(told.but(status=first.status, written_at=NOON, finalizers=(names.FINALIZER,)).observe())

    assert "RollbackStarted" not in answers.reasons(second_time)
    assert first.status.canary is not None
    assert second_time.status.canary is not None
    assert first.status.canary.started == second_time.status.canary.started


# --- what is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("identity", "rejected"), [(Identity.UNKNOWN, [C]), (Identity.REFUSED, [])])
def test_what_nobody_can_ask_about_is_not_wanted_either(identity: Identity, rejected: list[str]) -> None:
    """A new template that came a moment ago, while the API server cannot be asked what it means."""
    world = earlier.second().but(target=Target(identity, message="503"), written=C)
    stays = decide(world.told(rollback_to="2").observe())
    assert rejected == [entry.hash for entry in stays.status.rejected]

    goes, _ = aftermath.settled(world.ruled(earlier.roomy()).told(rollback_to="1"))
    assert goes.status.stable is not None
    assert A == goes.status.stable.hash
    assert (C if rejected else B) == goes.status.rejected[0].hash


def test_what_is_warm_needs_no_record() -> None:
    """Its pods are there, whatever has become of the history."""
    decision = decide(ways.warm().with_status(history=()).told(rollback_to="1").observe())

    assert decision.status.stable is not None
    assert A == decision.status.stable.hash


ASKED = api.Rollback(revision=3, hash=C, rejects=B, by="somebody", since=NOON - 2)


def test_a_rollback_that_waits_is_given_up_before_anything_is_taken_back() -> None:
    """While another revision is warm as well: the newest wish is the one that is taken back."""
    world = ways.warm().deployment(C, 0).with_status(rollback=ASKED)
    decision = decide(world.told(abort="now").observe())

    assert (None, []) == (decision.status.rollback, [*decision.status.rejected])
    assert "RollbackCancelled" in answers.reasons(decision)


def test_the_way_back_leads_by_the_pods_that_serve() -> None:
    """None of the promoted revision's pods is ready, and the warm one's are: users go there first."""
    world = ways.warm(until=None).deployment(B, 10, 0).deployment(C, 0).with_status(rollback=ASKED)
    decision = decide(world.observe())

    assert decision.status.stable is not None
    assert (A, "RolledBackTo") == (decision.status.stable.hash, answers.ready(decision)[0])
    assert decision.status.rollback is not None


def test_to_one_whose_name_is_taken() -> None:
    """Its template is on record, and a Deployment of another owner has its name: it is not among the choices."""
    taken = (
        f"Deployment {revisions_identity.deployment_name('web', A)} is controlled by another owner; rename or delete it"
    )
    world = earlier.second(earlier.PLAN)
    without = {hash_: facts for hash_, facts in world.deployments.items() if hash_ != A}
    seen = world.but(deployments=without, foreign=(taken,)).recorded(A).observe()
    situation = Situation(seen, seen.status)

    assert revision_choice.can_go_back(situation, A)
    assert "would match" not in str(rollbacks.asked(situation, "1"))
