"""The model refuses what the CRD refuses: an object that came past an older CRD is still told apart."""

import re

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import cel
from headgate.api.model import OneOf
from headgate.api.spec import RolloutSpec
from headgate.core.analysis.providers import prometheus
from tests.api import samples
from tests.control_plane import manifests

ACCEPTED = manifests.accepted()
REFUSED = manifests.refused()
TEXTS = st.lists(st.sampled_from(["$", "(", ")", "$(", "name", "namespace", "x", ".", "\n", "$(name)"])).map("".join)


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_manifests_are_read(name: str) -> None:
    """What the API server takes is a valid spec."""
    read = RolloutSpec.model_validate(ACCEPTED[name].rollout["spec"])

    assert read.template == ACCEPTED[name].rollout["spec"]["template"]


@pytest.mark.parametrize("name", [name for name, bad in REFUSED.items() if not bad.only_the_server])
def test_bad_manifests_are_refused(name: str) -> None:
    """What the API server refuses is no valid spec, and the refusal names the same field."""
    bad = REFUSED[name]
    with pytest.raises(pydantic.ValidationError) as refusal:
        RolloutSpec.model_validate(bad.rollout["spec"])

    errors = refusal.value.errors(include_url=False)
    told = " ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}" for error in errors)
    parent = re.sub(r"\[\d+\]", "", bad.path).split(".")[1:]
    assert parent[-1] in told or parent[-2] in told


@pytest.mark.parametrize("name", [name for name, bad in REFUSED.items() if bad.only_the_server])
def test_the_exceptions_are_still_exceptions(name: str) -> None:
    """A manifest that claims to be refused by the server alone is indeed taken by the model."""
    RolloutSpec.model_validate(REFUSED[name].rollout["spec"])


def told(spec: object) -> str:
    """Return what the model says of a *spec*."""
    try:
        RolloutSpec.model_validate(spec)
    except pydantic.ValidationError as error:
        return str(error)
    return ""


BY_THE_MODEL = [rule for rule in samples.RULES if rule.holds is not None]


@pytest.fixture(scope="module")
def refusals() -> str:
    """All that the model says of the manifests that are refused."""
    return "\n".join(told(bad.rollout["spec"]) for bad in REFUSED.values())


@pytest.mark.parametrize("rule", BY_THE_MODEL, ids=lambda rule: rule.message[:40])
def test_every_rule_refuses_a_manifest(refusals: str, rule: cel.Rule) -> None:
    """A rule is written in CEL and in Python: the model refuses by it what the API server refuses by it."""
    assert rule.message in refusals


def test_rules_that_the_model_leaves_to_others() -> None:
    """The model has no check of its own for what a notation, the template or the old value says."""
    left = {cel.DURATION, cel.PATIENCE, cel.COUNT, cel.SELECTOR_FIXED, cel.SELECTOR_CONTAINED, cel.ALWAYS_RESTARTED}

    assert {rule for rule in samples.RULES if rule.holds is None} == left


class Choice(OneOf):
    """A part of which one field is set, to derive a rule from."""

    SENTENCE = ("a choice is exactly one of", ": keep one of them")

    first_one: int | None = None
    second: str | None = None
    third: bool | None = None


@pytest.mark.parametrize("chosen", [{"firstOne": 0}, {"second": ""}, {"third": True}, {"third": False, "second": "a"}])
def test_one_field_is_enough(chosen: dict[str, object]) -> None:
    """Whatever its value: 0 and an empty text are values, false is none."""
    Choice.model_validate(chosen)


@pytest.mark.parametrize(
    "chosen", [{}, {"third": False}, {"firstOne": 0, "second": ""}, {"firstOne": 1, "third": True}]
)
def test_none_or_two_fields_are_refused(chosen: dict[str, object]) -> None:
    """The rule and its words follow from the fields: a new field takes part in both."""
    (rule,) = Choice.RULES
    with pytest.raises(
        pydantic.ValidationError, match="a choice is exactly one of firstOne, second and third: keep one"
    ):
        Choice.model_validate(chosen)

    assert (
        rule.rule == "[has(self.firstOne), has(self.second), has(self.third) && self.third].exists_one(chosen, chosen)"
    )


def test_there_are_many_ways_to_be_wrong() -> None:
    """The table of bad manifests stays a table."""
    assert len(REFUSED) >= 25


@given(TEXTS)
def test_queries_that_are_taken_have_no_unknown_variable(text: str) -> None:
    """Nothing that looks like a variable reaches Prometheus unfilled."""
    if re.fullmatch(cel.QUERY, text):
        assert prometheus.unknown_variables(text) == ()


@given(TEXTS)
def test_queries_without_an_unknown_variable_are_taken(text: str) -> None:
    """Only `$(` makes a variable: a dollar of a regular expression is nobody's business."""
    known = "|".join(re.escape(f"({name})") for name in cel.QUERY_VARIABLES)

    assert bool(re.fullmatch(cel.QUERY, text)) is not bool(re.search(rf"\$(?!{known})\(", text))
