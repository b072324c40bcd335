"""What a watch shows wakes a Rollout when, and only when, a pass could see a difference."""

import copy
import itertools
from typing import Any

import pytest

from headgate.core.model import Key, Kind
from headgate.core.revisions import identity
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed

ROLLOUT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "uid": "r1",
        "resourceVersion": "5",
        "generation": 1,
        "annotations": {"team": "shop"},
    },
    "status": {"phase": "Healthy"},
}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web-abc",
        "uid": "d1",
        "resourceVersion": "6",
        "generation": 1,
        "labels": {"headgate.dev/rollout": "web"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "Rollout", "name": "web", "uid": "r1", "controller": True}
        ],
    },
    "status": {
        "replicas": 2,
        "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "Updated", "message": "old"}],
    },
}


_GENERATIONS = itertools.count(1)


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return *body* with *value* at *path* (~ is a slash in a name), as a later write would leave it."""
    result = copy.deepcopy(body)
    *parents, last = path.split("/")
    spot: Any = result
    for parent in parents:
        spot = spot[int(parent)] if isinstance(spot, list) else spot.setdefault(parent, {})
    spot[last.replace("~", "/")] = value
    result["metadata"]["resourceVersion"] = "99"
    return result


SERVICE: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "uid": "s1",
        "resourceVersion": "7",
        "labels": {"headgate.dev/managed": "true", "headgate.dev/rollout": "web"},
    },
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
SLICE: dict[str, Any] = {
    "metadata": {**SERVICE["metadata"], "name": "web-x", "uid": "e1"},
    "endpoints": [{"conditions": {"ready": True}, "targetRef": {"uid": "p1"}}, {"conditions": {"ready": False}}],
}
ROUTE: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "uid": "h1",
        "resourceVersion": "8",
        "generation": 1,
        "labels": {"headgate.dev/managed": "true"},
    },
    "status": {"parents": [{"parentRef": {"name": "eg"}, "conditions": [{"type": "Accepted", "status": "True"}]}]},
}
BODIES = {
    Kind.ROLLOUT: ROLLOUT,
    Kind.DEPLOYMENT: DEPLOYMENT,
    Kind.SERVICE: SERVICE,
    Kind.ENDPOINT_SLICE: SLICE,
    Kind.HTTP_ROUTE: ROUTE,
}


def naming(*routes: dict[str, str], name: str = "web", uid: str = "r1") -> dict[str, Any]:
    """Return a Rollout whose spec names these routes."""
    metadata = {**ROLLOUT["metadata"], "name": name, "uid": uid}
    return {"metadata": metadata, "spec": {"traffic": {"gatewayAPI": {"routes": list(routes)}}}}


def knowing() -> EventMapper:
    """Return Triggers that have seen the Rollout web, which names the route web."""
    triggers = EventMapper()
    triggers.woken_by(observed(Kind.ROLLOUT, naming({"kind": "HTTPRoute", "name": "web"}, uid="r0")))
    return triggers


@pytest.mark.parametrize(
    ("kind", "path", "value", "wakes"),
    [
        (Kind.ROLLOUT, "metadata/generation", 2, True),
        (Kind.ROLLOUT, "metadata/annotations/headgate.dev~abort", "now", True),
        (Kind.ROLLOUT, "metadata/finalizers", ["headgate.dev/in-flight"], True),
        (Kind.ROLLOUT, "metadata/deletionTimestamp", "2026-01-01T00:00:00Z", True),
        (Kind.ROLLOUT, "status/phase", "Paused", False),
        (Kind.ROLLOUT, "metadata/managedFields", [{}], False),
        (Kind.DEPLOYMENT, "metadata/generation", 2, True),
        (Kind.DEPLOYMENT, "status/availableReplicas", 2, True),
        (Kind.DEPLOYMENT, "status/observedGeneration", 2, True),
        (Kind.DEPLOYMENT, "metadata/ownerReferences/0/uid", "r2", True),
        (Kind.DEPLOYMENT, "metadata/annotations/headgate.dev~x", "y", True),
        (Kind.DEPLOYMENT, "status/conditions/0/reason", "Other", True),
        (Kind.DEPLOYMENT, "status/conditions/0/message", "new", False),
        (Kind.DEPLOYMENT, "metadata/managedFields", [{}], False),
        (Kind.SERVICE, "spec/selector/headgate.dev~pod-hash", "abc", True),
        (Kind.SERVICE, "spec/ports", [], True),
        (Kind.SERVICE, "spec/clusterIP", "10.0.0.1", False),
        (Kind.SERVICE, "metadata/labels/team", "shop", False),
        (Kind.ENDPOINT_SLICE, "endpoints/1/conditions/ready", True, True),
        (Kind.ENDPOINT_SLICE, "endpoints/0/conditions/terminating", True, True),
        (Kind.ENDPOINT_SLICE, "endpoints/0/nodeName", "n1", False),
        (Kind.HTTP_ROUTE, "metadata/generation", 2, True),
        (Kind.HTTP_ROUTE, "metadata/annotations/headgate.dev~rejected", "abc/1", True),
        (Kind.HTTP_ROUTE, "metadata/annotations/team", "shop", False),
        (Kind.HTTP_ROUTE, "status/parents/0/conditions/0/status", "False", True),
        (Kind.HTTP_ROUTE, "status/parents/0/conditions/0/observedGeneration", 2, True),
        (Kind.HTTP_ROUTE, "status/parents/0/conditions/0/lastTransitionTime", "2026-01-01T00:00:00Z", False),
    ],
)
def test_change_wakes(kind: Kind, path: str, value: Any, *, wakes: bool) -> None:
    """A change that a pass could see wakes; one of our own status, or of bookkeeping, does not."""
    body, triggers = BODIES[kind], knowing()
    triggers.woken_by(observed(kind, body))

    assert wakes == bool(triggers.woken_by(observed(kind, changed(body, path, value))))
    assert triggers.resource_version(kind, body["metadata"]["uid"]) == "99"


@pytest.mark.parametrize(
    ("kind", "path", "value", "wish"),
    [
        (Kind.ROLLOUT, "metadata/generation", 2, True),
        (Kind.ROLLOUT, "metadata/annotations/headgate.dev~abort", "now", True),
        (Kind.ROLLOUT, "metadata/deletionTimestamp", "2026-01-01T00:00:00Z", True),
        (Kind.ROLLOUT, "metadata/annotations/team", "other", False),
        (Kind.ROLLOUT, "metadata/finalizers", ["headgate.dev/in-flight"], False),
        (Kind.ROLLOUT, "status/phase", "Paused", False),
        (Kind.DEPLOYMENT, "metadata/generation", 2, False),
        (Kind.SERVICE, "spec/ports", [], False),
        (Kind.HTTP_ROUTE, "metadata/annotations/headgate.dev~rejected", "abc/1", False),
    ],
)
def test_what_users_want_is_urgent(kind: Kind, path: str, value: Any, *, wish: bool) -> None:
    """A command, a new template and a deletion are told from all that objects do by themselves."""
    body, triggers = BODIES[kind], knowing()
    triggers.woken_by(observed(kind, body))

    assert wish == triggers.is_wish(observed(kind, changed(body, path, value)))


def test_new_and_deleted_rollouts_are_urgent() -> None:
    """A Rollout that appears or goes is what a user did; one that is seen again as it was is not."""
    triggers = EventMapper()
    assert triggers.is_wish(observed(Kind.ROLLOUT, ROLLOUT))
    triggers.woken_by(observed(Kind.ROLLOUT, ROLLOUT))

    assert not triggers.is_wish(observed(Kind.ROLLOUT, ROLLOUT))
    assert triggers.is_wish(observed(Kind.ROLLOUT, ROLLOUT, gone=True))


@pytest.mark.parametrize(("kind", "body"), BODIES.items())
def test_first_and_last_sight_wake(kind: Kind, body: dict[str, Any]) -> None:
    """An object that appears or goes wakes its Rollout; the same sight again does not."""
    triggers = knowing()

    assert triggers.woken_by(observed(kind, body)) == (Key("shop", "web"),)
    assert not triggers.woken_by(observed(kind, body))
    assert triggers.woken_by(observed(kind, body, gone=True)) == (Key("shop", "web"),)
    assert triggers.resource_version(kind, body["metadata"]["uid"]) == ""


def test_refusal_of_pods_is_read_whole() -> None:
    """Why pods cannot be created is shown to users, so its words count."""
    body = changed(DEPLOYMENT, "status/conditions/0/type", "ReplicaFailure")
    triggers = EventMapper()
    triggers.woken_by(observed(Kind.DEPLOYMENT, body))

    assert triggers.woken_by(observed(Kind.DEPLOYMENT, changed(body, "status/conditions/0/message", "quota")))


def test_orphan_belongs_to_whom_its_label_names() -> None:
    """A Deployment without a controller wakes the Rollout that its label names: that may adopt it."""
    orphan = changed(DEPLOYMENT, "metadata/ownerReferences", [])

    assert observed(Kind.DEPLOYMENT, orphan).key == Key("shop", "web")


@pytest.mark.parametrize(
    "owner",
    [
        {"apiVersion": "headgate.dev/v1alpha1", "kind": "Other", "name": "x", "controller": True},
        {"apiVersion": "example.com/v1", "kind": "Rollout", "name": "x", "controller": True},
        {"apiVersion": "headgate.dev.evil/v1", "kind": "Rollout", "name": "x", "controller": True},
    ],
)
def test_foreign_deployment_wakes_nobody(owner: dict[str, Any]) -> None:
    """A Deployment that somebody else controls is nobody's, whatever its labels say."""
    sighting = observed(Kind.DEPLOYMENT, changed(DEPLOYMENT, "metadata/ownerReferences", [owner]))

    assert sighting.key is None
    assert not EventMapper().woken_by(sighting)


def test_malformed_object_is_a_sighting() -> None:
    """An object that an old CRD let through cannot stop the watch, and without a name it is worth no pass."""
    for body in ({}, {"metadata": None}, {"metadata": {"name": 7, "annotations": [1]}, "status": None}):
        assert observed(Kind.ROLLOUT, body).key is None
    assert observed(Kind.DEPLOYMENT, {"metadata": {}, "status": {"conditions": None}}).key is None


def test_lost_objects_are_found() -> None:
    """What is not listed any more, and nobody saw go, is forgotten and named."""
    triggers = EventMapper()
    triggers.woken_by(observed(Kind.ROLLOUT, ROLLOUT))
    triggers.woken_by(observed(Kind.DEPLOYMENT, DEPLOYMENT))

    assert triggers.keep(Kind.DEPLOYMENT, ["d1"]) == []
    assert triggers.keep(Kind.DEPLOYMENT, []) == [Key("shop", "web")]
    assert triggers.keep(Kind.ROLLOUT, []) == [Key("shop", "web")]
    assert triggers.keep(Kind.ROLLOUT, []) == []


def test_route_wakes_all_that_name_it() -> None:
    """A route wakes every Rollout whose spec names it, or did until a pass sees its edit, and no other."""
    triggers, api = knowing(), naming({"kind": "HTTPRoute", "name": "web"}, name="api", uid="r2")
    triggers.woken_by(observed(Kind.ROLLOUT, api))
    triggers.woken_by(observed(Kind.ROLLOUT, changed(naming(name="api", uid="r2"), "metadata/generation", 2)))
    assert set(triggers.woken_by(observed(Kind.HTTP_ROUTE, ROUTE))) == {Key("shop", "web"), Key("shop", "api")}
    assert triggers.named() == {Kind.HTTP_ROUTE}
    assert triggers.woken_by(observed(Kind.GRPC_ROUTE, ROUTE)) == ()
    triggers.woken_by(observed(Kind.ROLLOUT, api, gone=True))

    again = changed(ROUTE, "metadata/generation", 5)
    assert triggers.woken_by(observed(Kind.HTTP_ROUTE, again)) == (Key("shop", "web"),)
    triggers.keep(Kind.ROLLOUT, [])
    assert triggers.named() == set()


def edited(triggers: EventMapper, number: int) -> set[str]:
    """Have the Rollout web name 16 routes of that number in place of others, and return their names."""
    names = {f"{number}-{index}" for index in range(16)}
    routes = [{"kind": "HTTPRoute", "name": name} for name in names]
    triggers.woken_by(observed(Kind.ROLLOUT, changed(naming(*routes), "metadata/generation", number)))
    return names


def waking(triggers: EventMapper, names: set[str]) -> set[str]:
    """Return which of the routes of these *names* wake the Rollout when they change."""
    found = set()
    for name in names:
        metadata = {**ROUTE["metadata"], "name": name, "uid": f"uid-of-{name}", "generation": next(_GENERATIONS)}
        if Key("shop", "web") in triggers.woken_by(observed(Kind.HTTP_ROUTE, {**ROUTE, "metadata": metadata})):
            found.add(name)
    return found


def test_edited_names_are_forgotten() -> None:
    """However often the names are edited, those are kept that the spec, its last edit and the last pass know."""
    triggers = EventMapper()
    begun = edited(triggers, 1)
    triggers.follow(Key("shop", "web"), [(Kind.HTTP_ROUTE, "shop", name) for name in begun])
    edits = [edited(triggers, number) for number in range(2, 1000)]

    assert len(triggers._naming) == 48
    assert waking(triggers, begun | edits[-1] | edits[-2] | edits[-3]) == begun | edits[-1] | edits[-2]


def test_a_pass_tells_what_a_rollout_in_flight_goes_on_with() -> None:
    """The routes that a rollout began with wake it for as long as passes look at them, and then no more."""
    triggers, key = EventMapper(), Key("shop", "web")
    begun = edited(triggers, 1)
    wanted = edited(triggers, 2)
    triggers.follow(key, [(Kind.HTTP_ROUTE, "shop", name) for name in begun])
    assert waking(triggers, begun | wanted) == begun | wanted

    triggers.follow(key, [(Kind.HTTP_ROUTE, "shop", name) for name in wanted])
    assert waking(triggers, begun | wanted) == wanted
    triggers.follow(key, ())
    assert triggers.named() == {Kind.HTTP_ROUTE}
    triggers.woken_by(observed(Kind.ROLLOUT, naming(), gone=True))
    assert triggers.named() == set()
    assert triggers._routes == {}


def test_a_pass_over_a_rollout_that_is_gone_leaves_nothing() -> None:
    """What a pass looked at is forgotten with the last pass, whichever of the two is seen first."""
    triggers, key = EventMapper(), Key("shop", "web")
    names = edited(triggers, 1)
    triggers.woken_by(observed(Kind.ROLLOUT, naming(), gone=True))
    triggers.follow(key, [(Kind.HTTP_ROUTE, "shop", name) for name in names])
    triggers.follow(key, ())

    assert triggers.named() == set()


def test_long_names_are_found_by_their_label() -> None:
    """The label of a Rollout with a name too long for labels leads to it."""
    name, triggers = "w" * 200, EventMapper()
    triggers.woken_by(observed(Kind.ROLLOUT, naming(name=name)))
    body = changed(SERVICE, "metadata/labels/headgate.dev~rollout", identity.label_value(name))
    assert triggers.woken_by(observed(Kind.SERVICE, body)) == (Key("shop", name),)


def test_change_of_hands_wakes_both() -> None:
    """A Service that gets another Rollout's label wakes the one that had it, too."""
    triggers = knowing()
    triggers.woken_by(observed(Kind.SERVICE, SERVICE))
    taken = changed(SERVICE, "metadata/labels/headgate.dev~rollout", "api")
    assert set(triggers.woken_by(observed(Kind.SERVICE, taken))) == {Key("shop", "api"), Key("shop", "web")}


def test_service_without_its_label_wakes() -> None:
    """One that lost the label by which it is watched is shown as gone, and wakes whom it belonged to."""
    triggers = knowing()
    triggers.woken_by(observed(Kind.SERVICE, SERVICE))
    bare = changed(SERVICE, "metadata/labels", {})
    assert triggers.woken_by(observed(Kind.SERVICE, bare, gone=True)) == (Key("shop", "web"),)


def endpoint(pod: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint for a pod of Deployment web-abc."""
    return {"conditions": conditions, "targetRef": {"uid": pod, "name": f"web-abc-7c9d-{pod}"}}


ENDS = {"ready": False, "serving": True, "terminating": True}
ENDED = {"ready": False, "serving": False, "terminating": True}


@pytest.mark.parametrize(
    ("before", "after", "wakes"),
    [
        ([endpoint("a", **ENDS), endpoint("b", **ENDS)], [endpoint("b", **ENDS)], False),
        ([endpoint("b", **ENDS)], [], True),
        ([endpoint("b", **ENDS)], [endpoint("b", **ENDED)], True),
        ([endpoint("b", **ENDED)], [], False),
        ([], [endpoint("b", ready=False, terminating=True)], True),
        ([], [endpoint("b", ready=False)], False),
    ],
)
def test_the_last_pod_that_ends_wakes(before: list[Any], after: list[Any], *, wakes: bool) -> None:
    """A slice is worth a pass when the last pod of a version serves no more, and not for each one before it."""
    triggers = knowing()
    triggers.woken_by(observed(Kind.ENDPOINT_SLICE, {**SLICE, "endpoints": before}))
    later = {"metadata": {**SLICE["metadata"], "resourceVersion": "9"}, "endpoints": after}

    assert wakes == bool(triggers.woken_by(observed(Kind.ENDPOINT_SLICE, later)))
