"""Consent on a real API server: a Rollout names only Services and routes that the one who writes it may patch."""

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from headgate.api import consent
from headgate.api.traffic import ROUTES_MAX
from headgate.cli import policies
from tests.cluster import wait_until
from tests.control_plane import people
from tests.control_plane.conftest import ControlPlane, running
from tests.control_plane.people import GATEWAY_GROUP, ROLLOUTS, SCALE, STATUS, Person, routes, rule

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
def guarded() -> Iterator[ControlPlane]:
    """A control plane without an operator, in which the policy is at work."""
    with running("consent") as started:
        outsider = Person(started, "outsider", "default")
        outsider.grant(ROLLOUTS)

        def refused() -> bool:
            ended = outsider.tries("create", "--dry-run=server", "-f", "-", given=rollout())
            return "denied request" in ended.stderr

        assert wait_until(refused, deadline_seconds=60), "the policy is not at work"
        yield started


Meet = Callable[..., Person]


@pytest.fixture
def meet(guarded: ControlPlane) -> Meet:
    """Makes people in a namespace of their own, each with these rights beside all of those over Rollouts."""
    namespace = f"consent-{uuid.uuid4().hex[:8]}"
    created = guarded.kubectl("create", "namespace", namespace)
    assert created.returncode == 0, created.stderr

    def person(name: str, *rights: Json) -> Person:
        made = Person(guarded, name, namespace)
        made.grant(ROLLOUTS, SCALE, *rights)
        # Rights are known a moment after they were written.
        asked = ("auth", "can-i", "create", "rollouts.headgate.dev")
        assert wait_until(lambda: made.tries(*asked).returncode == 0, deadline_seconds=30)
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

    words = bob.is_refused("create", "-f", "-", given=most)
    alice.does("create", "-f", "-", given=most)

    assert f"{STABLE}: bob may not patch services/web in namespace {bob.namespace}" in words
    assert "cost" not in words


@pytest.mark.parametrize("index", [0, 7, ROUTES_MAX - 1])
@pytest.mark.parametrize(("kind", "right"), [("HTTPRoute", HTTP), ("GRPCRoute", GRPC)])
def test_each_route_is_asked_about(meet: Meet, kind: str, right: Json, index: int) -> None:
    """One route that its author may not patch is enough, wherever it stands; the words name it and the way out."""
    others = [name for at, name in enumerate(MOST) if at != index]
    bob = meet("bob", SERVICES, {**right, "resourceNames": others})
    resource = f"{kind.lower()}s.{GATEWAY_GROUP}"

    words = bob.is_refused("create", "-f", "-", given=rollout(*routes(MOST, kind)))

    assert f"{path_of(index)}: bob may not patch {resource}/{MOST[index]} in namespace {bob.namespace}" in words
    remedy = f"kubectl create role NAME --namespace={bob.namespace} --verb=patch --resource={resource}"
    assert f"{remedy} --resource-name={MOST[index]}" in words


def test_the_remedy_works(meet: Meet) -> None:
    """Who is granted what the refusal says may write the Rollout."""
    bob = meet("bob", rule("services", "web-canary"))
    words = bob.is_refused("create", "-f", "-", given=rollout())
    command = words.rpartition("kubectl ")[2].split()
    command[command.index("NAME")] = "granted"
    bob.control_plane.kubectl(*command)
    bob.control_plane.kubectl(
        "create", "rolebinding", "granted", "--role=granted", "--user=bob", f"--namespace={bob.namespace}"
    )

    assert wait_until(lambda: bob.tries("create", "-f", "-", given=rollout()).returncode == 0, deadline_seconds=30)


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
        assert f"{refused}: bob may not patch services/" in bob.is_refused("create", "-f", "-", given=rollout())
    else:
        bob.does("create", "-f", "-", given=rollout())


def test_rights_elsewhere_do_not_count(meet: Meet, guarded: ControlPlane) -> None:
    """A right to Services of another namespace is none to these."""
    bob = meet("bob")
    Person(guarded, "bob", "default").grant(ROLLOUTS, SERVICES, HTTP, GRPC)

    assert STABLE in bob.is_refused("create", "-f", "-", given=rollout())


def test_a_rollout_that_names_nothing_is_not_asked_about(meet: Meet) -> None:
    """Without spec.traffic, who may write Rollouts writes one."""
    bob = meet("bob")

    bob.does("create", "-f", "-", given=without_traffic(rollout(*routes(["web"]))))


@pytest.mark.parametrize(
    "options",
    [
        ("create",),
        ("create", "--dry-run=server"),
        ("apply",),
        ("apply", "--server-side"),
        ("apply", "--server-side", "--dry-run=server"),
    ],
    ids=" ".join,
)
def test_every_way_of_writing_is_asked(meet: Meet, options: tuple[str, ...]) -> None:
    """However a person creates a Rollout, or names something else in one, the same is asked."""
    alice, bob = meet("alice", SERVICES, HTTP), meet("bob")
    given = rollout(*routes(["web"]))

    assert STABLE in bob.is_refused(*options, "-f", "-", given=given)
    alice.does(*options, "-f", "-", given=given)
    if "--dry-run=server" not in options:
        more = rollout(*routes(["web", "payroll"]))
        again = (*(options if options[0] == "apply" else ("replace",)), "-f", "-")
        force = ("--force-conflicts",) if "--server-side" in options else ()
        assert path_of(1) in bob.is_refused(*again, *force, given=more)


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


@pytest.fixture(scope="module")
def standing(guarded: ControlPlane) -> Person:
    """A person without any right to Services and routes, in a namespace with a Rollout that names some."""
    guarded.kubectl("create", "namespace", "standing")
    written = guarded.kubectl(
        "apply", "--namespace=standing", "-f", "-", stdin=json.dumps(rollout(*routes(["web", "api"])))
    )
    assert written.returncode == 0, written.stderr
    bob = Person(guarded, "bob", "standing")
    bob.grant(ROLLOUTS)
    assert wait_until(lambda: bob.tries("get", "rollout", "web").returncode == 0, deadline_seconds=30)
    return bob


@pytest.mark.parametrize("how", [("apply",), ("apply", "--server-side", "--force-conflicts"), ("replace",)], ids=str)
@pytest.mark.parametrize("edit", edits())
def test_only_new_names_are_asked_about(standing: Person, edit: str, how: tuple[str, ...]) -> None:
    """Who edits anything but the names is not asked, and of those only the new ones count."""
    given, refused = edits()[edit]
    command = (*how, "--dry-run=server", "-f", "-")

    if refused:
        assert f"{refused}: bob may not patch" in standing.is_refused(*command, given=given)
    else:
        standing.does(*command, given=given)


def test_names_that_were_taken_out_are_asked_about_again(meet: Meet) -> None:
    """What a Rollout named once counts no more when it names it again."""
    alice, bob = meet("alice", SERVICES, HTTP), meet("bob")
    alice.does("apply", "-f", "-", given=rollout(*routes(["web", "api"])))
    bob.does("apply", "-f", "-", given=rollout(*routes(["web"])))

    assert path_of(1) in bob.is_refused("apply", "-f", "-", given=rollout(*routes(["web", "api"])))


def test_withdrawn_rights_stop_nothing_but_new_names(meet: Meet) -> None:
    """What was named with the right to it stays named: neither re-applied files nor the way out need it any more."""
    alice = meet("alice", SERVICES, HTTP)
    alice.does("apply", "-f", "-", given=rollout(*routes(["web"])))
    patch = '{"metadata": {"finalizers": ["headgate.dev/in-flight"]}}'
    alice.does("patch", "rollout", "web", "--type=merge", "--patch", patch)
    alice.grant(ROLLOUTS, SCALE, STATUS)
    assert wait_until(lambda: alice.tries("auth", "can-i", "patch", "services").returncode != 0, deadline_seconds=30)

    alice.does("apply", "-f", "-", given=rollout(*routes(["web"])))
    alice.does("scale", "rollout", "web", "--replicas=5")
    alice.does("annotate", "rollout", "web", "headgate.dev/abort=now")
    status = '{"status": {"phase": "Healthy"}}'
    alice.does("patch", "rollout", "web", "--subresource=status", "--type=merge", "--patch", status)
    alice.does("delete", "rollout", "web", "--wait=false")
    alice.does("patch", "rollout", "web", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    assert "NotFound" in alice.is_refused("get", "rollout", "web")


def test_hostile_names_do_not_get_around_it(meet: Meet) -> None:
    """Whatever a person writes as a name is refused, by the schema or by the policy, and breaks no words."""
    bob = meet("bob", rule("services", "web", "web-canary"))
    names = ("*", "../web", "web/", "web?x=y", "web\n", "a'b\"c", "w" * 253, "%2e%2e", "wéb")

    for name in names:
        ended = bob.tries("create", "-f", "-", given=rollout(*routes([name])))
        assert ended.returncode != 0, name
        assert "Error from server" in ended.stderr or "is invalid" in ended.stderr


def test_owners_of_a_namespace_may_name_what_is_in_it(meet: Meet, guarded: ControlPlane) -> None:
    """The cluster's role edit may name Services; the Gateway API's routes are not in it, and have to be granted."""
    jane = people.Person(guarded, "jane", meet("jane").namespace)
    bound = guarded.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=jane", "-n", jane.namespace)
    assert bound.returncode == 0, bound.stderr
    assert wait_until(lambda: jane.tries("auth", "can-i", "patch", "services").returncode == 0, deadline_seconds=30)

    jane.does("create", "-f", "-", given=rollout())
    assert path_of(0) in jane.is_refused("replace", "-f", "-", given=rollout(*routes(["web"])))
