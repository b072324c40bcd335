"""The virtual cluster keeps what a real API server guarantees; the control plane tests hold a real one to the same."""

import pytest

from headgate.api import names
from headgate.core import faults
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.cluster import ownership, store, templates
from headgate.simulation.cluster import server as cluster_server
from headgate.simulation.process import clock as virtual_clock
from tests.simulation import worlds


def server() -> cluster_server.ApiServer:
    """Return an API server without objects."""
    return cluster_server.ApiServer(store.Store(virtual_clock.Clock()))


def configured(api: cluster_server.ApiServer) -> Json:
    """Return a new Rollout."""
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 1}}
    return api.create(Kind.ROLLOUT, "shop", body, "kubectl")


def test_equal_templates_are_stored_alike() -> None:
    """Quantities, defaults, nulls and the order of keys make no difference."""
    one = specs.template("web:1", resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}})
    other = specs.template("web:1", imagePullPolicy="IfNotPresent", resources={"limits": {"memory": "1Gi", "cpu": "1"}})
    other["metadata"]["annotations"] = None

    assert templates.stored(one, strict=True) == templates.stored(other, strict=True)


def test_unknown_field_is_refused_by_a_strict_dry_run_only() -> None:
    """A create drops what a dry run with strict validation refuses."""
    odd = specs.template("web:1", imagee="web:2")

    with pytest.raises(faults.Refused, match="imagee"):
        templates.stored(odd, strict=True)
    assert templates.stored(odd, strict=False) == templates.stored(specs.template("web:1"), strict=True)


def test_generation_counts_specs_and_resource_version_counts_writes() -> None:
    """A change of metadata leaves the generation; a write that changes nothing leaves both."""
    api = server()
    first = configured(api)["metadata"]
    guard = {"op": "test", "path": "/metadata/resourceVersion", "value": first["resourceVersion"]}
    mark = {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}
    marked = api.patch(Kind.ROLLOUT, "shop", "web", [guard, mark], "me")
    again = api.patch(Kind.ROLLOUT, "shop", "web", [mark], "me")
    scale = {"op": "replace", "path": "/spec/replicas", "value": 2}
    scaled = api.patch(Kind.ROLLOUT, "shop", "web", [scale], "me")

    assert marked is not None
    assert scaled is not None
    assert marked == again
    assert (1, 1, 2) == (first["generation"], marked["metadata"]["generation"], scaled["metadata"]["generation"])
    assert int(first["resourceVersion"]) < int(marked["metadata"]["resourceVersion"])
    with pytest.raises(faults.Conflict, match="resourceVersion"):
        api.patch(Kind.ROLLOUT, "shop", "web", [guard], "me")


def test_status_is_applied_whole_and_only_at_its_version() -> None:
    """What is no longer said goes; what somebody else said stays."""
    owners: ownership.Owners = {("other", "Update", "status"): {("f:status", "f:theirs")}}
    us = ("us", "Apply", "status")
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "True"}]
    old, owners = ownership.applied({"theirs": 1}, {"a": 1, "conditions": conditions}, owners, us, "status")
    new, _ = ownership.applied(old, {"b": {"c": 2}, "conditions": conditions[:1]}, owners, us, "status")

    assert {"theirs": 1, "b": {"c": 2}, "conditions": conditions[:1]} == new


def test_who_changes_a_field_owns_it() -> None:
    """ManagedFields name the one who changed a field last, and no longer the one before."""
    play = worlds.play(0)
    play.world.meddle(play.stable, lambda thing: thing["spec"].update(replicas=7))
    thing = play.world.deployment(play.stable)
    assert thing is not None
    owners = {
        entry["manager"]
        for entry in thing["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }
    assert {"another-client"} == owners


@pytest.mark.parametrize("orphan", [False, True])
def test_deletion_takes_dependents_unless_orphaned(*, orphan: bool) -> None:
    """A finalizer holds the object; then its dependents follow, or lose their owner."""
    play = worlds.play(0)
    deployment = play.world.deployment(play.stable)
    assert deployment is not None
    play.world.operator.die()
    play.world.restarts = False
    play.world.delete(orphan=orphan)
    play.world.run(10)
    left = play.world.store.peek(Kind.DEPLOYMENT, {names.ROLLOUT: "web"})

    assert play.world.rollout is None
    assert [orphan] == [bool(left)]
    assert all("ownerReferences" not in thing["metadata"] for thing in left)
    assert (10 if orphan else 0) == len(play.world.store.peek(Kind.POD))


def test_a_name_that_is_taken_is_a_conflict() -> None:
    """A create never overwrites."""
    api = server()
    configured(api)
    with pytest.raises(faults.Conflict, match="already exists"):
        configured(api)
