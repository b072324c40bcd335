"""Blue/green, rolling update and recreate with users: an abort and a promotion each, and what it costs them.

Canaries have files of their own; all that may come in between is in measure_strategies, for it takes longer.
"""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import podinfo, routed, shops, ways
from tests.e2e.conftest import OpenShop
from tests.e2e.load import Connections, Load
from tests.e2e.nodes import Json
from tests.e2e.shops import PATIENCE_SECONDS
from tests.e2e.soak import Window
from tests.e2e.timeline import SLICE
from tests.e2e.ways import PASSES_SOON, WAYS, Act, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PER_SECOND = 10
# Traefik follows 2 s late, kube-proxy one.
FOLLOWED_SECONDS = 3
SMOKE = {**PASSES_SOON, "name": "smoke", "when": ["PrePromotion"]}


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """What users got."""

    stage: Stage
    window: Window
    losses: list[float]


def previewed(stage: Stage) -> None:
    """Promote a version that is in preview before anybody has tried it, and try it afterwards."""
    shop, way = stage.shop, stage.way
    manifest = shop.manifest(stage.other, replicas=ways.REPLICAS, metrics=[SMOKE], **way.spec(holds=True))
    shop.apply(routed.abrupt(manifest, "previewed"))
    stage.wait(way.middle, "in preview")
    stage.release()
    stage.wait(lambda status: "smoke is NoData" in status["step"].get("waitingFor", ""), "the switch waits")
    assert routed.selected(shop) == shop.status["stable"]["hash"]
    with trying(stage):
        stage.wait_promoted()


def trying(stage: Stage) -> Load:
    """Return somebody who comes by the canary Service, as users do not."""
    address = routed.read(stage.shop, "service", routed.CANARY)["spec"]["clusterIP"]
    url = f"http://{address}{podinfo.PATH}"
    cluster = stage.shop.node.cluster
    return Load(cluster, url, podinfo.version_of, 10, duration_seconds=120, connections=Connections.NEW)


SHORT: dict[str, tuple[Act, ...]] = {
    "blueGreen, Services": (ways.abort_early, previewed),
    "blueGreen, routed": (ways.abort_early, ways.promotion),
    "rollingUpdate": (ways.abort_early, ways.promotion),
    "recreate": (ways.abort_early, ways.promotion),
}


def play(stage: Stage, acts: tuple[Act, ...]) -> Played:
    """Return what users got while all *acts* were played."""
    crowd = ways.crowd(stage.shop, PER_SECOND)
    try:
        for act in acts:
            act(stage)
        stage.shop.wait_visits(2 * PER_SECOND)
    finally:
        window = crowd.stop()
    return Played(stage, window, [response.at for _, response in crowd.lost()])


Told = Callable[[str], Played]


@pytest.fixture(scope="module")
def told(open_shop: OpenShop) -> Iterator[Told]:
    """Return what tells of a strategy; all of them are played at once, to be quick."""
    opened = {}
    for name in SHORT:
        spec: Json = {**WAYS[name].spec(), "replicas": ways.REPLICAS, "metrics": [PASSES_SOON]}
        opened[name] = open_shop(ways.named(name), per_second=1, **spec)
    with concurrent.futures.ThreadPoolExecutor(len(SHORT)) as threads:
        stages = {name: ways.staged(WAYS[name], shop) for name, shop in opened.items()}
        futures = {name: threads.submit(play, stage, SHORT[name]) for name, stage in stages.items()}
        yield lambda name: futures[name].result(3 * PATIENCE_SECONDS)


@pytest.mark.parametrize("name", [name for name in SHORT if name != "recreate"])
def test_nobody_loses_a_request(told: Told, name: str) -> None:
    """By the gateway or by the Service, on kept and on new connections; a preview that nobody tried switches nobody."""
    found = told(name)
    outcomes = [entry["outcome"] for entry in found.stage.shop.status["history"][:2]]

    assert ([], 0) == (found.losses, found.window.lost)
    assert ["Promoted", "Aborted"] == outcomes
    assert found.window.requests > 0
    assert ways.REPLICAS == len(found.stage.shop.pods_by_version()[podinfo.BETTER])


def test_recreate_is_down_while_no_pod_is_ready(told: Told) -> None:
    """Users are lost between the last pod of one version and the first of the other, going back too, and never else."""
    found = told("recreate")
    gaps = downtimes(found.stage)
    late = [at for at in found.losses if not any(since <= at <= until + FOLLOWED_SECONDS for since, until in gaps)]

    assert 2 == len(gaps)
    assert [] == late
    assert 0 < found.window.lost < found.window.requests
    assert ways.REPLICAS == len(found.stage.shop.pods_by_version()[podinfo.BETTER])


def downtimes(stage: Stage) -> list[tuple[float, float]]:
    """Return from when until when no pod of a shop served that had some before."""
    found: list[tuple[float, float]] = []
    served, since = False, 0.0
    for moment in stage.shop.timeline.of(stage.shop.namespace, SLICE):
        serving = moment.facts.get("serving") if moment.name.startswith(f"{shops.NAME}-") else None
        if serving == [] and served and not since:
            since = moment.at
        elif serving and since:
            found.append((since, moment.at))
            since = 0.0
        served = served or bool(serving)
    return found
