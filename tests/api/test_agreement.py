"""The model refuses what the CRD refuses: an object that came past an older CRD is still told apart."""

import re

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import cel
from headgate.api.spec import RolloutSpec
from headgate.core.analysis.providers import prometheus
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
