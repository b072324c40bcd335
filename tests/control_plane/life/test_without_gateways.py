"""A cluster without the Gateway API: everything else works, and its routes are found when it comes."""

import re
from collections.abc import Iterator

import pytest

from hack.cluster import free_port
from tests.control_plane.conftest import ControlPlane, running
from tests.control_plane.life import gateways
from tests.control_plane.life.gateways import Gateways
from tests.control_plane.life.operators import Operator, kubeconfig_of_operator
from tests.control_plane.life.reading import HttpReader
from tests.control_plane.life.rollouts import World
from tests.control_plane.life.shops import Shop, route, service

pytestmark = pytest.mark.control_plane


@pytest.fixture
def bare() -> Iterator[ControlPlane]:
    """A control plane without the Gateway API."""
    with running("bare") as started:
        yield started


@pytest.fixture
def bare_shop(bare: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A namespace of it, under an operator of its own."""
    folder = tmp_path_factory.mktemp("bare")
    kubeconfig = kubeconfig_of_operator(bare.cluster, folder)
    operator = Operator(kubeconfig, folder / "operator.log", {"HEADGATE_LOG_LEVEL": "debug"}, free_port())

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        ended = bare.kubectl(*arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    kubectl("create", "namespace", "shop")
    try:
        operator.start()
        yield Shop(kubectl, HttpReader(bare.cluster), "shop")
    finally:
        operator.stop()
    ends = re.findall(r"the watches ended.*", operator.log.read_text())
    assert [end for end in ends if not end.endswith(": asked for")] == []


def test_gateway_api_comes_later(bare_shop: Shop, bare: ControlPlane) -> None:
    """Without the Gateway API a Rollout by pod ratio ships, one with a route says what is missing, then finds it."""
    plain = World(bare_shop.kubectl, bare_shop.reader, bare_shop.namespace)
    plain.ship("v1")
    plain.wait_stable("v1")
    plain.ship("v2")
    plain.wait_stable("v2")
    bare_shop.add(service())
    bare_shop.deploy("v2")
    bare_shop.wait_said("RouteMissing: ")
    gateways.install(bare.cluster)
    with Gateways(bare.cluster):
        bare_shop.add(route())
        bare_shop.wait_stable("v2")
        bare_shop.deploy("v3")
        bare_shop.wait_weight(25)
        bare_shop.command("abort", "now")
        bare_shop.wait_weights(web=100, canary=0)
        bare_shop.wait_phase("RolledBack")
