"""The vocabulary: values that are equal where their parts are, and the tree of faults."""

import dataclasses

import pytest

from headgate.core import faults, model
from tests.core.worlds import World


def test_a_key_is_told_as_people_write_it() -> None:
    """A Rollout is told by namespace and name."""
    assert str(model.Key("prod", "web")) == "prod/web"


def test_observations_are_values() -> None:
    """An Observation cannot be changed, and is equal to one that says the same."""
    observation = World().stable().observe()
    assert observation == World().stable().observe()
    with pytest.raises(dataclasses.FrozenInstanceError):
        observation.now = 1  # type: ignore[misc]  # that it cannot be done is what is tested


@pytest.mark.parametrize("kind", [faults.Unreachable, faults.Refused, faults.Conflict])
def test_every_fault_is_one(kind: type[faults.Fault]) -> None:
    """Whoever stands faults stands each of the three."""
    assert issubclass(kind, faults.Fault)
