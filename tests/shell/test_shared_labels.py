"""A label has 63 characters, a Rollout's name may have 253: two that bear the same label keep apart what is theirs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api import names
from headgate.api.status import RolloutStatus, Side
from headgate.api.traffic import Traffic
from headgate.core.faults import Unreachable
from headgate.core.model import Json, Key, Kind, RolloutFacts
from headgate.core.revisions import identity
from headgate.observe import deployments, rollout_label
from headgate.observe.route_ownership import with_claims
from headgate.observe.traffic_reader import TrafficReader
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed
from tests.core import ways
from tests.shell import virtual
from tests.shell.observations import observation

LONG = "payments-of-the-whole-company-and-of-all-its-daughters-and-partners"
SHORT = identity.label_value(LONG)
DOTTED = f"{'p' * 51}.{'q' * 30}"
"""Its label has 62 characters, for it must not be cut behind a dot."""
PAIRS = [(LONG, SHORT), (SHORT, LONG), (DOTTED, identity.label_value(DOTTED)), (identity.label_value(DOTTED), DOTTED)]
TIME = "2027-01-15T07:59:59Z"
BOTH = pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=["long", "short", "dotted", "short of the dotted"])
"""Each of two Rollouts whose objects bear the same label, as the one that looks."""
TRAFFIC = Traffic.model_validate({"stableService": "web", "canaryService": "web-canary"})


def own_hash(name: str) -> str:
    """Return the hash of the same template as a revision of *name*."""
    return identity.template_hash(name, {"spec": {}})


def rollout(name: str, **spec: Any) -> Json:
    """Return a Rollout whose first revision is stable."""
    metadata = {"name": name, "namespace": "prod", "uid": f"uid-of-{name}", "creationTimestamp": TIME}
    return {"metadata": metadata, "spec": spec, "status": {"stable": {"hash": own_hash(name)}}}


def service(label: str, selects: str, name: str = "pay") -> Json:
    """Return a Service of ours."""
    labels = {names.MANAGED: "true", names.ROLLOUT: label}
    metadata = {"name": name, "namespace": "prod", "uid": "u", "resourceVersion": "1", "labels": labels}
    selector = {"app": "pay", **({names.POD_HASH: selects} if selects else {})}
    return {"metadata": metadata, "spec": {"selector": selector}}


class Cluster:
    """Rollouts, and things that bear their label."""

    def __init__(self, rollouts: list[Json], *things: Json, kind: Kind = Kind.SERVICE, down: bool = False) -> None:
        self.all = {Kind.ROLLOUT: rollouts, kind: list(things)}
        self.down = down

    def _of(self, kind: Kind) -> list[Json]:
        if self.down and kind is Kind.ROLLOUT:
            raise Unreachable("down")
        return self.all.get(kind, [])

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return it."""
        assert namespace == "prod"
        return next((one for one in self._of(kind) if one["metadata"]["name"] == name), None)

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return them."""
        assert namespace == "prod"
        return [one for one in self._of(kind) if labels.items() <= one["metadata"].get("labels", {}).items()]

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Is not asked."""
        raise AssertionError((kind, namespace, body))


def facts(name: str) -> RolloutFacts:
    """Return the Rollout that looks."""
    return dataclasses.replace(observation().rollout, namespace="prod", name=name, uid=f"uid-of-{name}")


async def former(cluster: Cluster, mine: str) -> tuple[str, ...]:
    """Return the Services that *mine* finds to be released: it names none any more."""
    found = await TrafficReader(cluster, virtual.clock).read(
        facts(mine), None, {own_hash(mine): "d"}, routed=True, resting=True
    )
    return tuple(one.name for one in found.former) if found else ()


@BOTH
async def test_h34_the_services_of_a_namesake_are_not_released(mine: str, theirs: str) -> None:
    """H34: Services with our label that another Rollout of that label has are left alone; ours are released."""
    pair, label = (
        [rollout(mine), rollout(theirs, traffic=TRAFFIC.model_dump(by_alias=True))],
        identity.label_value(mine),
    )

    assert label == identity.label_value(theirs)
    assert await former(Cluster(pair, service(label, own_hash(theirs))), mine) == ()
    assert await former(Cluster(pair, service(label, "bcdfghjklm")), mine) == ()
    assert await former(Cluster(pair, service(label, "", name="web")), mine) == ()
    assert await former(Cluster(pair, service(label, own_hash(mine))), mine) == ("pay",)
    assert await former(Cluster(pair, service(label, "")), mine) == ("pay",)
    assert await former(Cluster(pair[:1], service(label, "bcdfghjklm")), mine) == ("pay",)
    assert await former(Cluster(pair, service(label, own_hash(mine)), down=True), mine) == ()


@BOTH
async def test_h34_a_namesakes_service_is_taken(mine: str, theirs: str) -> None:
    """H34: a Service that we name, and that a Rollout of the same label has, is its own; one that is ours stays so."""
    pair, label = [rollout(mine), rollout(theirs)], identity.label_value(mine)

    async def seen(selects: str, *, down: bool = False) -> tuple[str, bool]:
        cluster = Cluster(pair, service(label, selects, name="web"), down=down)
        found = await TrafficReader(cluster, virtual.clock).read(
            facts(mine), TRAFFIC, {own_hash(mine): "d"}, routed=True, resting=False
        )
        assert found is not None
        return found.stable.holder, found.stable.labelled  # type: ignore[union-attr]  # it is there, and read

    assert await seen(own_hash(theirs)) == (theirs, False)
    assert await seen(own_hash(mine)) == (label, True)
    assert await seen("bcdfghjklm") == (label, True)
    assert await seen("") == (label, True)
    assert await seen(own_hash(theirs), down=True) == (label, True)


@BOTH
async def test_h34_a_namesake_that_had_a_rule_first_has_it(mine: str, theirs: str) -> None:
    """H34: whose a Service beside ours is may be told by a label that is ours, too."""
    asked = {"kind": "HTTPRoute", "name": "web"}
    traffic = {"stableService": "pay", "canaryService": "pay-canary", "gatewayAPI": {"routes": [asked]}}
    pair = [rollout(mine), rollout(theirs, traffic=traffic)]
    route = ways.route(dataclasses.replace(ways.rule(100, 0, 100), name="all", beside=("pay",)))
    cluster = Cluster(pair, service(identity.label_value(mine), own_hash(theirs)))
    for who, had in ((facts(mine), theirs), (facts("web"), theirs)):
        created = dataclasses.replace(who, created=1_900_000_000)
        assert (await with_claims(cluster, created, route)).rules[0].claimed_by == had
    assert (await with_claims(cluster, facts(theirs), route)).rules[0].claimed_by == ""


@BOTH
def test_h34_namesakes_do_not_stand_for_each_other(mine: str, theirs: str) -> None:
    """H34: what happens to a Rollout, or to what it controls, wakes no other; and none is forgotten with another."""
    triggers, label = EventMapper(), identity.label_value(mine)
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": mine, "controller": True}
    deployment = {"metadata": {"namespace": "prod", "name": "d", "uid": "d", "ownerReferences": [owner]}}

    assert triggers.woken_by(observed(Kind.ROLLOUT, rollout(theirs))) == (Key("prod", theirs),)
    assert triggers.woken_by(observed(Kind.ROLLOUT, rollout(mine))) == (Key("prod", mine),)
    assert triggers.keys() == {Key("prod", mine), Key("prod", theirs)}
    assert triggers.woken_by(observed(Kind.DEPLOYMENT, deployment)) == (Key("prod", mine),)
    assert set(triggers.woken_by(observed(Kind.SERVICE, service(label, "")))) == triggers.keys()
    triggers.woken_by(observed(Kind.ROLLOUT, rollout(theirs), gone=True))
    changed = service(label, own_hash(mine))
    assert Key("prod", mine) in triggers.woken_by(observed(Kind.SERVICE, changed))
    assert triggers.keys() == {Key("prod", mine)}
    assert triggers.woken_by(observed(Kind.ROLLOUT, rollout(mine), gone=True)) == (Key("prod", mine),)
    assert not triggers._sharing


def deployment(label: str, name: str, owner: str = "") -> Json:
    """Return the Deployment of the first revision of *name*."""
    hash_ = own_hash(name)
    owners = [{"kind": "Rollout", "name": owner, "uid": f"uid-of-{owner}", "controller": True}] if owner else []
    metadata = {
        "name": identity.deployment_name(name, hash_), "namespace": "prod", "uid": "d", "resourceVersion": "1",
        "labels": {names.ROLLOUT: label, names.POD_HASH: hash_}, "ownerReferences": owners,
    }  # fmt: skip
    spec = {"replicas": 1, "selector": {"matchLabels": {names.POD_HASH: hash_}}, "template": {"metadata": {}}}
    return {"metadata": metadata, "spec": spec, "status": {}}


@BOTH
async def test_h34_the_deployments_of_a_namesake_are_not_counted(mine: str, theirs: str) -> None:
    """H34: a Deployment of a Rollout with our label is neither ours nor in our way, even without an owner."""
    pair, label, side = [rollout(mine), rollout(theirs)], identity.label_value(mine), own_hash(mine)
    status = RolloutStatus(stable=Side(revision=1, hash=side, replicas=1, ready=1, since=0))

    async def read(*things: Json, rollouts: list[Json] = pair, down: bool = False) -> deployments.Owned:
        cluster = Cluster(rollouts, *things, kind=Kind.DEPLOYMENT, down=down)
        return await deployments.read(cluster, facts(mine), status, {})

    owned = await read(deployment(label, theirs, theirs), deployment(label, mine, mine))
    assert list(owned.ours) == [side]
    assert owned.aside(status, observation().target) == ()
    orphans = (deployment(label, theirs), deployment(label, mine))
    assert list((await read(*orphans)).ours) == [side]
    assert list((await read(*orphans, down=True)).ours) == [side]
    foreign = deployment(label, mine + "x") if len(mine) > 63 else deployment(label, mine)
    assert set((await read(foreign, rollouts=pair[:1])).ours) == {own_hash(mine + "x") if len(mine) > 63 else side}


async def test_names_that_no_other_can_share_cost_no_read() -> None:
    """Nearly all names are their own labels, and no longer name is cut to one of these."""
    assert await rollout_label.others(Cluster([], down=True), facts("web")) == []
    assert await rollout_label.others(Cluster([], down=True), facts("x" * 63)) == []
