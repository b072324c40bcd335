"""One control plane for all hazards, where nobody else's operator is at work."""

from collections.abc import Iterator

import pytest

from tests.control_plane.conftest import running
from tests.control_plane.hazards import plays
from tests.control_plane.hazards.stages import House, opened


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """What all stages share."""
    with running("hazards") as started, opened(started.cluster, tmp_path_factory.mktemp("hazards")) as made:
        yield made


@pytest.fixture(scope="session")
def company(house: House, request: pytest.FixtureRequest) -> Iterator[plays.Company]:
    """Who plays on the stages, many at a time, with everything begun that the selected tests will ask for."""
    made = plays.Company(house)
    modules = dict.fromkeys(item.module for item in request.session.items if isinstance(item, pytest.Function))
    for module in modules:
        if hasattr(module, "begun"):
            module.begun(made)
    yield made
    made.close()
