"""Many canaries at once against one alone, and against plain Deployments that roll out at once in the same cluster.

What pods, ReplicaSets and the API server need, a plain Deployment needs too: what it takes is the limit.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench import audit, crowd, usage
from bench.audit import Call
from bench.client import MERGE, Json, Request
from bench.crowd import Member
from bench.figures import Beside, Budget, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running

SECTION: Final = "waves"
REPLICAS: Final = 5
WEIGHTS: Final = (20, 40, 60, 80, 90)
TOGETHER_BUDGET: Final = Budget(1.5, "median")
"""Times what one alone takes."""
APPS: Final = "/apis/apps/v1"
COMPONENTS: Final = ("kube-apiserver", "etcd", "kube-controller-manager", "kwok")
PERCENT: Final = 100.0


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure canaries that never pause, and, if wanted, some that do."""
    with running("waves", say) as stage:
        yield from _wave(stage, scope, "no pauses", None)
        if scope.paced_pause:
            yield from _wave(stage, scope, f"{scope.paced_pause} after each step", {"duration": scope.paced_pause})
        yield from _plain(stage, scope)


def _wave(stage: Stage, scope: Scope, words: str, pause: Json | None) -> Iterator[Figure]:
    name = "paced" if pause else "wave"
    everybody = crowd.members(name, scope.wave, scope.per_namespace)
    strategy = crowd.steps(*WEIGHTS, pause=pause)
    stage.say(f"bringing {len(everybody)} Rollouts to rest")
    crowd.create(stage.client, {one: {"replicas": REPLICAS, "strategy": strategy} for one in everybody})
    stage.operator.start()
    crowd.wait(stage, everybody, crowd.at_rest, "at rest", 120 + 2 * len(everybody))
    stage.quiet()
    alone = [_together(stage, [one], "v2")[0] for one in everybody[: min(3, len(everybody))]]
    began, busy = time.monotonic(), _busy(stage)
    since = stage.audit.mark()
    each = _together(stage, everybody, "v3")
    calls = stage.audit.calls(since, audit.OPERATOR, audit.DEPLOYMENTS)
    used = {name: after - busy[name] for name, after in _busy(stage).items()}
    taken, seconds = max(each), time.monotonic() - began
    beside = (Beside("one alone", tuple(alone)),)
    what = f"{len(everybody)} canaries of {len(WEIGHTS)} weights at once, {words}"
    busy_words = ", ".join(f"{name} {cpu / seconds * PERCENT:.0f}" for name, cpu in used.items())
    note = f"percent of a core: {busy_words}"
    yield Figure(SECTION, f"{what}: each", "s", tuple(each), None, beside, note)
    ours = tuple(waiting_for_us(calls, member) * PERCENT for member in everybody)
    note = "from the last event before each write of ours until that write begins; the rest is the cluster's"
    yield Figure(SECTION, f"{what}: share of that time that is Headgate's", "%", ours, None, (), note)
    ratio = taken / Beside("", tuple(alone)).median
    yield Figure(SECTION, f"{what}: the last ÷ one alone", "times", (ratio,), TOGETHER_BUDGET, (), f"{taken:.1f} s")


def _busy(stage: Stage) -> Mapping[str, float]:
    others = {name: usage.cpu_seconds(stage.component_pid(name)) for name in COMPONENTS}
    return {"operator": usage.cpu_seconds(stage.pid), **others}


def _together(stage: Stage, members: Sequence[Member], version: str) -> list[float]:
    """Ship a version to all at once and return how long each took, from its first answer to its last write."""
    since = stage.audit.mark()
    crowd.ship(stage.client, members, version)
    crowd.wait(stage, members, crowd.at_rest, f"{version} at rest", 1800)
    stage.quiet()
    calls = stage.audit.calls(since, audit.OPERATOR, audit.ADMINISTRATOR)
    shipped = min(one.ended for one in calls if one.user == audit.ADMINISTRATOR and one.resource == "rollouts")
    ends = _ends([one for one in calls if one.user == audit.OPERATOR and one.is_write])
    return [ends[member] - shipped for member in members]


def waiting_for_us(calls: Sequence[Call], member: Member) -> float:
    """Return the share of a canary's time in which the last word was the cluster's, and the next one ours."""
    mine = [one for one in calls if one.is_write and one.namespace == member.namespace and one.about(member.name)]
    writes = sorted((one for one in mine if one.user == audit.OPERATOR), key=lambda one: one.began)
    heard = sorted(one.ended for one in mine)
    lags = [one.began - max(moment for moment in heard if moment <= one.began) for one in writes[1:]]
    return sum(lags) / (writes[-1].ended - writes[0].began)


def _ends(writes: Sequence[Call]) -> dict[Member, float]:
    """Return when the last write to each Rollout was answered."""
    ends: dict[Member, float] = {}
    for call in writes:
        if call.resource in ("rollouts", "rollouts/status"):
            member = Member(call.namespace, call.name)
            ends[member] = max(call.ended, ends.get(member, 0.0))
    return ends


# --- the limit --------------------------------------------------------------------------------------------------------


def _plain(stage: Stage, scope: Scope) -> Iterator[Figure]:
    """Roll plain Deployments of the same size out at once."""
    stage.operator.stop()
    everybody = crowd.members("plain", scope.wave, scope.per_namespace)
    crowd.namespaces(stage.client, everybody)
    stage.say(f"{len(everybody)} plain Deployments")
    stage.client.burst(Request("POST", _folder(one), _deployment(one)) for one in everybody)
    _rolled(stage, everybody, 0)
    alone = [_roll(stage, [one], "v2") for one in everybody[:3]]
    together = _roll(stage, everybody, "v3")
    name = f"{len(everybody)} plain Deployments rolled out at once, without Headgate: the last"
    yield Figure(SECTION, name, "s", (together,), None, (Beside("one alone", tuple(alone)),))


def _folder(member: Member) -> str:
    return f"{APPS}/namespaces/{member.namespace}/deployments"


def _deployment(member: Member) -> Json:
    selector = {"matchLabels": {"app": member.name}}
    spec = {"replicas": REPLICAS, "selector": selector, "template": crowd.template(member, "v1")}
    return {"metadata": {"name": member.name}, "spec": spec}


def _roll(stage: Stage, members: Sequence[Member], version: str) -> float:
    began = time.monotonic()
    stage.client.burst(
        Request("PATCH", f"{_folder(one)}/{one.name}", {"spec": {"template": crowd.template(one, version)}}, MERGE)
        for one in members
    )
    return _rolled(stage, members, began)


def _rolled(stage: Stage, members: Sequence[Member], began: float) -> float:
    """Wait until all are rolled out, and return how long after *began* that was."""
    wanted = {(one.namespace, one.name) for one in members}

    def left() -> int:
        found = stage.client.get(f"{APPS}/deployments?labelSelector=!headgate.dev/rollout")["items"]
        return sum(not _complete(one) for one in found if _key(one) in wanted)

    stage.wait(lambda: left() == 0, "rolled out", 1800, poll_seconds=0.1 + len(members) / 500)
    return time.monotonic() - began


def _key(deployment: Json) -> tuple[str, str]:
    return deployment["metadata"]["namespace"], deployment["metadata"]["name"]


def _complete(deployment: Json) -> bool:
    status = deployment.get("status") or {}
    counts = {status.get(count) for count in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {REPLICAS} and status.get("observedGeneration") == deployment["metadata"]["generation"]
