"""The fold of ticks, evidence and breach, by table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import spec
from headgate.api.status import MetricStatus, Outcome
from headgate.core.analysis import evidence as analysis_evidence
from headgate.core.analysis import fold, news, ticks
from headgate.core.analysis.judges import threshold
from headgate.core.model import Reading, Sample
from tests.core import answers
from tests.core.worlds import NOON, SETTLE, metric

BAD, GOOD = 0.5, 0.001
ERRORS = metric()
LONG_AGO = fold.Span(analysis_from=0, weight_since=NOON - 3600)


def state(**changes: object) -> MetricStatus:
    """Return the state of the metric as it begins at noon, with *changes*."""
    (fresh,) = fold.begin((ERRORS,), NOON)
    return fresh.model_copy(update=changes)


def folded(before: MetricStatus, *values: float | None, span: fold.Span = LONG_AGO, first: int = 1) -> MetricStatus:
    """Return the state after so many ticks, from the *first* after noon on."""
    samples = tuple(Sample(NOON + 10 * at, value) for at, value in enumerate(values, start=first))
    (after,) = fold.fold((ERRORS,), (before,), {"errors": Reading(samples)}, span, NOON + 100)
    return after


@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        ({"max": 0.01}, 0.01, Outcome.PASSED),
        ({"max": 0.01}, 0.011, Outcome.FAILED),
        ({"max": 0.01}, -5.0, Outcome.PASSED),
        ({"min": 0.99}, 0.99, Outcome.PASSED),
        ({"min": 0.99}, 0.98, Outcome.FAILED),
        ({"min": 1.0, "max": 2.0}, 2.5, Outcome.FAILED),
        ({"min": 1.0, "max": 2.0}, 1.5, Outcome.PASSED),
        ({"max": 0.01}, float("nan"), Outcome.AMBIGUOUS),
        ({"max": 0.01}, float("inf"), Outcome.AMBIGUOUS),
        ({"min": 0.01}, float("inf"), Outcome.AMBIGUOUS),
        ({"max": 0.01}, None, Outcome.NO_DATA),
    ],
)
def test_judge(bounds: dict[str, float], value: float | None, expected: Outcome) -> None:
    """H8: the bounds themselves pass, and no value that is missing or not finite passes or fails."""
    assert expected == threshold.JUDGE.outcome(metric(threshold=bounds), Sample(NOON, value))


def test_judge_keeps_what_the_server_made_of_it() -> None:
    """Where there is no single value, the sample says whether there was none or several."""
    assert threshold.JUDGE.outcome(ERRORS, Sample(NOON, None, Outcome.AMBIGUOUS)) is Outcome.AMBIGUOUS


@pytest.mark.parametrize(
    ("values", "passes", "failures", "verdict"),
    [
        ((GOOD, GOOD, GOOD), 3, 0, Outcome.PASSED),
        ((BAD,), 0, 1, Outcome.FAILED),
        ((GOOD, BAD, GOOD), 1, 0, Outcome.PASSED),
        ((BAD, GOOD, BAD), 0, 1, Outcome.FAILED),
        ((BAD, None, BAD), 0, 2, Outcome.FAILED),
        ((BAD, float("nan"), BAD), 0, 2, Outcome.FAILED),
        ((GOOD, None, GOOD), 2, 0, Outcome.PASSED),
        ((None, None), 0, 0, Outcome.NO_DATA),
        ((BAD, BAD, GOOD, GOOD), 0, 2, Outcome.FAILED),
    ],
)
def test_counts(values: tuple[float | None, ...], passes: int, failures: int, verdict: Outcome) -> None:
    """Failures count in a row, passes since the last failure, nothing else counts or resets, and a breach is final."""
    after = folded(state(), *values)

    assert (after.passes, after.failures, after.verdict) == (passes, failures, verdict)


@pytest.mark.parametrize(("since", "passes"), [(-60, 3), (-50, 3), (-49, 2), (-31, 1), (-30, 1), (-29, 0), (None, 0)])
def test_passes_need_their_whole_window_at_the_weight(since: int | None, passes: int) -> None:
    """A pass counts only if its window of 60 s begins after the change of weight: here at noon -50, -40 and -30."""
    span = fold.Span(0, None if since is None else NOON + since)

    assert passes == folded(state(), GOOD, GOOD, GOOD, span=span).passes


@pytest.mark.parametrize("since", [None, 0, -10])
def test_failures_count_at_any_weight(since: int | None) -> None:
    """A failure counts from the first tick on, whatever part of its window lies at the present weight."""
    span = fold.Span(0, None if since is None else NOON + since)

    assert folded(state(), BAD, BAD, span=span).failures == 2


def test_windows_into_an_earlier_attempt_say_nothing() -> None:
    """What an earlier attempt at the same revision did is neither held against this one nor in its favour."""
    span = fold.Span(analysis_from=NOON - 30, weight_since=NOON - 3600)
    after = folded(state(), BAD, GOOD, span=span)

    assert (after.verdict, after.passes, after.failures, after.last_judged) == (Outcome.NO_DATA, 0, 0, None)
    assert after.message == "its window reaches back into an earlier attempt"
    assert folded(after, BAD, span=span, first=3).failures == 1


def test_each_tick_is_folded_once() -> None:
    """A tick that was folded before is passed over, whoever reads it again."""
    once = folded(state(), GOOD, BAD)

    assert once == folded(once, GOOD, BAD)
    assert once.last_tick == NOON + 20
    assert folded(once, GOOD, BAD, BAD) == folded(once, BAD, first=3)


@given(st.lists(st.sampled_from([GOOD, BAD, None]), max_size=12), st.integers(0, 12))
def test_the_fold_does_not_mind_where_it_is_cut(values: list[float | None], cut: int) -> None:
    """Read at once or in two parts, with a restart in between, the same ticks give the same state."""
    whole, first = folded(state(), *values), folded(state(), *values[:cut])

    assert whole == folded(first, *values[cut:], first=cut + 1)


def test_since_and_value() -> None:
    """The state tells since when the verdict is this one, the newest value, and the newest tick that was judged."""
    after = folded(state(), GOOD, BAD, None)
    assert (after.since, after.value, after.last_tick, after.last_judged) == (NOON + 30, "", NOON + 30, NOON + 20)
    assert folded(state(), 0.1234567891).value == "0.123457"
    assert folded(state(), GOOD, GOOD).since == NOON + 10


def test_a_problem_is_an_error_that_leaves_ticks_unread() -> None:
    """H7: what cannot be read counts for nothing, is told with its start, and is read later."""
    reading = {"errors": Reading((Sample(NOON + 10, GOOD),), problem="refused " * 1000)}
    (after,) = fold.fold((ERRORS,), (state(),), reading, LONG_AGO, NOON + 100.7)
    (later,) = fold.fold((ERRORS,), (after,), reading, LONG_AGO, NOON + 200)

    assert (after.verdict, after.passes, after.last_tick, after.since) == (Outcome.ERROR, 1, NOON + 10, NOON + 100)
    assert len(after.message) == 1000
    assert later == after


def test_a_breach_is_not_hidden_by_a_problem() -> None:
    """Once a metric has failed often enough, no later trouble with reading changes its state."""
    breached = folded(state(), BAD, BAD)
    (after,) = fold.fold((ERRORS,), (breached,), {"errors": Reading((), "down")}, LONG_AGO, NOON + 100)

    assert after == breached


def test_long_messages_are_cut() -> None:
    """What a server says of a tick is kept as far as the status has room."""
    samples = (Sample(NOON + 10, None, Outcome.AMBIGUOUS, "x" * 5000),)
    (after,) = fold.fold((ERRORS,), (state(),), {"errors": Reading(samples)}, LONG_AGO, NOON + 30)

    assert after.message == "x" * 1000


def test_the_fold_of_several() -> None:
    """Every metric is folded by its own reading, in the order of the policy; one that has no state is not invented."""
    metrics = (metric("latency"), ERRORS, metric("new"))
    states = (*fold.begin((ERRORS,), NOON), *fold.begin((metric("latency"),), NOON))
    reading = {"latency": Reading((Sample(NOON + 10, BAD),))}
    after = fold.fold(metrics, states, reading, LONG_AGO, NOON + 20)

    assert [(known.name, known.failures) for known in after] == [("latency", 1), ("errors", 0)]


@pytest.mark.parametrize(
    ("failures", "allowed", "expected"),
    [
        (0, 2, ""),
        (1, 2, ""),
        (1, 1, "metric errors failed once: 0.5, allowed is <= 0.01"),
        (2, 2, "metric errors failed 2 times in a row: 0.5, allowed is <= 0.01"),
        (5, 2, "metric errors failed 5 times in a row: 0.5, allowed is <= 0.01"),
    ],
)
def test_breach(failures: int, allowed: int, expected: str) -> None:
    """A metric that failed as often in a row as allowed is a breach, told with its value and bound."""
    bad = state(failures=failures, value="0.5")

    assert expected == analysis_evidence.breach((metric("other"), metric(failuresToRollback=allowed)), (bad,))


def test_bound_texts() -> None:
    """A bound is told as people write it."""
    assert threshold.JUDGE.bound(metric(threshold={"min": 1, "max": 2.5})) == ">= 1 and <= 2.5"
    assert threshold.JUDGE.bound(ERRORS) == "<= 0.01"
    assert threshold.JUDGE.bound(metric(threshold={"min": 0.99})) == ">= 0.99"


@pytest.mark.parametrize(
    ("interval", "last_tick", "settled", "expected"),
    [
        ("10s", NOON, NOON + 9.9, (NOON + 10, NOON)),
        ("10s", NOON + 90, NOON, (NOON + 100, NOON + 90)),
        ("10s", NOON, NOON + 10, (NOON + 10, NOON + 10)),
        ("10s", NOON + 3, NOON + 39, (NOON + 10, NOON + 30)),
        ("10s", NOON, NOON + 99_999, (NOON + 10, NOON + 3000)),
        ("1500ms", NOON, NOON + 5, (NOON + 2, NOON + 4)),
        ("1s", NOON, NOON + 3, (NOON + 1, NOON + 3)),
    ],
)
def test_unread(interval: str, last_tick: int, settled: float, expected: tuple[int, int]) -> None:
    """Asked for are the settled ticks after the last one, at multiples of the interval, a bounded number at once.

    Where none has settled yet it is said which one comes next.
    """
    watched = metric(interval=interval)
    requests = ticks.unread((watched,), (state(last_tick=last_tick),), {"errors": "up"}, settled + SETTLE, SETTLE)

    assert [(request.first, request.last) for request in requests] == [expected]
    assert all(request.query == "up" and request.metric == watched for request in requests)
    assert all(request.settle_seconds == SETTLE for request in requests)


@given(
    st.integers(1, 4),
    st.integers(0, 6),
    st.lists(st.sampled_from([BAD, GOOD, float("nan"), None]), max_size=8),
)
def test_breach_is_foreseen(enough: int, failures: int, values: list[float | None]) -> None:
    """Samples complete a breach if the fold of them does; where there is one already, none completes another."""
    watched = ERRORS.model_copy(update={"failures_to_rollback": enough})
    before = state(failures=failures)
    (request,) = ticks.unread((watched,), (before,), {"errors": "up"}, NOON + 100, SETTLE)
    samples = tuple(Sample(NOON + 10 * at, value) for at, value in enumerate(values, start=1))
    after = fold.fold((watched,), (before,), {"errors": Reading(samples)}, LONG_AGO, NOON + 100)

    breached = bool(analysis_evidence.breach((watched,), after)) and failures < enough
    assert news.completes_breach(request, samples) == breached


def test_unread_needs_a_state_and_a_query() -> None:
    """A metric without a state, or whose query is not to be asked now, is not measured."""
    assert ticks.unread((ERRORS,), (), {"errors": "up"}, NOON + 100, SETTLE) == ()
    assert ticks.unread((ERRORS,), (state(),), {}, NOON + 100, SETTLE) == ()


def found(known: MetricStatus, now: float, watched: spec.Metric = ERRORS) -> analysis_evidence.Evidence:
    """Return the evidence at a weight that holds since noon."""
    return analysis_evidence.evidence((watched,), (known,), NOON, now, SETTLE)


@pytest.mark.parametrize(
    ("passes", "missing"),
    [
        (0, "0 of 3 times (enough by 2027-01-15T08:02:10Z"),
        (2, "2 of 3 times (enough by 2027-01-15T08:01:50Z"),
        (3, ""),
        (9, ""),
    ],
)
def test_evidence_is_a_number_of_passes(passes: int, missing: str) -> None:
    """The weight may be left after the passes that were asked for, told with numbers until then."""
    known = state(verdict=Outcome.PASSED, passes=passes, last_tick=NOON + 80, last_judged=NOON + 80)
    expected = (f"errors passed {missing} at the earliest)",) if missing else ()

    assert expected == found(known, NOON + 105).missing


def test_evidence_of_nothing() -> None:
    """A metric that has no state is missing; without metrics there is nothing to prove."""
    assert analysis_evidence.evidence((ERRORS,), (), NOON, NOON, SETTLE).missing == ("errors has not been measured",)
    assert analysis_evidence.Evidence() == analysis_evidence.evidence((), (), NOON, NOON, SETTLE)


@pytest.mark.parametrize(("now", "proved"), [(105, True), (125, True), (126, False), (3700, False)])
def test_evidence_must_be_up_to_date(now: int, *, proved: bool) -> None:
    """Nobody goes on while ticks are unread that settled long ago, as after a restart: the last one read is +80."""
    known = state(verdict=Outcome.PASSED, passes=3, last_tick=NOON + 80, last_judged=NOON + 80)
    missing = found(known, NOON + now).missing

    assert missing == (() if proved else ("errors has measurements that are not read yet",))


def test_sight_lost_after_enough_passes() -> None:
    """Passes of the past do not lead further while there has been nothing to judge for longer than the window."""
    known = state(verdict=Outcome.NO_DATA, passes=3, last_judged=NOON + 20, last_tick=NOON + 80)
    assert found(known, NOON + 105).missing == ()
    blind = found(known.model_copy(update={"last_tick": NOON + 90}), NOON + 115)
    assert blind.missing == ("errors has measurements that are not read yet",)
    assert blind.blind == ("errors is NoData for 1m10s: not measured yet",)


@pytest.mark.parametrize(
    ("then", "after", "missing", "blind", "doomed"),
    [
        ("Hold", 600, 1, 1, ""),
        ("Hold", 700, 1, 1, ""),
        ("Rollback", 600, 1, 1, ""),
        ("Rollback", 610, 1, 1, "metric errors was NoData for 10m10s: no series"),
        ("Advance", 600, 1, 1, ""),
        ("Advance", 610, 0, 0, ""),
    ],
)
def test_no_data_policies(then: str, after: int, missing: int, blind: int, doomed: str) -> None:
    """Without data for longer than 10 minutes the user's own policy applies, and not a moment before."""
    known = state(verdict=Outcome.NO_DATA, message="no series", last_tick=NOON + after)
    policy = found(known, NOON + after + 25, metric(noData={"then": then}))

    assert (len(policy.missing), len(policy.blind), policy.doomed) == (missing, blind, doomed)


def test_advance_is_not_for_what_failed_last() -> None:
    """To advance without data is not to forget a failure before the data ended."""
    known = state(verdict=Outcome.NO_DATA, failures=1, last_judged=NOON, last_tick=NOON + 700)

    missing = found(known, NOON + 725, metric(noData={"then": "Advance"})).missing
    assert [answers.plain(words) for words in missing] == ["errors passed 0 of 3 times"]


@pytest.mark.parametrize("then", ["Rollback", "Advance"])
def test_time_in_which_nobody_looked_is_no_lack_of_data(then: str) -> None:
    """A restart after hours neither rolls back nor advances: the ticks of those hours are yet to be read."""
    known = state(verdict=Outcome.PASSED, last_tick=NOON + 80, last_judged=NOON + 80)
    policy = found(known, NOON + 7200, metric(noData={"then": then}))

    assert [answers.plain(words) for words in policy.missing] == ["errors passed 0 of 3 times"]
    assert (policy.blind, policy.doomed) == ((), "")


@pytest.mark.parametrize(("now", "doomed"), [(690, ""), (700, "metric errors was Error for 10m1s: connection refused")])
def test_an_error_lasts_for_as_long_as_reading_fails(now: int, doomed: str) -> None:
    """What cannot be read counts as lack of data from when reading began to fail, on top of ticks without data."""
    known = state(
        verdict=Outcome.ERROR,
        message="connection refused",
        since=NOON + 130,
        last_tick=NOON + 80,
        last_judged=NOON + 49,
    )
    policy = found(known, NOON + now, metric(noData={"then": "Rollback"}))

    assert policy.doomed == doomed
    assert policy.blind


def test_weights_and_edits() -> None:
    """A new weight takes passes, not failures; an edited metric begins anew, the others go on."""
    known = state(passes=2, failures=1)
    assert [(fresh.passes, fresh.failures) for fresh in fold.at_new_weight((known,))] == [(0, 1)]
    edited = metric(passesToAdvance=9)
    assert fold.keep_unchanged((ERRORS,), (ERRORS,), (known,), NOON + 5) == (known,)
    assert fold.keep_unchanged((ERRORS,), (edited,), (known,), NOON + 5) == fold.begin((edited,), NOON + 5)
    added = fold.keep_unchanged((ERRORS,), (metric("new"), ERRORS), (known,), NOON + 5)
    assert added == (*fold.begin((metric("new"),), NOON + 5), known)
    assert fold.keep_unchanged((ERRORS,), (), (known,), NOON) == ()
    assert fold.keep_unchanged((ERRORS,), (ERRORS,), (), NOON) == fold.begin((ERRORS,), NOON)


@pytest.mark.parametrize("then", ["Rollback", "Advance"])
def test_a_metric_that_was_added_waits_from_then_on(then: str) -> None:
    """A metric added in the middle of a long pause has gone without data only since it was added."""
    watched = metric(noData={"after": "30s", "then": then})
    (known,) = fold.begin((watched,), NOON + 900)
    evidence = found(known, NOON + 925, watched)

    assert (evidence.doomed, evidence.blind) == ("", ())
    assert [answers.plain(words) for words in evidence.missing] == ["errors passed 0 of 3 times"]
    late = known.model_copy(update={"last_tick": NOON + 940})
    assert bool(found(late, NOON + 965, watched).doomed) == (then == "Rollback")
