"""What every judge must do. A new judge adds a case."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.spec import Metric
from headgate.api.status import MetricStatus, Outcome
from headgate.core.analysis import evidence, fold, judges, ticks
from headgate.core.analysis.judge import Judge
from headgate.core.analysis.judges import threshold
from headgate.core.analysis.news import News, news
from headgate.core.model import MeasureRequest, Reading, Sample
from tests.core import toy_judge
from tests.core.worlds import NOON, SETTLE, metric

BOUND_LENGTH = 128
LONG_AGO = fold.Span(analysis_from=0, weight_since=NOON - 3600)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One judge, and measurements that it can judge."""

    judge: Judge
    metric: Metric
    passing: float
    failing: float


CASES = {
    "threshold": Case(threshold.JUDGE, metric(), 0.001, 0.5),
    "toy": Case(toy_judge.JUDGE, toy_judge.metric(near=5.0), 5.5, 7.0),
}

each_judge = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True, scope="module")
def listed() -> object:
    """Let the list hold the toy too, as its one line would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "JUDGES", tuple(sorted((*judges.JUDGES, toy_judge.JUDGE), key=lambda one: one.field)))
        yield


def begun(case: Case) -> MetricStatus:
    """Return the state in which the analysis of the case's metric begins."""
    (state,) = fold.begin((case.metric,), NOON)
    return state


def samples(*values: float | None) -> tuple[Sample, ...]:
    """Return a sample per value, from the first tick after noon on."""
    return tuple(Sample(NOON + 10 * at, value) for at, value in enumerate(values, start=1))


def folded(case: Case, *read: Sample) -> MetricStatus:
    """Return the state of the case's metric after these samples."""
    readings = {case.metric.name: Reading(read)}
    (state,) = fold.fold((case.metric,), (begun(case),), readings, LONG_AGO, NOON + 100)
    return state


def request(case: Case) -> MeasureRequest:
    """Return what the first pass of the case's metric asks for."""
    (asked,) = ticks.unread((case.metric,), (begun(case),), {case.metric.name: "up"}, NOON + 100, SETTLE)
    return asked


def test_judges_are_sorted_and_each_has_a_case() -> None:
    """The list is sorted by field, no field is there twice, and each judge is tested here."""
    fields = [judge.field for judge in judges.JUDGES]

    assert fields == sorted(set(fields))
    assert set(judges.JUDGES) == {case.judge for case in CASES.values()}


@each_judge
def test_judge_is_found_by_its_field(case: Case) -> None:
    """The judge of a metric is the one whose field the metric has."""
    assert judges.of(case.metric) is case.judge


def test_metric_without_a_judge_is_an_error_that_names_the_fields() -> None:
    """A metric that no judge knows is refused with the fields that would be right."""
    with pytest.raises(LookupError, match=r"metric errors has no field that a judge knows: one of \['near', 'thresh"):
        judges.of(metric().model_copy(update={"threshold": None}))


@each_judge
def test_bound_is_in_the_status(case: Case) -> None:
    """What a value must be is in the status from the beginning, and fits in there."""
    bound = begun(case).bound

    assert bound == case.judge.bound(case.metric)
    assert 0 < len(bound) <= BOUND_LENGTH


@each_judge
@given(value=st.floats() | st.none(), outcome=st.sampled_from([None, Outcome.NO_DATA, Outcome.AMBIGUOUS]))
def test_h8_each_sample_has_an_outcome(case: Case, value: float | None, outcome: Outcome | None) -> None:
    """H8: whoever judges, a value that is missing or not finite neither passes nor fails, and any other does."""
    sample = Sample(NOON, value, outcome if value is None else None)
    found = case.judge.outcome(case.metric, sample)

    assert found is case.judge.outcome(case.metric, sample)
    assert (found in fold.DECIDED) == (value is not None and math.isfinite(value))
    assert value is not None or found is (outcome or Outcome.NO_DATA)


@each_judge
def test_outcomes_are_counted(case: Case) -> None:
    """Passes and failures of every judge are counted by the same rules."""
    passed, failed = (
        folded(case, *samples(case.passing, case.passing)),
        folded(case, *samples(case.passing, case.failing)),
    )

    assert (passed.verdict, passed.passes, passed.failures) == (Outcome.PASSED, 2, 0)
    assert (failed.verdict, failed.passes, failed.failures) == (Outcome.FAILED, 0, 1)


@each_judge
@given(picked=st.lists(st.sampled_from(["passing", "failing", "missing"]), max_size=6))
def test_who_is_woken_and_what_is_decided_agree(case: Case, picked: list[str]) -> None:
    """A Rollout is woken before others if the fold of the same samples is a breach, and sleeps on if all passed."""
    read = samples(*({"passing": case.passing, "failing": case.failing, "missing": None}[one] for one in picked))
    told = news((request(case),), read, read)
    breached = bool(evidence.breach((case.metric,), (folded(case, *read),)))

    assert (told is News.BREACH) == breached
    assert (told is News.PASSED) == (bool(picked) and set(picked) == {"passing"})


@each_judge
def test_only_what_was_asked_for_can_complete_a_breach(case: Case) -> None:
    """Samples that an earlier pass has taken already do not count towards a breach again."""
    earlier = (Sample(NOON, case.failing), *samples(case.failing))

    assert news((request(case),), earlier[1:], earlier) is News.CHANGED
