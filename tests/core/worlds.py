"""Worlds to decide on: `World().canary(ready=3).at_step(2).observe()` is an Observation.

Owns what a possible world is: one that contradicts Kubernetes or our own status is refused, so that no test proves
anything about fiction. Says nothing of what should be decided.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headgate.api import names, spec, strategy
from headgate.api import status as api
from headgate.core import model
from headgate.core import model as core_model
from headgate.core.model import traffic as model_traffic
from headgate.core.revisions import identity
from headgate.core.strategies import planning, steps
from headgate.core.traffic import plan as traffic_plan

NOON: Final = 1_800_000_000
"""A multiple of 10 and of 60, so that ticks fall on it."""
UID: Final = "uid-of-web"
A, B, C = "bbbbbbbbbb", "cccccccccc", "dddddddddd"
"""Hashes of three revisions."""
SELECTED: Final = {"app": "web"}
SETTLE: Final = 20.0


class ImpossibleError(Exception):
    """A world that cannot be."""


def template(revision_hash: str) -> model.Json:
    """Return the template of the revision with *revision_hash*, of an image that tells it apart."""
    return {
        "metadata": {"labels": SELECTED},
        "spec": {"containers": [{"name": "web", "image": f"web:{revision_hash}"}]},
    }


def metric(name: str = "errors", **changes: Any) -> spec.Metric:
    """Return a metric of at most 0.01, measured every 10 s over 60 s: 2 failures roll back, 3 passes advance."""
    fields = {"prometheus": {"query": "up"}, "threshold": {"max": 0.01}, "interval": "10s", "window": "60s", **changes}
    return spec.Metric.model_validate({"name": name, **fields})


Written = int | str | Mapping[str, Any]
"""A step: a number sets a weight, ``pause`` waits for people, a mapping is as users write it, else a length of time."""


def _step(step: Written) -> Mapping[str, Any]:
    if isinstance(step, Mapping):
        return step
    if isinstance(step, int):
        return {"setWeight": step}
    return {"pause": {} if step == "pause" else {"duration": step}}


def policy(*plan: Written, metrics: tuple[spec.Metric, ...] = (), **changes: Any) -> spec.Policy:
    """Return a policy of a canary with these steps."""
    canary = {"steps": [_step(step) for step in plan], "maxSurge": changes.pop("surge", "25%")}
    canary["maxUnavailable"] = changes.pop("unavailable", 0)
    way = strategy.Strategy.model_validate({"canary": canary})
    return spec.Policy(strategy=way, analysis=spec.Analysis(metrics=metrics), **changes)


def policy_of(metrics: tuple[spec.Metric, ...] = (), *, traffic: Any = None, **way: Any) -> spec.Policy:
    """Return a policy of another strategy, as written: ``policy_of(recreate={})``."""
    return spec.Policy(
        strategy=strategy.Strategy.model_validate(way), analysis=spec.Analysis(metrics=metrics), traffic=traffic
    )


def policy_hash(of: spec.Policy | None) -> str:
    """Return a hash by which policies differ."""
    return identity.digest(of.model_dump_json()) if of else ""


PLAN: Final = policy(20, "2m", 50, "pause", 80)
"""In steps: 1/6 20 %, 2/6 two minutes, 3/6 50 %, 4/6 until promoted, 5/6 80 %, 6/6 the whole."""


_TARGET: Final = model.Target(model.Identity.KNOWN, A)
_STATUS: Final = api.RolloutStatus(observed_generation=1, policy=policy_hash(PLAN))


@dataclasses.dataclass(frozen=True)
class World:
    """A Rollout web of 10 replicas that wants revision A; every method returns another world."""

    now: float = NOON
    spec_policy: spec.Policy | None = PLAN
    accepted: spec.Policy | None = PLAN
    invalid: str = ""
    replicas: int | None = 10
    paused: bool = False
    deleting: bool = False
    deleted: int = 0
    commands: Mapping[str, str] = dataclasses.field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    target: model.Target = _TARGET
    written: str = ""
    """The hash of the template as it is written, where that is not the target's."""
    status: api.RolloutStatus = _STATUS
    deployments: Mapping[str, model.DeploymentFacts] = dataclasses.field(default_factory=dict)
    templates: Mapping[str, model.TemplateRecord] = dataclasses.field(default_factory=dict)
    policies: Mapping[str, model.PolicyRecord] = dataclasses.field(default_factory=dict)
    trouble: model.PodTrouble | None = None
    readings: Mapping[str, model.Reading] = dataclasses.field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    unwritten: model.Unwritten | None = None
    foreign: tuple[str, ...] = ()
    traffic: model_traffic.TrafficFacts | None = None
    present: Mapping[str, int] | core_model.Unreadable | None = None
    ending: Mapping[str, model.EndingPods] | core_model.Unreadable | None = None
    next_drill: int | None = None
    pods: tuple[model.PodFacts, ...] | None = None
    policy_waits: bool = False
    autoscalers: tuple[model.AutoscalerFacts, ...] = ()
    scaled: int = 0
    written_at: float = NOON
    unread: Mapping[core_model.Part, core_model.Unreadable] = dataclasses.field(default_factory=dict)
    clock_set_back: bool = False
    jumped_seconds: float = 0.0

    # --- what there is ------------------------------------------------------------------------------------------------

    def but(self, **changes: Any) -> "World":
        """Return this world with other values of its fields."""
        return dataclasses.replace(self, **changes)

    def with_status(self, **changes: Any) -> "World":
        """Return this world with *changes* to its status."""
        return self.but(status=self.status.model_copy(update=changes))

    def deployment(self, revision_hash: str, wanted: int, ready: int | None = None, **changes: Any) -> "World":
        """Return this world with a Deployment of *wanted* pods, all of them ready unless said otherwise."""
        number = {A: 1, B: 2, C: 3}.get(revision_hash, 9)
        facts = model.DeploymentFacts(
            references=1,
            labelled=True,
            settled=True,
            name=identity.deployment_name("web", revision_hash),
            uid=f"uid-of-{revision_hash}",
            resource_version="1",
            hash=revision_hash,
            revision=number,
            owner=UID,
            replicas=wanted,
            pods=wanted,
            ready=wanted if ready is None else ready,
            min_ready_seconds=0,
            rejected="",
            refusal="",
            tampered="",
            scaled_by="",
            deleting=False,
        )
        facts = dataclasses.replace(facts, **changes)
        return self.recorded(revision_hash).but(deployments={**self.deployments, revision_hash: facts})

    def recorded(self, revision_hash: str) -> "World":
        """Return this world with the template of a revision on record."""
        number = {A: 1, B: 2, C: 3}.get(revision_hash, 9)
        name = identity.deployment_name("web", revision_hash)
        record = model.TemplateRecord(name, revision_hash, number, template(revision_hash), NOON - 9000)
        return self.but(templates={**self.templates, revision_hash: record})

    def policed(self) -> "World":
        """Return this world with its accepted policy on record."""
        if self.accepted is None:
            return self
        hash_ = policy_hash(self.accepted)
        record = model.PolicyRecord(identity.policy_name("web", hash_), hash_, self.accepted, NOON - 9000)
        return self.but(policies={**self.policies, hash_: record})

    def stable(self, wanted: int = 10, ready: int | None = None, **changes: Any) -> "World":
        """Return this world with a stable revision A of so many pods."""
        world = self.deployment(A, wanted, ready, **changes)
        progress = api.Progress(desired=wanted, ready=wanted, since=NOON - 5000)
        side = api.Side(
            revision=1, hash=A, images=(f"web:{A}",), replicas=wanted, ready=progress.ready, progress=progress
        )
        return world.policed().with_status(stable=side)

    def canary(self, wanted: int = 0, ready: int | None = None, age: float = 1000, **changes: Any) -> "World":
        """Return this world with revision B in flight for *age* seconds, wanted by the spec, with so many pods."""
        world = self if self.status.stable else self.stable(10 - wanted)
        world = world.deployment(B, wanted, ready, **changes) if wanted else world.recorded(B)
        pods = wanted if ready is None else ready
        since = int(self.now - min(age, 10))
        progress = api.Progress(desired=wanted, ready=pods, since=since) if wanted else None
        side = api.Canary(
            revision=2,
            hash=B,
            images=(f"web:{B}",),
            replicas=wanted,
            ready=pods,
            progress=progress,
            started=int(self.now - age),
        )
        world = world.but(target=model.Target(model.Identity.KNOWN, B), finalizers=(names.FINALIZER,))
        return world.with_status(canary=side, min_replicas=10 if self.replicas is None else self.replicas).at_step(1)

    def first(self, wanted: int = 10, ready: int = 0, age: float = 10) -> "World":
        """Return this world with revision A as the first one, on its way for *age* seconds."""
        since = int(self.now - age)
        progress = api.Progress(desired=wanted, ready=ready, since=since)
        side = api.Canary(revision=1, hash=A, replicas=wanted, ready=ready, progress=progress, started=since)
        return self.deployment(A, wanted, ready).policed().with_status(canary=side)

    def at_step(self, index: int, since: float | None = None, **changes: Any) -> "World":
        """Return this world at a step, counted from 1, whose clock started *since* seconds ago."""
        plan = planning.planned(self.accepted) if self.accepted else (steps.Step(100),)
        start = None if since is None else int(self.now - since)
        step = api.StepStatus(index=index, of=len(plan), text=f"{index}/{len(plan)}", since=start, **changes)
        weight = api.Weight(desired=plan[index - 1].weight_percent, since=start)
        return self.with_status(step=step, weight=weight)

    def leaving(self, ending: api.Ending = api.Ending.ROLLED_BACK, since: float = 5) -> "World":
        """Return this world with the canary on its way out."""
        gone = api.Abort(
            ending=ending, reason="MetricFailed", message="why", by="analysis", since=int(self.now - since)
        )
        canary = self.status.canary.model_copy(update={"abort": gone}) if self.status.canary else None
        rejected = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="why", at=int(self.now - since))
        weight = api.Weight(desired=0)
        verdict = ending in (api.Ending.ROLLED_BACK, api.Ending.ABORTED)
        return self.with_status(canary=canary, weight=weight, rejected=(rejected,) if verdict else ())

    # --- what is wanted and measured ----------------------------------------------------------------------------------

    def wants(self, revision_hash: str) -> "World":
        """Return this world with the template of another revision in its spec."""
        return self.but(target=model.Target(model.Identity.KNOWN, revision_hash))

    def ruled(self, by: spec.Policy) -> "World":
        """Return this world with a policy that is valid, accepted and on record."""
        world = self.but(spec_policy=by, accepted=by, policies={}).policed()
        return world.with_status(policy=policy_hash(by))

    def edited(self, to: spec.Policy) -> "World":
        """Return this world with a policy that was just written into the spec."""
        return self.but(spec_policy=to)

    def told(self, **commands: str) -> "World":
        """Return this world with commands: ``told(promote_full=B)``."""
        spelled = {f"{names.GROUP}/{word.replace('_', '-')}": value for word, value in commands.items()}
        return self.but(commands=spelled)

    def knows(self, name: str = "errors", **changes: Any) -> "World":
        """Return this world with a metric's state; it is up to date unless said otherwise."""
        newest = int(self.now - SETTLE) // 10 * 10
        fields = {
            "verdict": api.Outcome.PASSED,
            "since": newest - 60,
            "last_tick": newest,
            "last_judged": newest,
            **changes,
        }
        others = tuple(state for state in self.status.analysis if state.name != name)
        return self.with_status(analysis=(*others, api.MetricStatus(name=name, bound="<= 0.01", **fields)))

    def reads(
        self, *values: float | None, name: str = "errors", problem: str = "", first: int | None = None
    ) -> "World":
        """Return this world with a reading of so many ticks, the newest of them the last settled one."""
        end = int(self.now - SETTLE) // 10 * 10
        start = first if first is not None else end - 10 * (len(values) - 1)
        samples = tuple(model.Sample(start + 10 * at, value) for at, value in enumerate(values))
        return self.but(readings={**self.readings, name: model.Reading(samples, problem)})

    # --- what follows -------------------------------------------------------------------------------------------------

    def observe(self) -> model.Observation:
        """Return the Observation of this world.

        Raises:
            ImpossibleError: if there can be no such world.
        """
        if wrong := list(_contradictions(self)):
            raise ImpossibleError("; ".join(wrong))
        in_force = self.accepted if self.invalid or self.policy_waits else self.spec_policy
        return model.Observation(
            now=self.now,
            rollout=self._rollout(),
            status=self.status,
            policy=in_force,
            accepted=self.accepted,
            target=self.target,
            deployments=self.deployments,
            templates=self.templates,
            policies=self.policies,
            trouble=self.trouble,
            readings=self.readings,
            refusals=self.refusals,
            settle_seconds=SETTLE,
            written_at=self.written_at,
            jumped_seconds=self.jumped_seconds,
            foreign=self.foreign,
            unwritten=self.unwritten,
            traffic=self.traffic,
            present=self.present,
            ending=self.ending,
            pods=self.pods,
            policy_waits=self.policy_waits,
            next_drill=self.next_drill,
            autoscalers=self.autoscalers,
            unread=self.unread,
        )

    def _rollout(self) -> model.RolloutFacts:
        written = self.written or self.target.hash
        return model.RolloutFacts(
            namespace="prod",
            name="web",
            uid=UID,
            resource_version="7",
            generation=1,
            annotations=self.commands,
            finalizers=self.finalizers,
            deleting=self.deleting,
            replicas=self.replicas,
            paused=self.paused,
            match_labels=SELECTED,
            template=template(written),
            template_hash=written,
            policy={},
            policy_hash=policy_hash(self.spec_policy) if not self.invalid else "invalidpol",
            invalid=self.invalid,
            deleted=self.deleted,
            scaled=self.scaled,
        )


def _contradictions(world: World) -> Iterator[str]:
    yield from _status_contradictions(world.status)
    if world.deleting and not world.finalizers:
        yield "a deleted object without finalizers is gone"
    if world.spec_policy is None and not world.invalid:
        yield "a valid spec has a policy"
    for facts in world.deployments.values():
        if facts.ready > min(facts.replicas, facts.pods):
            yield f"{facts.name} has more ready pods than pods"
    if not world.clock_set_back:
        yield from _futures(world)


def _status_contradictions(status: api.RolloutStatus) -> Iterator[str]:
    stable, canary, step = status.stable, status.canary, status.step
    if stable and canary and stable.hash == canary.hash:
        yield "a revision cannot be stable and canary at once"
    if step and not (stable and canary):
        yield "only a rollout in flight is at a step"
    if step and not 0 <= step.index <= step.of:
        yield f"there is no step {step.index} of {step.of}"


def _futures(world: World) -> Iterator[str]:
    status, latest = world.status, world.now + 1
    moments = [state.last_tick for state in status.analysis]
    # These are written down as soon as a weight was accepted, from when on it will have settled.
    settling = traffic_plan.SETTLE_SECONDS if world.traffic else 0
    starts = [part.since for part in (status.step, status.weight) if part and part.since is not None]
    moments += [start - settling for start in starts]
    moments += [status.canary.started] if status.canary else []
    yield from (f"{moment} lies in the future of {latest}" for moment in moments if moment > latest)
