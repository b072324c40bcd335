"""What happened on a node, in order and with times: the changes of Rollouts, pods, routes, and of who serves.

Owns the watches and what is noted of each change. It has threads and processes of its own, and no opinion.
"""

import dataclasses
import datetime
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from tests.e2e.nodes import Json, Node

ENDING_SECONDS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One change, as it was when we heard of it."""

    at: float
    """Seconds since the epoch."""
    kind: str
    namespace: str
    name: str
    facts: Json

    def __str__(self) -> str:
        """Return it as a line."""
        moment = datetime.datetime.fromtimestamp(self.at, datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
        facts = " ".join(f"{key}={value}" for key, value in self.facts.items() if value not in (None, "", []))
        return f"{moment} {self.kind} {self.name}: {facts}"


def _rollout(body: Json) -> Json:
    status = body.get("status", {})
    ready: Json = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), {})
    weight = status.get("weight", {})
    return {
        "phase": status.get("phase"),
        "step": status.get("step", {}).get("index"),
        "weight": weight.get("desired"),
        "achieved": weight.get("achieved"),
        "stable": status.get("stable", {}).get("replicas"),
        "canary": status.get("canary", {}).get("replicas"),
        "ready": status.get("ready"),
        "analysis": [f"{one['name']} {one['verdict']} {one.get('value')}" for one in status.get("analysis", [])],
        "message": ready.get("message"),
    }


def _pod(body: Json) -> Json:
    status = body.get("status", {})
    container = (status.get("containerStatuses") or [{}])[0]
    return {
        "phase": status.get("phase"),
        "ready": container.get("ready"),
        "restarts": container.get("restartCount"),
        "reason": container.get("state", {}).get("waiting", {}).get("reason"),
        "leaving": bool(body["metadata"].get("deletionTimestamp")),
    }


def _slice(body: Json) -> Json:
    ready = [one for one in body.get("endpoints") or [] if one.get("conditions", {}).get("ready")]
    return {"serving": sorted(one["targetRef"]["name"] for one in ready if "targetRef" in one)}


def _route(body: Json) -> Json:
    rules = body.get("spec", {}).get("rules", [])
    found = [[one.get("weight", 1) for one in rule.get("backendRefs") or []] for rule in rules]
    return {"weights": found, "rejected": body["metadata"].get("annotations", {}).get(REJECTED)}


REJECTED = "headgate.dev/rejected"
ROLLOUT, POD, SLICE, ROUTE = "Rollout", "Pod", "EndpointSlice", "HTTPRoute"
WATCHED: Mapping[str, tuple[str, Callable[[Json], Json]]] = {
    ROLLOUT: ("/apis/headgate.dev/v1alpha1/rollouts", _rollout),
    POD: ("/api/v1/pods", _pod),
    SLICE: ("/apis/discovery.k8s.io/v1/endpointslices", _slice),
    ROUTE: ("/apis/gateway.networking.k8s.io/v1/httproutes", _route),
}


class Timeline:
    """Notes every change for as long as the context lasts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._moments: list[Moment] = []
        self._lock = threading.Lock()
        self._watches: list[tuple[subprocess.Popen[str], threading.Thread]] = []

    def __enter__(self) -> Self:
        """Begin to watch."""
        for kind, (path, _) in WATCHED.items():
            command = self._node.command("get", "--raw", f"{path}?watch=true")
            watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            reader = threading.Thread(target=self._read, args=(kind, watch), name=f"timeline {kind}", daemon=True)
            reader.start()
            self._watches.append((watch, reader))
        return self

    def __exit__(self, *_: object) -> None:
        """End the watches."""
        for watch, reader in self._watches:
            watch.terminate()
            watch.wait(ENDING_SECONDS)
            reader.join(ENDING_SECONDS)

    def of(self, namespace: str, kind: str = "") -> list[Moment]:
        """Return what was noted in *namespace*, of *kind* or of all."""
        with self._lock:
            return [one for one in self._moments if one.namespace == namespace and kind in ("", one.kind)]

    def values(self, namespace: str, fact: str) -> list[object]:
        """Return the values that a fact of the Rollout in *namespace* had, in order, each once."""
        found = [one.facts.get(fact) for one in self.of(namespace, ROLLOUT)]
        known = [value for value in found if value is not None]
        return [value for at, value in enumerate(known) if at == 0 or value != known[at - 1]]

    def _read(self, kind: str, watch: subprocess.Popen[str]) -> None:
        describe = WATCHED[kind][1]
        assert watch.stdout is not None
        with watch.stdout:
            for line in watch.stdout:
                event = json.loads(line)
                body = event["object"]
                if "namespace" in body.get("metadata", {}):
                    facts = {"gone": True} if event["type"] == "DELETED" else describe(body)
                    self._note(
                        Moment(time.time(), kind, body["metadata"]["namespace"], body["metadata"]["name"], facts)
                    )

    def _note(self, moment: Moment) -> None:
        with self._lock:
            last = next(
                (
                    one
                    for one in reversed(self._moments)
                    if (one.kind, one.namespace, one.name) == (moment.kind, moment.namespace, moment.name)
                ),
                None,
            )
            if last is None or last.facts != moment.facts:
                self._moments.append(moment)
