"""Consent on a real API server: a Rollout names only Services and routes that the one who writes it may patch."""

import copy
import dataclasses
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hack.cluster import wait_until
from headgate.api import consent
from headgate.api.traffic import ROUTES_MAX
from headgate.cli import policies
from tests.control_plane import people
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.people import GATEWAY_GROUP, ROLLOUTS, SCALE, STATUS, Person, routes, rule
from tests.control_plane.writing import DRY_RUN, Answer, HttpWriter, Options, created_namespace

pytestmark = pytest.mark.control_plane

Json = dict[str, Any]
STABLE = "spec.traffic.stableService"
CANARY = "spec.traffic.canaryService"
SERVICES = rule("services")
HTTP = rule("httproutes", group=GATEWAY_GROUP)
GRPC = rule("grpcroutes", group=GATEWAY_GROUP)
MOST = [f"route-{index}" for index in range(ROUTES_MAX)]


def path_of(index: int) -> str:
    """Return where the route stands in a Rollout."""
    return f"spec.traffic.gatewayAPI.routes[{index}]"


def rollout(*named: Json, stable: str = "web", canary: str = "web-canary", image: str = "web:1") -> Json:
    """Return a Rollout over these Services and, if any are *named*, routes."""
    traffic: Json = {"stableService": stable, "canaryService": canary}
    labels = {"app": "web"}
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}},
            "strategy": {"canary": {}} if named else {"blueGreen": {}},
            "traffic": {**traffic, "gatewayAPI": {"routes": list(named)}} if named else traffic,
        },
    }


def changed(given: Json, **fields: Any) -> Json:
    """Return *given* with these fields in its spec."""
    return {**given, "spec": {**copy.deepcopy(given["spec"]), **fields}}


def without_traffic(given: Json) -> Json:
    """Return *given* without spec.traffic."""
    return {**given, "spec": {field: part for field, part in given["spec"].items() if field != "traffic"}}


@pytest.fixture(scope="module")
def guarded(unattended: ControlPlane) -> ControlPlane:
    """A control plane without an operator, in which the policy is at work."""
    outsider = Person(unattended, "outsider", "default")
    outsider.grant(ROLLOUTS)

    def refused() -> bool:
        return "denied request" in outsider.http.create("rollouts", rollout(), DRY_RUN).body.get("message", "")

    assert wait_until(refused, deadline_seconds=60), "the policy is not at work"
    return unattended


Meet = Callable[..., Person]


@pytest.fixture
def meet(guarded: ControlPlane) -> Meet:
    """Makes people in a namespace of their own, each with these rights beside all of those over Rollouts."""
    namespace = f"consent-{uuid.uuid4().hex[:8]}"
    created_namespace(guarded.cluster, namespace)

    def person(name: str, *rights: Json) -> Person:
        made = Person(guarded, name, namespace)
        made.grant(ROLLOUTS, SCALE, *rights)
        # Rights are known a moment after they were written.
        assert wait_until(lambda: made.http.may("create", "rollouts", group="headgate.dev"), deadline_seconds=30)
        return made

    return person


def test_policy_is_type_checked_and_stored_as_written(guarded: ControlPlane) -> None:
    """The API server has nothing against any expression, and adds nothing that GitOps tools would see as a change."""
    written = {body["kind"].lower(): body for body in yaml.safe_load_all(policies.text())}

    for kind, body in written.items():
        stored = json.loads(guarded.kubectl("get", kind, consent.NAME, "-o", "json").stdout)
        assert stored["spec"] == body["spec"]
        warnings = stored.get("status", {}).get("typeChecking", {}).get("expressionWarnings", [])
        assert warnings == []


# --- who may name what


@pytest.mark.parametrize(("kind", "right"), [("HTTPRoute", HTTP), ("GRPCRoute", GRPC)])
def test_all_names_at_once_are_within_the_cost(meet: Meet, kind: str, right: Json) -> None:
    """Two Services and 16 routes are asked about in one request, of who may and of who may not patch them."""
    alice, bob = meet("alice", SERVICES, right), meet("bob")
    most = rollout(*routes(MOST, kind))

    words = bob.http.create("rollouts", most).refusal()
    alice.http.create("rollouts", most).done()

    assert f"{STABLE}: bob may not patch services/web in namespace {bob.namespace}" in words
    assert "cost" not in words


@pytest.mark.parametrize("index", [0, 7, ROUTES_MAX - 1])
@pytest.mark.parametrize(("kind", "right"), [("HTTPRoute", HTTP), ("GRPCRoute", GRPC)])
def test_each_route_is_asked_about(meet: Meet, kind: str, right: Json, index: int) -> None:
    """One route that its author may not patch is enough, wherever it stands; the words name it and the way out."""
    others = [name for at, name in enumerate(MOST) if at != index]
    bob = meet("bob", SERVICES, {**right, "resourceNames": others})
    resource = f"{kind.lower()}s.{GATEWAY_GROUP}"

    words = bob.http.create("rollouts", rollout(*routes(MOST, kind))).refusal()

    assert f"{path_of(index)}: bob may not patch {resource}/{MOST[index]} in namespace {bob.namespace}" in words
    remedy = f"kubectl create role NAME --namespace={bob.namespace} --verb=patch --resource={resource}"
    assert f"{remedy} --resource-name={MOST[index]}" in words


def test_the_remedy_works(meet: Meet) -> None:
    """Who is granted what the refusal says may write the Rollout."""
    bob = meet("bob", rule("services", "web-canary"))
    words = bob.http.create("rollouts", rollout()).refusal()
    command = words.rpartition("kubectl ")[2].split()
    command[command.index("NAME")] = "granted"
    bob.control_plane.kubectl(*command)
    bob.control_plane.kubectl(
        "create", "rolebinding", "granted", "--role=granted", "--user=bob", f"--namespace={bob.namespace}"
    )

    assert wait_until(lambda: bob.http.create("rollouts", rollout()).accepted, deadline_seconds=30)


@pytest.mark.parametrize(
    ("rights", "refused"),
    [
        ((rule("services", "web", "web-canary"),), ""),
        ((rule("services", "web-canary"),), STABLE),
        ((rule("services", "web"),), CANARY),
        ((rule("services", verb="update"),), STABLE),
        ((rule("services", verb="create"),), STABLE),
        ((rule("services", "other"), HTTP, GRPC), STABLE),
        ((rule("endpoints"),), STABLE),
    ],
    ids=["both", "canary only", "stable only", "update", "create", "another", "another kind"],
)
def test_services_by_name(meet: Meet, rights: tuple[Json, ...], refused: str) -> None:
    """The right to patch counts, for each of the two Services, and a right to that name is enough."""
    bob = meet("bob", *rights)

    if refused:
        assert f"{refused}: bob may not patch services/" in bob.http.create("rollouts", rollout()).refusal()
    else:
        bob.http.create("rollouts", rollout()).done()


def test_rights_elsewhere_do_not_count(meet: Meet, guarded: ControlPlane) -> None:
    """A right to Services of another namespace is none to these."""
    bob = meet("bob")
    Person(guarded, "bob", "default").grant(ROLLOUTS, SERVICES, HTTP, GRPC)

    assert STABLE in bob.http.create("rollouts", rollout()).refusal()


def test_a_rollout_that_names_nothing_is_not_asked_about(meet: Meet) -> None:
    """Without spec.traffic, who may write Rollouts writes one."""
    bob = meet("bob")

    bob.http.create("rollouts", without_traffic(rollout(*routes(["web"])))).done()


APPLY = Options(manager="kubectl", force=True)
Way = Callable[[HttpWriter, Json], Answer]
CREATING: dict[str, tuple[Way, Way | None]] = {
    "create": (
        lambda http, given: http.create("rollouts", given),
        lambda http, given: http.replace("rollouts", given),
    ),
    "create, dry run": (lambda http, given: http.create("rollouts", given, DRY_RUN), None),
    "apply --server-side": (
        lambda http, given: http.apply("rollouts", given, APPLY),
        lambda http, given: http.apply("rollouts", given, APPLY),
    ),
    "apply --server-side, dry run": (
        lambda http, given: http.apply("rollouts", given, dataclasses.replace(APPLY, dry_run=True)),
        None,
    ),
}
"""How a person creates a Rollout and, where that stores one, names something else in it."""


@pytest.mark.parametrize(("first", "again"), CREATING.values(), ids=CREATING)
def test_every_way_of_writing_is_asked(meet: Meet, first: Way, again: Way | None) -> None:
    """However a person creates a Rollout, or names something else in one, the same is asked."""
    alice, bob = meet("alice", SERVICES, HTTP), meet("bob")
    given = rollout(*routes(["web"]))

    assert STABLE in first(bob.http, given).refusal()
    first(alice.http, given).done()
    if again:
        assert path_of(1) in again(bob.http, rollout(*routes(["web", "payroll"]))).refusal()


def test_kubectl_apply_is_asked(meet: Meet) -> None:
    """The same holds for `kubectl apply`, which prints what is asked."""
    alice, bob = meet("alice", SERVICES, HTTP), meet("bob")
    apply = ("apply", "-f", "-")

    assert STABLE in bob.is_refused(*apply, given=rollout(*routes(["web"])))
    alice.does(*apply, given=rollout(*routes(["web"])))
    assert path_of(1) in bob.is_refused(*apply, given=rollout(*routes(["web", "payroll"])))


# --- what changes


def edits() -> dict[str, tuple[Json, str]]:
    """Return what a person without any right to Services and routes makes of a Rollout, and what it is refused for."""
    was = rollout(*routes(["web", "api"]))
    one = [{"kind": "HTTPRoute", "name": "web", "rules": ["second"]}, *routes(["api"])]
    return {
        "unchanged": (was, ""),
        "another template": (rollout(*routes(["web", "api"]), image="web:2"), ""),
        "other fields": (changed(was, replicas=3, paused=True, progressDeadlineSeconds=60), ""),
        "another drain": (changed(was, traffic={**was["spec"]["traffic"], "drain": "90s"}), ""),
        "routes in another order": (rollout(*routes(["api", "web"])), ""),
        "a route less": (rollout(*routes(["api"])), ""),
        "rules spelled out": (rollout({"kind": "HTTPRoute", "name": "web", "rules": []}, *routes(["api"])), ""),
        "no traffic": (without_traffic(was), ""),
        "a route more": (rollout(*routes(["web", "api", "payroll"])), path_of(2)),
        "another route": (rollout(*routes(["payroll", "api"])), path_of(0)),
        "another kind of route": (rollout(*routes(["web"]), *routes(["api"], "GRPCRoute")), path_of(1)),
        "other rules of a route": (rollout(*one), path_of(0)),
        "another stable Service": (rollout(*routes(["web", "api"]), stable="payroll"), STABLE),
        "another canary Service": (rollout(*routes(["web", "api"]), canary="payroll"), CANARY),
        "the Services swapped": (rollout(*routes(["web", "api"]), stable="web-canary", canary="web"), STABLE),
    }


def difference(was: Json, given: Json) -> Json:
    """Return the merge patch that leads from one to the other, as client-side apply makes it."""
    changes: Json = {}
    for key, value in given.items():
        before: Any = was.get(key)
        if before != value:
            both = isinstance(before, dict) and isinstance(value, dict)
            changes[key] = difference(before, value) if both else value
    return changes | {key: None for key in was if key not in given}


STANDING = rollout(*routes(["web", "api"]))
EDITING: dict[str, Way] = {
    "apply": lambda http, given: http.merge("rollouts", "web", difference(STANDING, given), DRY_RUN),
    "apply --server-side": lambda http, given: http.apply("rollouts", given, dataclasses.replace(APPLY, dry_run=True)),
    "replace": lambda http, given: http.replace("rollouts", given, DRY_RUN),
}


@pytest.fixture(scope="module")
def standing(guarded: ControlPlane) -> Person:
    """A person without any right to Services and routes, in a namespace with a Rollout that names some."""
    # As the manager that edits it, or server-side apply could take nothing out.
    created_namespace(guarded.cluster, "standing").apply("rollouts", STANDING, APPLY).done()
    bob = Person(guarded, "bob", "standing")
    bob.grant(ROLLOUTS)
    assert wait_until(lambda: bob.http.may("patch", "rollouts", group="headgate.dev"), deadline_seconds=30)
    return bob


@pytest.mark.parametrize("way", EDITING.values(), ids=EDITING)
@pytest.mark.parametrize(("given", "refused"), edits().values(), ids=edits())
def test_only_new_names_are_asked_about(standing: Person, given: Json, refused: str, way: Way) -> None:
    """Who edits anything but the names is not asked, and of those only the new ones count."""
    answer = way(standing.http, given)

    if refused:
        assert f"{refused}: bob may not patch" in answer.refusal()
    else:
        named = answer.done()["spec"].get("traffic")
        assert (named is None) is ("traffic" not in given["spec"])


def test_names_that_were_taken_out_are_asked_about_again(meet: Meet) -> None:
    """What a Rollout named once counts no more when it names it again."""
    alice, bob = meet("alice", SERVICES, HTTP), meet("bob")
    alice.http.create("rollouts", rollout(*routes(["web", "api"]))).done()
    bob.http.replace("rollouts", rollout(*routes(["web"]))).done()

    assert path_of(1) in bob.http.replace("rollouts", rollout(*routes(["web", "api"]))).refusal()


def test_withdrawn_rights_stop_nothing_but_new_names(meet: Meet) -> None:
    """What was named with the right to it stays named: neither re-applied files nor the way out need it any more."""
    alice = meet("alice", SERVICES, HTTP)
    alice.http.apply("rollouts", rollout(*routes(["web"])), APPLY).done()
    alice.http.merge("rollouts", "web", {"metadata": {"finalizers": ["headgate.dev/in-flight"]}}).done()
    alice.grant(ROLLOUTS, SCALE, STATUS)
    assert wait_until(lambda: not alice.http.may("patch", "services"), deadline_seconds=30)

    alice.http.apply("rollouts", rollout(*routes(["web"])), APPLY).done()
    alice.http.merge("rollouts", "web/scale", {"spec": {"replicas": 5}}).done()
    alice.http.merge("rollouts", "web", {"metadata": {"annotations": {"headgate.dev/abort": "now"}}}).done()
    alice.http.merge("rollouts", "web/status", {"status": {"phase": "Healthy"}}).done()
    alice.http.delete("rollouts", "web").done()
    alice.http.merge("rollouts", "web", {"metadata": {"finalizers": None}}).done()
    assert "not found" in alice.http.get("rollouts", "web").refusal()


def test_hostile_names_do_not_get_around_it(meet: Meet) -> None:
    """Whatever a person writes as a name is refused, by the schema or by the policy, and breaks no words."""
    bob = meet("bob", rule("services", "web", "web-canary"))
    names = ("*", "../web", "web/", "web?x=y", "web\n", "a'b\"c", "w" * 253, "%2e%2e", "wéb")

    for name in names:
        answer = bob.http.create("rollouts", rollout(*routes([name])))
        assert not answer.accepted, name
        assert f"{path_of(0)}" in answer.refusal(), name


def test_owners_of_a_namespace_may_name_what_is_in_it(meet: Meet, guarded: ControlPlane) -> None:
    """The cluster's role edit may name Services; the Gateway API's routes are not in it, and have to be granted."""
    jane = people.Person(guarded, "jane", meet("jane").namespace)
    bound = guarded.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=jane", "-n", jane.namespace)
    assert bound.returncode == 0, bound.stderr
    assert wait_until(lambda: jane.http.may("patch", "services"), deadline_seconds=30)

    jane.http.create("rollouts", rollout()).done()
    assert path_of(0) in jane.http.replace("rollouts", rollout(*routes(["web"]))).refusal()
