"""The chart against a real API server: it is accepted, it is enough, and it goes without taking anything along."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hack.cluster import wait_until
from tests.chart import releases, variants
from tests.chart.helm import Json
from tests.chart.releases import NAMESPACE, Release
from tests.control_plane.life import gateways
from tests.control_plane.life.operators import Operator
from tests.control_plane.life.reading import HttpReader
from tests.control_plane.life.rollouts import World
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

KINDS = "rollouts,controllerrevisions,deployments,replicasets,pods,services,httproutes"
CRD = "CustomResourceDefinition/rollouts.headgate.dev"


def delivered(release: Release, namespace: str) -> World:
    """Return the namespace with a Rollout in it that the running operator has brought up."""
    world = World(release.kubectl, HttpReader(release.control_plane.cluster), namespace)
    world.ship("v1")
    world.wait_stable("v1")
    return world


def identities(world: World) -> dict[str, tuple[str, int, int]]:
    """Return uid, generation and ready pods of each Deployment, by image tag."""
    return {
        tag: (body["metadata"]["uid"], body["metadata"]["generation"], body["status"].get("readyReplicas", 0))
        for tag, body in world.deployments().items()
    }


@pytest.mark.parametrize("values", variants.ALL.values(), ids=variants.ALL)
def test_server_accepts_every_object(uninstalled: Release, values: Json) -> None:
    """The API server takes each object as it is: no unknown field, no wrong value, no warning."""
    rendered = uninstalled.helm.text({**values, "metricsService": {"enabled": True}}, namespace=NAMESPACE)
    wanted = [body["kind"] for body in yaml.safe_load_all(rendered) if body]

    ended = uninstalled.control_plane.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=rendered
    )

    assert (0, "") == (ended.returncode, ended.stderr)
    assert len(wanted) == len(ended.stdout.splitlines())


# A role that every cluster has, and what its holder may do with Rollouts: get, scale, delete.
PEOPLE = {"view": (True, False, False), "edit": (True, True, True), "admin": (True, True, True)}


@pytest.fixture(scope="class")
def notes(uninstalled: Release) -> Iterator[str]:
    """Install the release for all tests of a class, and return what Helm tells the user."""
    yield uninstalled.install(variants.SMALLEST)
    uninstalled.forget()


class TestInstalled:
    """One release with the least values, which these tests look at."""

    def test_install_creates_everything(self, uninstalled: Release, notes: str) -> None:
        """After `helm install` the pod is Ready, under the strictest pod security, and the user knows how to go on."""
        kinds = ("crd", "clusterrole", "clusterrolebinding", "serviceaccount", "deployment")

        assert 1 == releases.ready_pods(uninstalled)
        assert uninstalled.present(*kinds) == {
            CRD,
            "ClusterRole/headgate",
            "ClusterRole/headgate-view",
            "ClusterRole/headgate-edit",
            "ClusterRoleBinding/headgate",
            "ServiceAccount/headgate",
            "Deployment/headgate",
        }
        assert f"kubectl --namespace {NAMESPACE} rollout status deployment/headgate" in notes
        assert "prometheus.address is empty" in notes

    @pytest.mark.usefixtures("notes")
    @pytest.mark.parametrize("role", PEOPLE)
    def test_people_have_rollouts_in_their_roles(self, uninstalled: Release, role: str) -> None:
        """Who may view a namespace sees its Rollouts, who may edit it changes and scales them, and only there."""
        jane = f"jane-{role}"
        uninstalled.kubectl("create", "rolebinding", jane, f"--clusterrole={role}", f"--user={jane}", "-n", "shop")
        wanted = dict(
            zip((("get", ""), ("patch", "/scale"), ("delete", "")), PEOPLE[role], strict=True),
        )

        assert releases.soon(uninstalled, jane, "get", "rollouts.headgate.dev", "shop")
        for (verb, part), allowed in wanted.items():
            if allowed:
                assert releases.soon(uninstalled, jane, verb, f"rollouts.headgate.dev{part}", "shop")
            else:
                assert not uninstalled.may(jane, verb, f"rollouts.headgate.dev{part}", "shop")
        assert not uninstalled.may(jane, "get", "rollouts.headgate.dev", "blog")


def test_uninstall_leaves_the_users(release: Release, tmp_path: Path) -> None:
    """What the chart grants is enough to deliver; uninstalled, Rollouts and pods stay, and a new release takes over."""
    release.install(variants.SMALLEST)
    with release.operator(tmp_path):
        world = delivered(release, release.namespace("shop"))
    before = identities(world)

    release.uninstall()
    kinds = ("clusterrole", "clusterrolebinding", "serviceaccount", "deployment", "pod")
    left, after = release.present("crd", *kinds), identities(world)
    release.install(variants.SMALLEST)
    with release.operator(tmp_path):
        world.ship("v2")
        world.wait_stable("v2")

    assert {CRD} == left
    assert before == after
    assert {"v1": 4} == {tag: ready for tag, (_, _, ready) in before.items()}


def belongings(release: Release, *namespaces: str) -> dict[str, object]:
    """Return what is the users': each object's uid and spec, and of each pod whether it is ready."""
    found: dict[str, object] = {}
    for namespace in namespaces:
        for body in json.loads(release.kubectl("get", KINDS, "-n", namespace, "-o", "json"))["items"]:
            conditions = {one["type"]: one["status"] for one in body.get("status", {}).get("conditions", [])}
            ready = conditions.get("Ready") if body["kind"] == "Pod" else None
            name = f"{namespace}/{body['kind']}/{body['metadata']['name']}"
            found[name] = (body["metadata"]["uid"], body.get("spec") or body.get("data"), ready)
    return found


def shut_out(operator: Operator) -> bool:
    """Return whether the operator has tried something for which it has no right any more."""
    return not operator.ready() or "the API server refused" in operator.log.read_text()


def test_h28_uninstalled_in_flight_and_at_rest(release: Release, tmp_path: Path) -> None:
    """H28: every object of a Rollout in flight and of one at rest stays as it is; a new release goes on from there."""
    cluster = release.control_plane.cluster
    gateways.install(cluster)
    inside = blog, gallery = release.namespace("blog"), release.namespace("gallery")
    release.install(variants.SMALLEST)
    with gateways.Gateways(cluster):
        with release.operator(tmp_path) as operator:
            delivered(release, blog)
            shop = Shop(release.kubectl, HttpReader(cluster), gallery)
            shop.open()
            shop.deploy("v2")
            shop.wait_weight(25)
            before = belongings(release, *inside)
            release.uninstall()
            # Helm takes the rights and the pod at once: an operator may outlive its rights, and be asked for something.
            shop.promote()
            assert wait_until(lambda: shut_out(operator), deadline_seconds=60)
        after, weights, left = belongings(release, *inside), shop.weights(), release.present("crd")
        release.install(variants.SMALLEST)
        with release.operator(tmp_path):
            shop.wait_stable("v2")

    assert {CRD} == left
    assert before == after
    assert {"web": 75, "web-canary": 25} == weights


def test_uninstall_takes_the_crd_if_told(release: Release) -> None:
    """With crds.keep off the CRD goes with the release."""
    release.install({**variants.SMALLEST, "crds": {"keep": False}})
    release.uninstall()

    assert set() == release.present("crd")


def test_namespaces_are_served_and_no_others(release: Release, tmp_path: Path) -> None:
    """With namespaces the operator delivers in them, is ready, and has no right in any other, its own included."""
    inside = [release.namespace("shop"), release.namespace("blog")]
    release.install({**variants.NAMESPACED, "namespaces": inside})
    account = f"system:serviceaccount:{NAMESPACE}:headgate"
    with release.operator(tmp_path) as operator:
        worlds = [delivered(release, namespace) for namespace in inside]
        refused = [line for line in operator.log.read_text().splitlines() if "forbidden" in line.lower()]

    assert [{"v1": 4}, {"v1": 4}] == [world.sizes() for world in worlds]
    assert [] == refused
    assert release.may(account, "patch", "deployments.apps", inside[0])
    assert [False, False, False] == [
        release.may(account, "list", "rollouts.headgate.dev", namespace) for namespace in ("default", NAMESPACE, "")
    ]


def test_upgrade_restarts_only_the_operator(release: Release, tmp_path: Path) -> None:
    """Another release of the chart replaces the operator's pod and leaves the CRD's objects untouched."""
    release.install(variants.SMALLEST)
    with release.operator(tmp_path):
        world = delivered(release, release.namespace("shop"))
    before, rollout = identities(world), world.rollout()
    release.install({**variants.SMALLEST, "log": {"level": "debug"}})
    deployment = json.loads(release.kubectl("get", "deployment", "headgate", "-n", NAMESPACE, "-o", "json"))

    assert 2 == deployment["metadata"]["generation"]
    assert (before, rollout) == (identities(world), world.rollout())
