"""The models: what goes in comes out again, and what is missing gets its default."""

from typing import Any

import pydantic
import pytest

from headgate.api import spec, status, strategy
from headgate.api.spec import RolloutSpec
from headgate.api.status import RolloutStatus
from tests.api import samples
from tests.control_plane import manifests

POLICY: dict[str, Any] = {"strategy": {"canary": {}}}


def test_status_survives_a_round_trip() -> None:
    """The operator reads back what it wrote: nothing of its memory is lost."""
    assert RolloutStatus.model_validate(samples.STATUS.written()) == samples.STATUS


def test_sample_sets_every_field() -> None:
    """The sample is a fair witness: it leaves no field of the status out."""
    assert samples.STATUS.model_fields_set == RolloutStatus.model_fields.keys()


def test_empty_status_says_nothing() -> None:
    """A Rollout that nobody has looked at yet is not taken for one that is done."""
    assert RolloutStatus().written()["observedGeneration"] == -1
    assert RolloutStatus.model_validate({}) == RolloutStatus()


def test_status_of_a_newer_version_is_read() -> None:
    """An unknown field of the status does not stop an older operator."""
    assert RolloutStatus.model_validate({"replicas": 3, "invented": True}) == RolloutStatus(replicas=3)


def test_status_writes_nothing_as_null() -> None:
    """Absent is absent: server-side apply would keep a null."""
    assert None not in status.RolloutStatus().written().values()


@pytest.mark.parametrize("name", manifests.accepted())
def test_spec_survives_a_round_trip(name: str) -> None:
    """A spec that is written out and read again is the same spec."""
    read = RolloutSpec.model_validate(manifests.accepted()[name].rollout["spec"])

    assert RolloutSpec.model_validate(read.model_dump(by_alias=True)) == read


def test_smallest_spec_has_the_defaults_of_the_design() -> None:
    """Three fields are enough."""
    smallest = RolloutSpec.model_validate(samples.SMALLEST["spec"])

    assert smallest.replicas is None
    assert smallest.strategy.canary is not None
    assert smallest.strategy.canary.max_surge is None
    assert smallest.strategy.canary.max_unavailable == 0
    assert smallest.strategy.canary.steps == ()
    assert smallest.traffic is None
    assert smallest.analysis.metrics == ()


@pytest.mark.parametrize("model", [spec.RolloutSpec, strategy.Canary, spec.Metric, spec.Threshold, status.Condition])
def test_models_are_immutable(model: type[pydantic.BaseModel]) -> None:
    """Nobody changes what was observed."""
    assert model.model_config["frozen"]


def test_recorded_policy_reads_the_fields_it_needs() -> None:
    """A policy is read out of a whole spec, whatever else stands there."""
    recorded = {**samples.SMALLEST["spec"], "invented": 1}

    assert spec.Policy.model_validate(recorded) == spec.Policy.model_validate(POLICY)


def test_policy_fields_are_known_to_older_versions() -> None:
    """An older version refuses a recorded policy that has a field more, so that a new one is added on purpose."""
    assert spec.POLICY_FIELDS == (
        *("minReadySeconds", "progressDeadlineSeconds", "failFast", "revisionHistoryLimit"),
        *("strategy", "traffic", "analysis", "drill"),
    )


@pytest.mark.parametrize("field", ["minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"])
def test_policy_keeps_the_bounds_of_the_spec(field: str) -> None:
    """A recorded policy is read by the rules of the spec: a value that the spec refuses is refused there, too."""
    for model, raw in ((spec.Policy, POLICY), (spec.RolloutSpec, samples.SMALLEST["spec"])):
        with pytest.raises(pydantic.ValidationError):
            model.model_validate({**raw, field: -1})


@pytest.mark.parametrize(
    ("field", "value"),
    [("replicas", True), ("replicas", 2.0), ("paused", 1), ("paused", "yes"), ("minReadySeconds", "5")],
)
def test_values_are_not_guessed(field: str, value: Any) -> None:
    """A text that looks like a number, or a number that looks like a yes, is refused as the CRD refuses it."""
    with pytest.raises(pydantic.ValidationError):
        RolloutSpec.model_validate({**samples.SMALLEST["spec"], field: value})
