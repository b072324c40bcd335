"""A victim beside a namespace that asks as much and as slowly as it can."""

import statistics

import pytest

from hack.cluster import wait_until
from tests.control_plane.life.rollouts import World, manifest, metric
from tests.prometheus.scripts import Rule, constant
from tests.prometheus.server import Asked, ScriptedPrometheus

pytestmark = pytest.mark.control_plane

SETTLE_SECONDS = 5.0
LATE_SECONDS = 3.0
LATEST_SECONDS = 12.0
"""Each of the other's queries holds its place for 2 s, and there are 60 of them for 8 places: 15 s without turns.

Half of the victim's queries come within the first time, and each within the second, on a machine that others use too.
"""
GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}


def test_h33_slow_queries_of_another_namespace(world: World, prometheus: ScriptedPrometheus) -> None:
    """H33: while sixty queries of another namespace hang, a victim is measured on time, and taken back for it."""
    hostile = f"{world.namespace}-hostile"
    prometheus.script(Rule(match=hostile, hang=True), constant(0.01, match=f'"{world.namespace}"'))
    world.kubectl("create", "namespace", hostile)
    slow = [
        metric(hostile, name=f"slow-{n}", when=["First"], prometheus={"query": f"{hostile}_{n}"}) for n in range(20)
    ]
    for number in range(3):
        greedy = manifest(hostile, replicas=1, analysis={"metrics": slow})
        greedy["metadata"]["name"] = greedy["spec"]["selector"]["matchLabels"]["app"] = f"greedy-{number}"
        greedy["spec"]["template"]["metadata"]["labels"]["app"] = f"greedy-{number}"
        for one in greedy["spec"]["analysis"]["metrics"]:
            one["prometheus"] = {"query": f"{one['prometheus']['query'].partition('@')[0]}@{number}"}
        world.apply(greedy)
    assert wait_until(lambda: len([a for a in prometheus.asked if hostile in a.query]) >= 12, 60)
    world.ship("v1", strategy=GATED, analysis={"metrics": [metric(world.namespace)]})
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED, analysis={"metrics": [metric(world.namespace)]})
    world.wait_step(2)

    def asked() -> list[Asked]:
        return [one for one in prometheus.asked if f'"{world.namespace}"' in one.query]

    world.wait(lambda: len(asked()) >= 8, "measured")
    prometheus.script(Rule(match=hostile, hang=True), constant(0.9, match=f'"{world.namespace}"'))
    world.wait(lambda: world.sizes() == {"v1": 4}, "taken back")

    lags = [one.arrived - one.last - SETTLE_SECONDS for one in asked()]
    assert statistics.median(lags) < LATE_SECONDS
    assert max(lags) < LATEST_SECONDS
    told = world.kubectl("get", "rollout", "greedy-0", "-n", hostile, "-o", "jsonpath={.status.analysis[*].message}")
    assert "no answer within" in told
    world.kubectl("delete", "namespace", hostile, "--wait=false")
