"""A namespace that is hostile to its neighbours: named by its id in the catalogue."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.life.admission import admitting
from tests.control_plane.life.operators import Operator
from tests.control_plane.life.rollouts import Json, manifest, metric
from tests.control_plane.life.shops import Shop
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

ROLLOUTS = 40
METRICS = 20
LARGE_BYTES = 900_000
HANGS_SECONDS = 25.0
AT_ONCE_SECONDS = 20
"""What a victim may have to wait on two cores that run everything, and other tests; `bench` measures it alone. Behind
one admission that hangs it would be 25."""


@pytest.fixture
def hostile(shop: Shop) -> Iterator[str]:
    """A namespace beside the shop."""
    namespace = f"hostile-{uuid.uuid4().hex[:8]}"
    shop.kubectl("create", "namespace", namespace)
    yield namespace
    shop.kubectl("delete", "namespace", namespace, "--wait=false")


def crowd(namespace: str, *, large: int = 0) -> str:
    """Return Rollouts of that namespace, whose twenty metrics fail each second, and some with large templates."""
    every = {"interval": "1s", "window": "1s", "when": ["First"]}
    items: list[Json] = []
    for number in range(ROLLOUTS):
        metrics = [metric(namespace, **{**every, "name": f"metric-{at}"}) for at in range(METRICS)]
        made = manifest(namespace, analysis={"metrics": metrics}, replicas=1)
        made["metadata"]["name"] = f"web-{number}"
        made["spec"]["selector"]["matchLabels"] = {"app": f"web-{number}"}
        made["spec"]["template"]["metadata"]["labels"] = {"app": f"web-{number}"}
        if number < large:
            text = [{"name": "TEXT", "value": "x" * LARGE_BYTES}]
            made["spec"]["template"]["spec"]["containers"][0]["env"] = text
        items.append(made)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def aborted(shop: Shop, operator: Operator) -> None:
    """Take a canary back, at once; the operator is well before and after."""
    assert operator.page("healthz") is not None
    shop.command("abort", "now")
    shop.wait_weights(AT_ONCE_SECONDS, web=100, canary=0)
    assert operator.page("healthz") is not None
    shop.wait_phase("RolledBack")


def test_h33_metrics_that_fail_and_large_templates(
    shop: Shop, hostile: str, operator: Operator, prometheus: ScriptedPrometheus
) -> None:
    """H33: beside forty Rollouts with 800 metrics that fail each second and templates of 0.9 MB an abort is prompt."""
    prometheus.script(constant(0.9, match=hostile), constant(0.01))
    shop.at_a_quarter(analysis={"metrics": [metric(shop.namespace)]})
    shop.kubectl("create", "-f", "-", stdin=crowd(hostile, large=10))
    failing = f'namespace="{hostile}"'
    shop.wait(lambda: any(failing in one.query for one in prometheus.asked), "the others measured")
    prometheus.forget()
    aborted(shop, operator)


def test_h33_passes_that_hang(shop: Shop, hostile: str, operator: Operator, tmp_path: Path) -> None:
    """H33: beside forty Rollouts whose Deployments wait for an admission that hangs an abort is prompt."""
    shop.at_a_quarter()
    with admitting(shop.kubectl, hostile, tmp_path, seconds=HANGS_SECONDS) as admission:
        shop.kubectl("create", "-f", "-", stdin=crowd(hostile))
        shop.wait(lambda: admission.asked >= 4, "the others waiting")
        aborted(shop, operator)
