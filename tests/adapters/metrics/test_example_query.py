"""The example query of the documentation, evaluated on traffic by Prometheus' rules for missing series."""

from collections.abc import Sequence

import pytest

from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.settings import ServerSettings
from headgate.api.status import Outcome
from headgate.core.analysis.providers import prometheus as providers_prometheus
from headgate.core.model import Sample
from tests.prometheus.promql import Series
from tests.prometheus.scripts import Rule
from tests.prometheus.server import ScriptedPrometheus

QUERY = """\
(sum(rate(http_requests_total{namespace="$(namespace)",pod=~"$(canary.pods)",code=~"5.."}[$(window)])) or vector(0))
/ sum(rate(http_requests_total{namespace="$(namespace)",pod=~"$(canary.pods)"}[$(window)]))
"""
AT = 1_700_000_000


def requests_total(pod: str, code: str, per_second: float, namespace: str = "prod") -> Series:
    """Return a counter of requests."""
    labels = {"__name__": "http_requests_total", "namespace": namespace, "pod": pod, "code": code}
    return Series(labels, per_second)


CANARY, OTHER_CANARY = "web-abc12-5d8f9c7b6d-x7k2p", "web-abc12-5d8f9c7b6d-z9z9z"
STABLE = [requests_total("web-def34-6c9d8b7f5-q4q4q", "200", 90), requests_total("web-def34-6c9d8b7f5-q4q4q", "500", 9)]


def measured(traffic: Sequence[Series]) -> Sample:
    """Return what the example query makes of *traffic*."""
    variables = providers_prometheus.variables_for("prod", "web", 60.0, "abc12", "web-abc12", "def34", "web-def34")
    with ScriptedPrometheus(Rule(traffic=tuple(traffic))) as prometheus:
        server = PrometheusServer(prometheus.address, ServerSettings(address=prometheus.address))
        reading = server.read(providers_prometheus.render(QUERY, variables), range(AT, AT + 1, 10))
        server.close()
    assert not reading.problem
    return reading.samples[0]


@pytest.mark.parametrize(
    ("traffic", "share"),
    [
        ([requests_total(CANARY, "200", 10)], 0.0),
        ([requests_total(CANARY, "200", 10), requests_total(CANARY, "404", 5)], 0.0),
        ([requests_total(CANARY, "200", 9), requests_total(CANARY, "503", 1)], 0.1),
        ([requests_total(CANARY, "200", 9), requests_total(OTHER_CANARY, "500", 3)], 0.25),
        ([requests_total(CANARY, "500", 2)], 1.0),
        ([requests_total(CANARY, "200", 4), requests_total(CANARY, "500", 9, namespace="test")], 0.0),
    ],
)
def test_the_share_of_errors_of_the_canary_is_measured(traffic: Sequence[Series], share: float) -> None:
    """A version that never answered an error, and so has no series of errors, has the value 0: it passes."""
    assert measured([*traffic, *STABLE]).value == pytest.approx(share)


@pytest.mark.parametrize("traffic", [[], STABLE, [requests_total(CANARY, "200", 0), *STABLE]])
def test_a_version_without_traffic_is_not_judged(traffic: Sequence[Series]) -> None:
    """Without requests there is no value, whether there is no counter yet or none that moves: never a pass."""
    assert measured(traffic).outcome is Outcome.NO_DATA
