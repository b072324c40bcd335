"""Many Rollouts at once: made, shipped and waited for in bulk.

Owns their manifests. Says nothing of what is measured on them.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from bench.client import MERGE, Client, Json, Request
from bench.stage import Stage
from hack.cluster import ClusterError
from tests.control_plane.life import rollouts, shops

ROLLOUTS: Final = "/apis/headgate.dev/v1alpha1"
ROUTES: Final = "/apis/gateway.networking.k8s.io/v1"
PAGE: Final = 500
READY_AFTER: Final = "kwok.headgate.test/ready-after"

Test = Callable[[Json], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One Rollout of the crowd."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{ROLLOUTS}/namespaces/{self.namespace}/rollouts/{self.name}"


def members(name: str, count: int, per_namespace: int, first: int = 0) -> list[Member]:
    """Return *count* names, none of which is the beginning of another, from number *first* on."""
    numbers = range(first, first + count)
    return [Member(f"{name}-{number // per_namespace}", f"{name}-{number:04}") for number in numbers]


def template(member: Member, version: str, ready_after: str = "") -> Json:
    """Return the template of a version; its pods become ready after a while if that is given."""
    annotations = {READY_AFTER: ready_after} if ready_after else {}
    return {
        "metadata": {"labels": {"app": member.name}, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": f"registry.example/web:{version}"}]},
    }


def metric(member: Member, name: str = "error-rate", **more: Any) -> Json:
    """Return a metric of *member* alone, which the script can tell from all others by `rollout="NAME"`."""
    query = f'{name.replace("-", "_")}{{rollout="{member.name}",pod=~"$(canary.pods)"}}'
    return rollouts.metric(member.namespace, **{"name": name, "prometheus": {"query": query}, **more})


def manifest(member: Member, **spec: Any) -> Json:
    """Return the first version of *member*."""
    made = rollouts.manifest(member.namespace, **spec)
    made["metadata"]["name"] = member.name
    made["spec"]["selector"]["matchLabels"] = {"app": member.name}
    made["spec"]["template"] = template(member, "v1")
    return made


def road(member: Member, drain: str) -> Json:
    """Return the spec.traffic of a member with a route."""
    routes = [{"kind": "HTTPRoute", "name": member.name}]
    services = {"stableService": member.name, "canaryService": f"{member.name}-canary"}
    return shops.traffic(**services, drain=drain, gatewayAPI={"routes": routes})


def steps(*percents: int, pause: Json | None = None) -> Json:
    """Return the strategy of these weights; *pause* follows each of them."""
    each = [[{"setWeight": percent}, *([{"pause": pause}] if pause is not None else [])] for percent in percents]
    return {"canary": {"steps": [step for part in each for step in part], "scaleDownDelay": "0s"}}


def _surroundings(member: Member) -> list[Request]:
    """Return the requests that make the Service and the route of *member*."""
    service = copy.deepcopy(shops.service(member.name))
    service["spec"]["selector"] = {"app": member.name}
    route = shops.route({"backendRefs": [{"name": member.name, "port": 80}]}, name=member.name)
    return [
        Request("POST", f"/api/v1/namespaces/{member.namespace}/services", service),
        Request("POST", f"{ROUTES}/namespaces/{member.namespace}/httproutes", route),
    ]


def namespaces(client: Client, wanted: Iterable[Member]) -> None:
    """Make the namespaces that are not there yet."""
    there = {one["metadata"]["name"] for one in client.get("/api/v1/namespaces")["items"]}
    missing = {member.namespace for member in wanted} - there
    client.burst(Request("POST", "/api/v1/namespaces", {"metadata": {"name": name}}) for name in missing)


def create(client: Client, wanted: Mapping[Member, Mapping[str, Any]]) -> None:
    """Make Rollouts of the given specs, after the Services and routes of those that have spec.traffic."""
    namespaces(client, wanted)
    routed = [member for member, spec in wanted.items() if "traffic" in spec]
    client.burst(request for member in routed for request in _surroundings(member))
    client.burst(
        Request("POST", f"{ROLLOUTS}/namespaces/{member.namespace}/rollouts", manifest(member, **spec))
        for member, spec in wanted.items()
    )


def ship(client: Client, wanted: Iterable[Member], version: str, ready_after: str = "") -> None:
    """Give Rollouts the template of another version."""
    client.burst(Request("PATCH", one.path, _shipped(one, version, ready_after), MERGE) for one in wanted)


def _shipped(member: Member, version: str, ready_after: str) -> Json:
    return {"spec": {"template": template(member, version, ready_after)}}


def everything(client: Client, namespace: str = "") -> dict[Member, Json]:
    """Return all Rollouts of the cluster as they are, or those of one namespace."""
    found, token, place = {}, "", f"/namespaces/{namespace}" if namespace else ""
    while True:
        page = client.get(f"{ROLLOUTS}{place}/rollouts?limit={PAGE}&continue={token}")
        for one in page["items"]:
            found[Member(one["metadata"]["namespace"], one["metadata"]["name"])] = one
        token = page["metadata"].get("continue", "")
        if not token:
            return found


def wait(stage: Stage, wanted: Sequence[Member], test: Test, what: str, seconds: float) -> None:
    """Wait until *test* holds for each of *wanted*."""
    last: list[Member] = []
    # Where all are in one namespace, what others have in theirs need not be read.
    namespaces = {member.namespace for member in wanted}
    namespace = namespaces.pop() if len(namespaces) == 1 else ""

    def all_there() -> bool:
        found = everything(stage.client, namespace)
        last[:] = [one for one in wanted if one not in found or not test(found[one])]
        return not last

    try:
        stage.wait(all_there, what, seconds, poll_seconds=0.5 + len(wanted) / 500)
    except ClusterError as error:
        left = [f"{one.name}: {_words(everything(stage.client).get(one, {}))}" for one in last[:3]]
        raise ClusterError(f"{error}; {len(last)} of {len(wanted)} are not there, such as {'; '.join(left)}") from None


def _words(rollout: Json) -> str:
    status = rollout.get("status") or {}
    said = [one.get("message", "") for one in status.get("conditions") or () if one.get("type") == "Ready"]
    return f"{status.get('phase')}, {' '.join(said)[:200]}"


# --- what a Rollout may have come to ----------------------------------------------------------------------------------


def at_rest(rollout: Json) -> bool:
    """Return whether nothing is left to do for the spec as it is."""
    status, metadata = rollout.get("status") or {}, rollout["metadata"]
    fresh = status.get("observedGeneration") == metadata["generation"]
    return fresh and status.get("phase") == "Healthy" and "canary" not in status and not metadata.get("finalizers")


def at_weight(percent: int) -> Test:
    """Return the test whether the step holds that gives the canary *percent*."""

    def there(rollout: Json) -> bool:
        weight = (rollout.get("status") or {}).get("weight") or {}
        return weight.get("desired") == percent and "since" in weight

    return there


def going_back(rollout: Json) -> bool:
    """Return whether the canary is on its way out, or gone."""
    return (rollout.get("status") or {}).get("phase") in ("RollingBack", "RolledBack")


def taken_back(rollout: Json) -> bool:
    """Return whether the canary is gone for good, and nothing is left to do."""
    status, metadata = rollout.get("status") or {}, rollout["metadata"]
    return status.get("phase") == "RolledBack" and "canary" not in status and not metadata.get("finalizers")
