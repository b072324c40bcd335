"""What Gateways can do is what their classes say, read once a minute, and never guessed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api.traffic import Route
from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Kind, Unreadable
from headgate.core.model.traffic import GatewayFacts
from headgate.observe import parse_traffic
from headgate.observe.gateways import READ_AGAIN_SECONDS, Gateways
from tests.core import ways

NOW = 1_800_000_000.0
PUBLIC = ("Gateway", "eg", "public")
CLASSES: dict[str, Any] = {
    "able": {"supportedFeatures": [{"name": "HTTPRoute"}, {"name": "HTTPRouteRequestPercentageMirror"}, "odd", {}]},
    "silent": {},
    "odd": {"supportedFeatures": "all"},
}


class Cluster:
    """The Gateways of one cluster, as a Reader and as its clock."""

    def __init__(self, class_name: str = "able") -> None:
        self.now = NOW
        self.gateways: dict[tuple[str, str], Json] = {("eg", "public"): {"spec": {"gatewayClassName": class_name}}}
        self.fault: Fault | None = None
        self.reads = 0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return a Gateway or a class."""
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        if kind is Kind.GATEWAY:
            return self.gateways.get((namespace, name))
        assert (kind, namespace) == (Kind.GATEWAY_CLASS, "")
        return {"status": CLASSES[name]} if name in CLASSES else None

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Is not asked."""
        raise AssertionError((kind, namespace, labels))

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Is not asked."""
        raise AssertionError((kind, namespace, body))


async def found(cluster: Cluster, gateways: Gateways | None = None, *parents: Any) -> tuple[GatewayFacts, ...]:
    """Return what is found of the parents of two routes that name the same ones."""
    route = dataclasses.replace(ways.route(), parent_keys=parents or (PUBLIC,))
    return await (gateways or Gateways(cluster, cluster)).of([route, route])


@pytest.mark.parametrize(
    ("class_name", "features"),
    [
        ("able", frozenset({"HTTPRoute", "HTTPRouteRequestPercentageMirror"})),
        ("silent", frozenset()),
        ("odd", frozenset()),
        ("none", Unreadable("its GatewayClass none does not exist")),
    ],
)
async def test_a_class_speaks_for_its_gateways(class_name: str, features: Any) -> None:
    """What it does not list they cannot be relied on to do."""
    named = "" if isinstance(features, Unreadable) else class_name
    assert await found(Cluster(class_name)) == (GatewayFacts("Gateway eg/public", named, features),)


async def test_what_is_no_gateway() -> None:
    """A Service that is the parent of a mesh's route has no class; a Gateway that is not there has none either."""
    mesh, gone = await found(Cluster(), None, ("Service", "prod", "web"), ("Gateway", "eg", "gone"))

    assert mesh == GatewayFacts("Service prod/web", "", frozenset())
    assert gone == GatewayFacts("Gateway eg/gone", "", Unreadable("it does not exist"))


async def test_once_a_minute() -> None:
    """Two requests for each Gateway, however many routes name it and passes there are."""
    cluster = Cluster()
    gateways = Gateways(cluster, cluster)
    await found(cluster, gateways)
    cluster.now += READ_AGAIN_SECONDS - 1
    await found(cluster, gateways)
    assert cluster.reads == 2

    cluster.now += 1
    cluster.gateways["eg", "public"] = {"spec": {"gatewayClassName": "silent"}}
    (changed,) = await found(cluster, gateways)
    assert (changed.class_name, cluster.reads) == ("silent", 4)


async def test_nobody_answers() -> None:
    """Who cannot be asked at the moment is as before; who refuses to answer is not known."""
    cluster = Cluster()
    gateways = Gateways(cluster, cluster)
    cluster.fault = Unreachable("timed out")
    assert await found(cluster, gateways) == (
        GatewayFacts("Gateway eg/public", "", Unreadable("timed out", passing=True)),
    )

    cluster.fault = None
    known = await found(cluster, gateways)
    cluster.now, cluster.fault = cluster.now + 2 * READ_AGAIN_SECONDS, Unreachable("timed out")
    assert await found(cluster, gateways) == known
    cluster.fault = Refused("forbidden")
    assert await found(cluster, gateways) == (GatewayFacts("Gateway eg/public", "", Unreadable("forbidden")),)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more Gateways than anybody has, the old ones are read anew."""
    monkeypatch.setattr("headgate.observe.gateways._MOST_KNOWN", 1)
    cluster = Cluster()
    cluster.gateways["eg", "inner"] = cluster.gateways["eg", "public"]
    gateways = Gateways(cluster, cluster)
    await found(cluster, gateways, PUBLIC)
    await found(cluster, gateways, ("Gateway", "eg", "inner"))
    await found(cluster, gateways, PUBLIC)
    assert cluster.reads == 6


def test_filters_that_copy_to_the_canary_service() -> None:
    """Whoever wrote them, in whichever rule, beside whatever else."""

    def mirror(**backend: Any) -> Json:
        return {"type": "RequestMirror", "requestMirror": {"backendRef": backend}}

    ours, home = mirror(name=ways.CANARY), mirror(name=ways.CANARY, namespace="prod", kind="Service", group="")
    others = [
        mirror(name="audit"),
        mirror(name=ways.CANARY, namespace="eg"),
        mirror(name=ways.CANARY, kind="ServiceImport", group="x"),
        {"type": "RequestMirror"},
        {"type": "RequestHeaderModifier"},
        "odd",
    ]
    rules = [{"filters": others}, {"filters": [*others, ours, home]}, {}]
    metadata = {"name": "web", "namespace": "prod", "uid": "u", "resourceVersion": "1"}
    parents = [{"name": "public", "namespace": "eg"}, {"kind": "Service", "group": "", "name": "web"}]
    thing = {"metadata": metadata, "spec": {"rules": rules, "parentRefs": parents}}
    facts = parse_traffic.route(thing, Route(kind="HTTPRoute", name="web"), ways.TRAFFIC)

    assert facts.mirrors == {1: ((*others[:-1], ours, home), (5, 6))}
    assert facts.parent_keys == (("Gateway", "eg", "public"), ("Service", "prod", "web"))


@pytest.mark.parametrize("class_name", ["able", "none", "odd", "..", "secret?watch=true"])
async def test_h29_a_gateway_elsewhere_tells_nothing_before_it_accepts(class_name: str) -> None:
    """H29: whoever writes a route can name any Gateway; one elsewhere is read once it accepts, and names nothing."""
    reader = Cluster(class_name)
    gateways = Gateways(reader, reader)
    told = dataclasses.replace(ways.parent(), name="Gateway eg/public (web)", accepted=False)
    route = dataclasses.replace(ways.route(), parent_keys=(PUBLIC,), parents=(told,))
    (before,) = await gateways.of([route], "shop")
    assert (reader.reads, before.features) == (0, Unreadable("it has not accepted the route", passing=True))

    (after,) = await gateways.of([dataclasses.replace(route, parents=(ways.parent(name="Gateway eg/public"),))], "shop")
    (later,) = await gateways.of([route], "shop")
    assert reader.reads > 0
    assert later == after
    assert class_name not in (after.class_name, str(after.features).partition("frozenset")[0])
    assert "secret" not in str(after)
    (other,) = await gateways.of([route], "bank")
    assert other == before


async def test_h33_parents_are_looked_at_within_bounds() -> None:
    """H33: of hundreds of parents no more are read in one pass than one route can have."""
    reader = Cluster()
    parents = tuple(("Gateway", "eg", f"g{number}") for number in range(400))
    told = await found(reader, None, *parents)

    assert len(told) == 400
    assert reader.reads <= 64
    assert told[-1].features == Unreadable("only 32 parents are looked at", passing=False)
