"""Fake nodes, and how the pods on them live and die.

Owns kwok and its configuration: its own stages (from its module), changed so
that a pod's annotations steer it. README.md has the annotations.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import files, identities, kubectl, probes
from hack.cluster.components import LOOPBACK, Component, Layer, ModuleGroup, Site
from hack.cluster.identities import User

READY = "kwok.headgate.test/ready"
READY_AFTER = "kwok.headgate.test/ready-after"
NEVER = "never"

FAKE_NODE = ("kwok.x-k8s.io/node", "fake")
NODE_COUNT = 2
STAGE_FOLDERS = ("kustomize/stage/node/fast", "kustomize/stage/node/heartbeat", "kustomize/stage/pod/fast")
OWN_STAGES = Path(__file__).parent / "stages"
KWOK = ModuleGroup(
    name="kwok",
    module="kwok",
    packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    versioned_by="sigs.k8s.io/kwok",
    folders=STAGE_FOLDERS,
)
USER = User("kwok", "kwok", identities.ADMINISTRATORS)

Stage = dict[str, Any]


def nodes() -> dict[str, Any]:
    """Return the fake nodes; kwok itself gives each 1,000 cores, 1 TiB and a million pods."""
    return {"apiVersion": "v1", "kind": "List", "items": [_node(index) for index in range(NODE_COUNT)]}


def _node(index: int) -> dict[str, Any]:
    name = f"kwok-{index}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"}
    metadata = {"name": name, "labels": labels, "annotations": dict([FAKE_NODE])}
    # A range each, or both would draw pod addresses from the same one and give them twice.
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"podCIDR": f"10.{128 + index}.0.0/16"}}


def configuration(kwok_module: Path) -> str:
    """Return kwok's whole configuration: the stages under *kwok_module*, steerable, and our own."""
    return yaml.safe_dump_all(_stages(kwok_module), sort_keys=False)


def _stages(kwok_module: Path) -> Iterator[Stage]:
    for folder in STAGE_FOLDERS:
        for path in sorted((kwok_module / folder).glob("*.yaml")):
            stage: Stage = yaml.safe_load(path.read_text())
            if stage["kind"] != "Stage":
                continue
            if stage["metadata"]["name"] == "pod-ready":
                yield from _steerable(stage)
            else:
                yield stage
    for path in sorted(OWN_STAGES.glob("*.yaml")):
        yield yaml.safe_load(path.read_text())


def _steerable(pod_ready: Stage) -> tuple[Stage, Stage]:
    """Split kwok's pod-ready in two, at once and after a delay, neither for a pod that is kept from being ready.

    Their selectors exclude each other, because kwok draws lots among all stages that match.
    """
    never = {"key": _annotation(READY), "operator": "NotIn", "values": [NEVER]}
    delay = _annotation(READY_AFTER)
    at_once = _with(pod_ready, "pod-ready", never, {"key": delay, "operator": "DoesNotExist"})
    later = _with(pod_ready, "pod-ready-after", never, {"key": delay, "operator": "Exists"})
    later["spec"]["delay"] = {"durationFrom": {"expressionFrom": delay}}
    return at_once, later


def _with(stage: Stage, name: str, *expressions: Mapping[str, Any]) -> Stage:
    changed = copy.deepcopy(stage)
    changed["metadata"]["name"] = name
    changed["spec"]["selector"]["matchExpressions"].extend(dict(expression) for expression in expressions)
    return changed


def _annotation(name: str) -> str:
    return f".metadata.annotations[{json.dumps(name)}]"


def write_files(site: Site) -> None:
    """Write kwok's configuration and the nodes that it plays."""
    identities.write_kubeconfig(site, USER)
    files.write(site.layout.configuration / "nodes.json", json.dumps(nodes()))
    files.write(site.layout.configuration / "kwok.yaml", configuration(site.installation.folder("kwok", ".")))


def components(site: Site) -> tuple[Component, ...]:
    """Return kwok itself."""
    flags = {
        "config": site.layout.configuration / "kwok.yaml",
        "kubeconfig": identities.kubeconfig(site, "kwok"),
        "manage-nodes-with-annotation-selector": "=".join(FAKE_NODE),
        # It renews no leases: after a restart it would first wait 40 s for its own old ones.
        "node-lease-duration-seconds": 0,
        # It serves nothing, so it listens nowhere.
        "node-port": 0,
        "node-ip": LOOPBACK,
    }
    url = f"{site.https('kube-apiserver')}/api/v1/nodes"
    ready = probes.holds(url, identities.authority(site), identities.admin(site), _unready)
    argv, file = site.argv("kwok", "kwok", flags), site.layout.configuration / "nodes.json"
    return (Component("kwok", argv, ready, after=("kube-apiserver",), prepare=lambda: kubectl.apply(site, file)),)


def _unready(found: Mapping[str, Any]) -> str | None:
    ready = {node["metadata"]["name"] for node in found["items"] if probes.has_condition(node, "Ready")}
    missing = {node["metadata"]["name"] for node in nodes()["items"]} - ready
    return f"not Ready: {', '.join(sorted(missing))}" if missing else None


LAYER = Layer(name="fake-nodes", groups=(KWOK,), write_files=write_files, components=components)
