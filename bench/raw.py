"""What the API alone costs: the calls of the audit log made again, one after the other, by a client that does no more.

Reads are made as they were. Writes are made as the same verb on the same resource with a body of the same kind: the log
holds no bodies. Must not run while the operator does: it would answer.
"""

import collections
import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from bench import crowd
from bench.audit import OPERATOR, READS, Call, counted, detail
from bench.client import APPLY, JSON, MERGE, Client, Json, Request
from bench.figures import Beside, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running

MILLISECONDS: Final = 1000.0
PASSES: Final = 20
APART_SECONDS: Final = 0.5
"""Between two passes: each has long ended when the next begins."""
_NUMBERS: Final = map(str, itertools.count())
"""So that no two replays on a cluster make the same object."""
_MARK: Final = "bench.headgate.dev/replay"
_OURS: Final = re.compile(r"headgate\.dev/")
_PERSONAL: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


@dataclasses.dataclass
class Replay:
    """Makes calls again. Each time it makes what it needs to be able to delete or to create."""

    client: Client
    calls: Sequence[Call]
    _samples: dict[str, Json] = dataclasses.field(default_factory=dict)
    _made: dict[str, list[str]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))

    def milliseconds(self, times: int) -> tuple[float, ...]:
        """Make all calls so many *times* and return how long they took together, each time."""
        taken = []
        for _ in range(times):
            requests = list(self._requests())
            taken.append(sum(self.client.timed(requests)) * MILLISECONDS)
        return tuple(taken)

    def _requests(self) -> Iterator[Request]:
        for call in self.calls:
            if call.verb in READS:
                yield Request("GET", call.uri)
            elif call.verb == "create":
                yield self._creation(call)
            elif call.verb == "delete":
                yield self._deletion(call)
            elif call.resource == "rollouts/status":
                yield self._status(call)
            elif call.verb == "patch":
                body = {"metadata": {"annotations": {_MARK: next(_NUMBERS)}}}
                yield Request("PATCH", call.uri.partition("?")[0], body, MERGE)

    def _status(self, call: Call) -> Request:
        """Return the server-side apply of the status as it is, with another word in it."""
        path = call.uri.partition("?")[0]
        found = self._sample(path.removesuffix("/status"))
        metadata = {field: found["metadata"][field] for field in ("name", "namespace", "uid")}
        conditions = [dict(one) for one in found["status"]["conditions"]]
        conditions[0]["message"] = f"replay {next(_NUMBERS)}"
        head = {field: found[field] for field in ("apiVersion", "kind")}
        body = {**head, "metadata": metadata, "status": {**found["status"], "conditions": conditions}}
        return Request("PATCH", f"{path}?fieldManager=headgate-status&force=true", body, APPLY)

    def _creation(self, call: Call) -> Request:
        path, _, query = call.uri.partition("?")
        body = self._copy(path)
        if "dryRun" not in query:
            self._made[path].append(body["metadata"]["name"])
        return Request("POST", call.uri, body, JSON)

    def _deletion(self, call: Call) -> Request:
        folder = call.uri.partition("?")[0].rpartition("/")[0]
        if not self._made[folder]:
            body = self._copy(folder)
            self.client.ask(Request("POST", folder, body))
            self._made[folder].append(body["metadata"]["name"])
        return Request("DELETE", f"{folder}/{self._made[folder].pop()}", {"propagationPolicy": "Background"})

    def _copy(self, folder: str) -> Json:
        """Return an object like one that is there, with another name, of which no controller makes anything."""
        found = self._sample(f"{folder}?limit=1")["items"][0]
        head = {field: found[field] for field in found if field not in ("metadata", "status", "spec")}
        labels = {key: text for key, text in found["metadata"].get("labels", {}).items() if not _OURS.match(key)}
        body = {**head, "metadata": {"name": f"replay-{next(_NUMBERS)}", "labels": labels}}
        if "spec" in found:
            body["spec"] = {key: part for key, part in found["spec"].items() if key not in _PERSONAL}
        if "replicas" in body.get("spec", {}):
            body["spec"]["replicas"] = 0
        return body

    def _sample(self, path: str) -> Json:
        if path not in self._samples:
            self._samples[path] = self.client.get(path)
        return self._samples[path]


def beside(client: Client, calls: Sequence[Call], times: int, words: str = "") -> Beside:
    """Return what *calls* cost by themselves."""
    counts = counted(calls)
    said = words or f"the same {sum(counts.values())} calls, plain client"
    return Beside(said, Replay(client, calls).milliseconds(times), "ms")


# --- a section of its own ---------------------------------------------------------------------------------------------


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure one pass over a Rollout at rest against its calls, with a route and without."""
    with running("raw", say) as stage:
        plain, routed = crowd.members("plain", 1, 1)[0], crowd.members("routed", 1, 1)[0]
        crowd.create(stage.client, {plain: {}, routed: {"traffic": crowd.road(routed, "1s")}})
        stage.operator.start()
        crowd.wait(stage, [plain, routed], crowd.at_rest, "at rest", 60)
        stage.quiet()
        passes = {member: _passes(stage, member, PASSES) for member in (plain, routed)}
        stage.operator.stop()
        for member, made in passes.items():
            taken = tuple((max(one.ended for one in calls) - calls[0].began) * MILLISECONDS for calls in made)
            same = beside(stage.client, made[-1], scope.replays)
            name = f"one pass over a Rollout at rest, {'with a route' if member is routed else 'without a route'}"
            yield Figure("raw", name, "ms", taken, None, (same,), detail=detail(counted(made[-1])))


def _passes(stage: Stage, member: crowd.Member, times: int) -> list[list[Call]]:
    """Cause passes over *member* by an annotation that is nobody's, and return the calls of each."""
    since = stage.audit.mark()
    for number in range(times):
        stage.client.merge(member.path, {"metadata": {"annotations": {"bench": str(number)}}})
        stage.rest(APART_SECONDS)
    passes: list[list[Call]] = []
    calls = [one for one in stage.audit.calls(since, OPERATOR) if one.verb != "watch"]
    for call in sorted(calls, key=lambda one: one.began):
        if call.verb == "get" and call.resource == "rollouts":
            passes.append([])
        if passes:
            passes[-1].append(call)
    return passes
