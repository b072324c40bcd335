"""Annotations of Deployments and records can be edited: whatever they say, users stay and an abort leads back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import names, values
from headgate.api import status as api
from headgate.core.model import Observation
from headgate.core.model.actions import DeleteDeployment, DropRecord, MarkDeployment, MarkRecord
from headgate.core.revisions import history, identity
from headgate.core.rollout import deployment_annotations
from headgate.core.rollout.decide import decide
from tests.core import aftermath, earlier
from tests.core.worlds import NOON, A, B, C, World, policy

DAY = history.AHEAD_SECONDS
YEAR = 365 * DAY
FAR = values.parse_time("9999-12-31T23:59:59Z")
MOMENTS = st.one_of(st.integers(0, FAR), st.sampled_from([0, 1, NOON - 9, NOON, NOON + DAY + 1, NOON + YEAR, FAR]))
HASHES = st.sampled_from([A, B, C, "", "x"])
DIGITS = st.one_of(
    st.text(),
    st.text("0123456789", max_size=40),
    st.text("٣9²"),
    st.integers(0, 6000).map("9".__mul__),
    MOMENTS.map(str),
)
REJECTED = st.one_of(st.just(""), st.text(), st.builds("{}/{}".format, HASHES, DIGITS))
TIMES = st.one_of(
    st.text(),
    MOMENTS.map(values.format_time),
    st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"]),
)
REASONS = st.one_of(st.just(""), st.text(), st.builds("{} {}: {}".format, TIMES, st.text(), st.text()))
MARKS = st.fixed_dictionaries(
    {
        "rejected": REJECTED,
        "rejected_for": REASONS,
        "stable_since": MOMENTS,
        "successor": HASHES,
        "succeeded_at": MOMENTS,
    }
)


def in_flight(old: Any, stable: Any, canary: Any) -> World:
    """Return a world with a paused canary B beside A, stable for a while; each Deployment with marks of its own."""
    world = World().stable(8, **stable).canary(2, **canary).deployment(C, 0, **old).ruled(policy(20, "pause", 50))
    assert world.status.stable is not None
    return world.with_status(stable=world.status.stable.model_copy(update={"since": NOON - 6000}))


@given(MARKS, MARKS, MARKS)
def test_h32_no_mark_moves_a_rollout_that_is_known(old: Any, stable: Any, canary: Any) -> None:
    """H32: a status that can be read is not thrown away for a mark, and the canary stays at its step."""
    status = decide(in_flight(old, stable, canary).observe()).status
    assert status.stable is not None
    assert status.canary is not None
    assert (status.stable.hash, status.canary.hash) == (A, B)
    assert status.written()
    if status.canary.abort is None:
        assert status.step is not None
        assert status.step.index <= 2, "it waits at its pause"


@given(MARKS, MARKS, MARKS)
def test_h32_an_abort_leads_back_whatever_is_marked(old: Any, stable: Any, canary: Any) -> None:
    """H32: no text in an annotation stands before a step back."""
    status = decide(in_flight(old, stable, canary).told(abort="now").observe()).status
    assert status.canary is not None
    assert status.canary.abort is not None
    assert status.stable is not None
    assert status.stable.hash == A


@given(MARKS, MARKS, MARKS)
def test_h32_any_marks_of_a_lost_status_can_be_read(old: Any, stable: Any, canary: Any) -> None:
    """H32: what is found again by any marks can be decided on, written, and decided on again."""
    world = in_flight(old, stable, canary).but(status=api.RolloutStatus())
    first = decide(world.observe())
    again = decide(aftermath.after(world, first, 1, ready=True).observe())
    assert first.status.written()
    assert again.status.written()


@pytest.mark.parametrize(
    "mark", [{"stable_since": NOON - 9}, {"successor": C, "succeeded_at": NOON - 9}], ids=["its own", "another's"]
)
@pytest.mark.parametrize("pods", [0, 3])
def test_h32_a_mark_alone_replaces_no_status(mark: Any, pods: int) -> None:
    """H32: as long as pods of the stable revision are wanted, its status stands, whatever is marked as newer."""
    world = World().stable(10).deployment(C, pods, **mark)
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"since": NOON - 6000}))
    status = decide(world.observe()).status

    assert status.stable is not None
    assert status.stable.hash == A


@pytest.mark.parametrize("pods", [0, 10])
def test_h32_a_mark_without_pods_replaces_no_status(pods: int) -> None:
    """H32: where the stable revision has no pods, a newer one counts only if some of it are wanted."""
    world = World().stable(10).deployment(A, 0).deployment(C, pods, stable_since=NOON - 9)
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"since": NOON - 6000}))
    status = decide(world.observe()).status

    assert status.stable is not None
    assert status.stable.hash == (C if pods else A)


def test_h32_a_time_ahead_of_any_clock_is_no_mark() -> None:
    """H32: a lost status is not found again by a mark of next year."""
    world = World().deployment(A, 10, stable_since=NOON - 9000).deployment(B, 1, stable_since=NOON + YEAR).wants(B)
    status = decide(world.ruled(policy(20, "pause")).but(status=api.RolloutStatus()).observe()).status

    assert status.stable is not None
    assert status.stable.hash == A


@pytest.mark.parametrize(("old", "expected"), [(0, B), (1, A)])
@pytest.mark.parametrize("own", [True, False])
def test_h32_a_promotion_while_the_clock_was_ahead_is_found(old: int, expected: str, *, own: bool) -> None:
    """H32: a time that lies too far ahead counts where all pods are of what bears it, and nowhere else."""
    ahead: dict[str, Any] = {"stable_since": NOON + YEAR} if own else {}
    by: dict[str, Any] = {} if own else {"successor": B, "succeeded_at": NOON + YEAR}
    world = World().deployment(A, old, stable_since=NOON - 9000, **by).deployment(B, 10, **ahead).wants(B)
    status = decide(world.ruled(policy(20, "pause")).but(status=api.RolloutStatus()).observe()).status

    assert status.stable is not None
    assert status.stable.hash == expected


@pytest.mark.parametrize(("ahead", "marked"), [(DAY, True), (DAY + 1, False)])
def test_what_would_not_be_believed_is_not_written(ahead: int, *, marked: bool) -> None:
    """A time that lies too far ahead is written as no mark: it would be written again in each pass."""
    world = World().stable(10)
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"since": NOON + ahead}))
    actions = decide(world.observe()).actions

    assert marked == any(isinstance(one, MarkDeployment) for one in actions)


@pytest.mark.parametrize(("since", "expected"), [(NOON + 5, NOON + 6), (NOON + DAY + 1, NOON), (FAR, NOON)])
def test_a_promotion_follows_a_clock_that_was_set_back(since: int, expected: int) -> None:
    """It comes a second after the one before, unless that was never: then the marks could not tell any more."""
    before = api.Side(revision=1, hash=A, since=since)

    assert history.stable_of(api.Side(revision=2, hash=B), before, NOON).since == expected


# --- rejections on record ---------------------------------------------------------------------------------------------


def surplus() -> World:
    """Return a world at rest on B after A; C was taken back, and its Deployment is more than may be kept."""
    by = earlier.PLAN.model_copy(update={"revision_history_limit": 1})
    mark: dict[str, Any] = {
        "rejected": f"{C}/{NOON - 500}",
        "rejected_for": f"{values.format_time(NOON - 400)} MetricFailed: errors",
    }
    return earlier.second(by).deployment(C, 0, **mark).with_status(rejected=(earlier.rejection(C),)).wants(C)


def test_h32_a_rejection_is_put_on_record_before_its_deployment_goes() -> None:
    """H32: first the mark on the ControllerRevision, in a pass of its own, then the Deployment goes."""
    (action,) = [one for one in decide(surplus().observe()).actions if isinstance(one, MarkRecord)]
    assert dict(action.marks)[names.REJECTED] == identity.attempt(C, NOON - 400)
    assert DeleteDeployment(C) not in decide(surplus().observe()).actions

    end, decisions = aftermath.settled(surplus())
    assert DeleteDeployment(C) in [one for decision in decisions for one in decision.actions]
    assert {A, B} == set(end.deployments)
    assert sum(isinstance(one, MarkRecord) for decision in decisions for one in decision.actions) == 1


def test_h32_a_rejection_outlives_status_and_deployment() -> None:
    """H32: what was taken back is not tried again, though only its record is left to say so."""
    end, _ = aftermath.settled(surplus())
    status = decide(end.but(status=api.RolloutStatus()).observe()).status

    assert [(entry.hash, entry.reason, entry.at) for entry in status.rejected] == [(C, "MetricFailed", NOON - 400)]
    assert status.canary is None
    assert status.phase is api.Phase.ROLLED_BACK


def test_without_its_record_there_is_nothing_to_mark() -> None:
    """A record that was deleted holds up no Deployment that is to go."""
    world = surplus()
    world = world.but(templates={hash_: known for hash_, known in world.templates.items() if hash_ != C}).wants(B)
    actions = decide(world.observe()).actions

    assert DeleteDeployment(C) in actions
    assert not any(isinstance(one, MarkRecord | DropRecord) for one in actions)


def seen(**changes: Any) -> Observation:
    """Return what is observed of a world whose Deployment C has other facts."""
    return World().stable().deployment(C, 0, **changes).observe()


@pytest.mark.parametrize(
    ("digits", "rejects"), [("5", True), ("9" * 13, True), ("9" * 5000, True), ("", False), ("-5", False), ("²", False)]
)
def test_digits_of_any_length_reject(digits: str, *, rejects: bool) -> None:
    """How many digits an attempt has does not matter: what bears the mark was taken back, and no later than now."""
    known = seen(rejected=f"{C}/{digits}")
    entry = deployment_annotations.rejection(known, known.deployments[C])

    assert rejects == (entry is not None)
    assert entry is None or 0 <= entry.at <= NOON
