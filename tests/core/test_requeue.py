"""When a Rollout is looked at again after a pass, by every way in which one can end."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.status import RolloutStatus
from headgate.core import requeue
from headgate.core.faults import Conflict, Refused, Unreachable
from headgate.core.model import Decision
from headgate.core.requeue import Acted, Asked, Early, Ending, Level, Requeue, Retries

NOW = 1_800_000_000.0
EMPTY = RolloutStatus()
NOTHING = Retries()
ROUNDING_SECONDS = 1e-6
"""What a float of this size cannot tell apart."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a decision."""

    status_written: bool = False
    conflict: bool = False
    refusals: tuple[str, ...] = ()
    unreachable: str = ""
    retry_after_seconds: float = 0.0


def acted(result: Result, *, urgent: bool = False, recheck_at: float | None = None, quiet_until: int = 0) -> Acted:
    """Return the ending of a pass whose decision was carried out."""
    decision = Decision("any", EMPTY, write_status=False, urgent=urgent, recheck_at=recheck_at, quiet_until=quiet_until)
    return Acted(decision, result)


def unreachable(retry_after_seconds: float = 0.0) -> Unreachable:
    """Return the fault of a server that may say when it will answer."""
    fault = Unreachable("down")
    fault.retry_after_seconds = retry_after_seconds
    return fault


def row(*endings: Ending, jitter: float = 1.0, retries: Retries = NOTHING) -> list[Requeue]:
    """Return what follows from passes that end so, one after another."""
    answers = []
    for ending in endings:
        answers.append(requeue.after(retries, ending, NOW, jitter))
        retries = answers[-1].retries
    return answers


def delays(answers: list[Requeue]) -> list[float | None]:
    """Return in how many seconds each looks again; 0 for at once, None for not before something happens."""
    return [0.0 if one.at_once else None if one.at is None else round(one.at - NOW, 3) for one in answers]


SECONDS = st.floats(0, 60)
WORDS = st.lists(st.text(max_size=3000), max_size=70).map(tuple)
RESULTS = st.builds(
    Result,
    st.booleans(),
    st.booleans(),
    WORDS,
    st.sampled_from(["", "Deployment web: down"]),
    retry_after_seconds=SECONDS,
)
RECHECKS = st.none() | st.floats(NOW - 1e6, NOW + 1e6)
FAULTS = st.builds(Conflict, st.text()) | st.builds(unreachable, SECONDS) | st.builds(Refused, st.text(max_size=3000))
OTHERS = st.builds(Asked, st.floats(-5, 60)) | st.sampled_from(Early)
ENDINGS = (
    st.builds(lambda result, urgent, at: acted(result, urgent=urgent, recheck_at=at), RESULTS, st.booleans(), RECHECKS)
    | FAULTS
    | OTHERS
)
COUNTS = st.integers(0, 5000)
KEPT = st.builds(Retries, WORDS, COUNTS, COUNTS, COUNTS)
JITTERS = st.floats(0, 1)


def failed(ending: Ending) -> bool:
    """Return whether a pass that ended so did not do all that it meant to."""
    return not isinstance(ending, Acted) or bool(
        ending.result.conflict or ending.result.unreachable or ending.result.refusals
    )


def retry_after_seconds(ending: Ending) -> float:
    """Return for how long the server asked to be left alone."""
    if isinstance(ending, Acted):
        return ending.result.retry_after_seconds
    return ending.retry_after_seconds if isinstance(ending, Unreachable) else 0.0


@pytest.mark.parametrize(("recheck_at", "delay"), [(None, None), (NOW + 42, 42), (NOW + 9000, 9000), (NOW - 5, 0)])
def test_good_pass_comes_back_when_decided(recheck_at: float | None, delay: float | None) -> None:
    """Without a failure the decision's time counts, however late; one that is past means now."""
    answers = row(acted(Result(), recheck_at=recheck_at, quiet_until=7))

    assert delays(answers) == [delay]
    assert (answers[0].result, answers[0].quiet_until, answers[0].message) == ("ok", 7, "")


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("reading", [False, True])
def test_conflicts_come_back_at_once_and_do_not_spin(*, reading: bool, urgent: bool) -> None:
    """Five times at once, then after 50 ms, 100 ms and so on up to 5 s; a pass without one starts anew."""
    ending = Conflict("taken") if reading else acted(Result(conflict=True), urgent=urgent)
    answers = row(*[ending] * 15, jitter=0.5)

    assert delays(answers) == [0] * 5 + [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    assert {one.result for one in answers} == {"conflict"}
    assert [one.urgent for one in answers] == [urgent and not reading] * 15
    assert delays(row(acted(Result()), ending, retries=answers[-1].retries)) == [None, 0]


@pytest.mark.parametrize("ending", [unreachable(), acted(Result(unreachable="down")), Early.BUG])
def test_failures_back_off(ending: Ending) -> None:
    """Failures in a row wait twice as long each, up to a minute; a success starts anew."""
    answers = row(*[ending] * 9)

    assert delays(answers) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert delays(row(*[ending] * 2, jitter=0.0)) == [0.5, 1]
    assert delays(row(acted(Result()), ending, retries=answers[-1].retries)) == [None, 1]
    assert delays(row(Refused("no"), ending, retries=answers[-1].retries)) == [60, 1]


def test_third_failure_in_a_row_is_told() -> None:
    """One call that keeps failing is told once as a warning; all others are for who looks closely."""
    answers = row(*[unreachable()] * 5)

    assert [one.level for one in answers] == [Level.DEBUG] * 2 + [Level.WARNING] + [Level.DEBUG] * 2
    assert answers[2].message == "no answer, trying again in 4 s: down"


def test_bug_is_told_as_an_error() -> None:
    """A bug is told as what it is, with when the next pass is."""
    told = "a bug in Headgate stopped this pass; please report it. Trying again in 1 s"

    assert [(one.result, one.level, one.message) for one in row(Early.BUG)] == [("bug", Level.ERROR, told)]


@pytest.mark.parametrize(
    ("ending", "delay"),
    [
        (unreachable(15), 15),
        (unreachable(0.2), 1),
        (acted(Result(unreachable="busy", retry_after_seconds=15)), 15),
        (acted(Result(unreachable="busy", retry_after_seconds=15), urgent=True), 1),
    ],
)
def test_server_says_when_to_come_back(ending: Ending, delay: float) -> None:
    """A server that asks to be left alone for a while is, but not by a step back to stable."""
    assert delays(row(ending)) == [delay]


@pytest.mark.parametrize(("recheck_at", "delay"), [(None, 60), (NOW + 9000, 60), (NOW + 3, 3), (NOW - 3, 0)])
def test_refusal_is_tried_again_within_a_minute(recheck_at: float | None, delay: float) -> None:
    """What was refused is tried again within a minute, sooner where the decision says, and its words are kept."""
    answers = row(acted(Result(refusals=("Deployment web: no",)), recheck_at=recheck_at))

    assert delays(answers) == [delay]
    assert answers[0].retries == Retries(refusals=("Deployment web: no",))
    assert (answers[0].result, answers[0].level) == ("refused", Level.WARNING)
    assert answers[0].message == "the API server refused: Deployment web: no"


def test_refused_read_is_tried_again_within_a_minute() -> None:
    """A Rollout that may not be read is tried again slowly, and the words are kept."""
    answers = row(Refused("forbidden"), Refused("forbidden"), jitter=0.0)

    assert delays(answers) == [54, 54]
    assert answers[-1].retries.refusals == ("forbidden",)


def test_refused_step_back_is_tried_again_soon() -> None:
    """After 1 s, 2 s and so on, sooner where the decision says, whatever else was refused between."""
    ending = acted(Result(refusals=("no",)), urgent=True, recheck_at=NOW + 20)
    answers = row(*[ending] * 8)

    assert delays(answers) == [1, 2, 4, 8, 16, 20, 20, 20]
    assert {one.result for one in answers} == {"refused"}
    assert answers[1].message == "the API server refused a step back, trying again in 2 s: no"


def test_overtaken_pass_comes_back_first_and_has_more_time_next() -> None:
    """A pass that made way comes back at once, before others, and each in a row may run for twice as long."""
    answers = row(*[Early.OVERTAKEN] * 10)

    assert Retries().patience_seconds == 0.5
    assert [one.retries.patience_seconds for one in answers[:4]] == [1, 2, 4, 8]
    assert answers[-1].retries.patience_seconds == 128
    assert {(one.result, one.at_once, one.urgent) for one in answers} == {("overtaken", True, True)}
    assert row(unreachable(), retries=answers[-1].retries)[0].retries.patience_seconds == 0.5


@pytest.mark.parametrize(("seconds", "delay"), [(2.0, 2), (-1.0, 0)])
def test_answer_is_awaited_for_a_while(seconds: float, delay: float) -> None:
    """A pass that waits for a dry run comes back when it is time to say so, and forgets nothing."""
    before = Retries(("no",), 3, 4, 0)
    answers = row(Asked(seconds), retries=before)

    assert delays(answers) == [delay]
    assert (answers[0].result, answers[0].retries) == ("asked", before)


@given(KEPT, ENDINGS, JITTERS)
def test_no_delay_exceeds_a_minute_or_what_the_server_asks(retries: Retries, ending: Ending, jitter: float) -> None:
    """What failed is tried again within a minute, or when the server asks for it, and nothing before now."""
    answer = requeue.after(retries, ending, NOW, jitter)
    most = max(60.0, retry_after_seconds(ending))

    assert answer.at_once or answer.at is not None or not failed(ending)
    assert answer.at is None or answer.at >= NOW
    assert not failed(ending) or (answer.at or NOW) <= NOW + most + ROUNDING_SECONDS
    assert not (answer.at_once and answer.at is not None)


@given(KEPT, RESULTS, RECHECKS, JITTERS)
def test_step_back_is_tried_again_before_any_other(
    retries: Retries, result: Result, recheck_at: float | None, jitter: float
) -> None:
    """The same failure of the same pass never waits longer because it was on the way back to stable."""
    other, urgent = (
        requeue.after(retries, acted(result, urgent=urgent, recheck_at=recheck_at), NOW, jitter)
        for urgent in (False, True)
    )

    assert urgent.at_once == other.at_once
    assert urgent.at_once or (urgent.at or 0) <= (other.at or 0) + ROUNDING_SECONDS
    assert urgent.urgent or urgent.result == "ok"
    assert not other.urgent


@given(KEPT, st.lists(st.tuples(st.booleans(), JITTERS), min_size=1, max_size=30))
def test_conflicts_never_starve(retries: Retries, storm: list[tuple[bool, float]]) -> None:
    """However long a storm of lost races lasts, each is followed by another try within 5.5 s."""
    for reading, jitter in storm:
        answer = requeue.after(retries, Conflict("") if reading else acted(Result(conflict=True)), NOW, jitter)
        retries = answer.retries

        assert answer.at_once or NOW < (answer.at or 0) <= NOW + 5.5 + ROUNDING_SECONDS


@given(st.lists(st.tuples(ENDINGS, JITTERS), max_size=40))
def test_memory_is_bounded(endings: list[tuple[Ending, float]]) -> None:
    """Whatever happens, and however often, a few counts and a bounded text are kept; no number overflows."""
    retries = Retries()
    for ending, jitter in endings:
        retries = requeue.after(retries, ending, NOW, jitter).retries

        assert max(retries.failures, retries.conflicts, retries.overtaken) <= 14
        assert sum(map(len, retries.refusals)) <= 64 * 2048


@given(KEPT, JITTERS)
def test_recovery_resets(retries: Retries, jitter: float) -> None:
    """After a pass that ended well nothing is kept of failures before it."""
    assert requeue.after(retries, acted(Result()), NOW, jitter).retries == Retries()


@given(KEPT, ENDINGS, JITTERS)
def test_same_facts_have_the_same_answer(retries: Retries, ending: Ending, jitter: float) -> None:
    """What follows depends on what comes in and nothing else, and what came in is left alone."""
    before = dataclasses.replace(retries)

    assert requeue.after(retries, ending, NOW, jitter) == requeue.after(retries, ending, NOW, jitter)
    assert retries == before
