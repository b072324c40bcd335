"""What the rules look at: an Observation, the status as it becomes, and what follows from both.

Rules never change a situation; they return a Move (the status goes on, the rules are asked again) or a Rest (nothing
more follows now; this is what is being waited for).
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Final

from headgate.api.spec import Metric
from headgate.api.status import Canary, RolloutStatus, Side
from headgate.api.traffic import DRAIN_SECONDS
from headgate.core.analysis import fold
from headgate.core.model import DeploymentFacts, Identity, Observation
from headgate.core.model.percent import WHOLE
from headgate.core.replicas import autoscaling, pod_budget, pod_ratio, recreate, restart_evictions, weighted
from headgate.core.revisions import identity
from headgate.core.strategies import metric_timing, planning, steps, traits
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic import service_switch, unready_stable
from headgate.core.traffic.routers.gateway_api import header_routes

RETREAT_WAIT_SECONDS: Final = 30
"""How long canary pods wait for the next stable pod before some go, or come, without it."""
FLEES_AFTER_SECONDS: Final = 10
"""How long pods may not serve before those that are to go back from them get their room: others come round sooner."""
RELIED_ON_AFTER_SECONDS: Final = 3
"""How long after a verdict stable pods that were not wanted before it are not relied on. Those that were asked to go a
moment earlier still count as ready until the controllers have come round, which takes less than a second each."""


@dataclasses.dataclass(frozen=True)
class Situation:
    """An observation and the status as it stands in the middle of a decision."""

    seen: Observation
    status: RolloutStatus

    @property
    def now(self) -> float:
        """The time of the observation."""
        return self.seen.now

    @property
    def second(self) -> int:
        """The time of the observation as the status keeps times, rounded down."""
        return math.floor(self.seen.now)

    @property
    def canary(self) -> Canary | None:
        """The revision on its way in or out."""
        return self.status.canary

    @property
    def stable(self) -> Side | None:
        """The revision that users get."""
        return self.status.stable

    @functools.cached_property
    def flight(self) -> Canary | None:
        """The canary, if it stands beside a stable revision."""
        return self.status.canary if self.status.stable is not None else None

    @property
    def in_flight(self) -> bool:
        """Whether a canary stands beside a stable revision."""
        return self.flight is not None

    @property
    def target_hash(self) -> str:
        """The revision that the spec means, or an empty text while that is not known."""
        return self.seen.target.hash if self.seen.target.identity is Identity.KNOWN else ""

    @property
    def wanted_hash(self) -> str:
        """The revision that is to serve: what people asked to go back to, else what the spec means."""
        return self.status.rollback.hash if self.status.rollback else self.target_hash

    @functools.cached_property
    def is_rollback(self) -> bool:
        """Whether the canary was stable before, and gets all users at once."""
        return self.status.canary is not None and self.status.canary.is_rollback

    @functools.cached_property
    def metrics(self) -> Sequence[Metric]:
        """The metrics that are judged."""
        if self.stable is None:
            return metric_timing.first(self.seen.policy)
        weight = self.status.weight
        return metric_timing.judged(
            self.seen.policy, weight.desired if weight and self.in_flight else WHOLE, self.asked
        )

    @property
    def drills(self) -> bool:
        """Whether what is in flight is a drill, which is at no step."""
        return self.canary is not None and self.canary.drill is not None

    @property
    def asked(self) -> tuple[str, ...]:
        """The metrics that the present step asks for."""
        return self.step.metrics if self.status.step is not None and not self.drills else ()

    @functools.cached_property
    def plan(self) -> tuple[steps.Step, ...]:
        """The steps of the policy; a single one to 100 percent where none is known."""
        return (
            planning.planned(self.seen.policy, is_rollback=self.is_rollback) if self.seen.policy else (steps.Step(100),)
        )

    @property
    def step_at(self) -> int:
        """The position of the present step in the plan, counted from 0; -1: before the first one."""
        index = self.status.step.index if self.status.step else 1
        return min(max(index, 0), len(self.plan)) - 1

    @functools.cached_property
    def step(self) -> steps.Step:
        """The present step; after an edit that took its weight out of the plan, a step that is that weight alone."""
        planned = self.plan[max(self.step_at, 0)]
        weight = self.status.weight.desired if self.status.weight else planned.weight_percent
        return planned if planned.weight_percent == weight else steps.Step(weight)

    @property
    def preview(self) -> int:
        """How many canary pods there are to be whatever the weight needs."""
        return 0 if self.drills else header_routes.least_pods(self.total, self.step)

    @property
    def wanted_now(self) -> int:
        """The replicas that the spec asks for; where it says nothing, those that are or were there, and 1 at first."""
        if self.seen.rollout.replicas is not None:
            return self.seen.rollout.replicas
        if self.status.min_replicas is not None:
            return self.status.min_replicas
        if self.status.restart is not None:
            return self.status.restart.pods  # meanwhile there are more
        side = self.stable or self.canary
        facts = self.facts(side)
        return facts.replicas if facts else max(1, side.replicas if side else 0)

    @functools.cached_property
    def held(self) -> autoscaling.Held | None:
        """The growth that an autoscaler asks for and that waits, if any."""
        return autoscaling.held(self.seen.rollout, self.status, self.seen.autoscalers, self.now)

    @functools.cached_property
    def total(self) -> int:
        """The replicas that count: in flight never fewer than the floor, and no more of them for memory's sake."""
        if self.seen.autoscalers and self.held is not None:
            return self.held.counts
        if self.in_flight and self.status.min_replicas is not None:
            return max(self.wanted_now, self.status.min_replicas)
        return self.wanted_now

    def floor_left(self, stays: Side | None) -> int | None:
        """Return the floor that has to outlast what is in flight, where *stays* has the pods from then on."""
        return autoscaling.left(self.seen.rollout, self.pods(stays).wanted, self.total, self.held)

    @functools.cached_property
    def budget(self) -> pod_budget.Budget:
        """How far both versions together may stray from the replicas that count."""
        return traits.budget(self.seen.policy, self.total, routed=self.seen.routed)

    @functools.cached_property
    def recreates(self) -> bool:
        """Whether the canary and stable may have no pods at the same time."""
        return traits.recreates(self.seen.policy)

    @property
    def comes(self) -> Side | None:
        """The revision that is to have all pods: the canary, or stable when that is taken back."""
        return self.stable if self.canary is None or self.canary.abort is not None else self.canary

    @functools.cached_property
    def turnover(self) -> recreate.Turnover:
        """Who comes, and who has to be gone before, where no two revisions may have pods."""
        canary, comes = self.canary, self.comes
        since = (canary.abort.since if canary.abort else canary.waits_since) if canary else 0
        hash_ = comes.hash if comes else ""
        since = since if since <= self.now else 0  # by a clock that has been set back
        return recreate.Turnover(self.seen.deployments, self.seen.present, hash_, since, self.now)

    @property
    def crowded(self) -> bool:
        """Whether pods of replaced revisions may be left where one stands alone: then recreate lets it not grow."""
        return self.recreates and not self.in_flight and not self.turnover.done

    def facts(self, side: Side | None) -> DeploymentFacts | None:
        """Return the Deployment of *side*, if there is one."""
        return self.seen.deployments.get(side.hash) if side else None

    def pods(self, side: Side | None) -> pod_budget.Pods:
        """Return the pods of *side*; none without a Deployment."""
        facts = self.facts(side)
        if facts is None:
            return pod_budget.Pods(lost=side is not None and not self.can_create(side))
        return pod_budget.Pods(facts.replicas, facts.pods, facts.ready, facts.settled, facts.answering)

    @functools.cached_property
    def goal(self) -> pod_budget.Sizes:
        """The sizes that the present weight means."""
        weight = self.status.weight.desired if self.status.weight else 0
        by_share = self.seen.routed and not self.recreates
        return weighted.goal(self.budget, weight, self.preview) if by_share else pod_ratio.split(self.budget, weight)

    @functools.cached_property
    def sizes(self) -> pod_budget.Sizes:
        """The sizes to ask for in this pass."""
        sizes = self.routing.sizes if self.routing is not None else self._pod_sizes
        if self.status.restart is not None and self.restart is not None:
            sizes = dataclasses.replace(sizes, stable=self.restart.size)
        return sizes.at_most(self.pods(self.comes).wanted) if self.crowded else sizes

    @property
    def supersedes_restart(self) -> bool:
        """Whether another version is wanted, which goes before a restart of the present one.

        What people asked to go back to most of all: a budget may hold up a restart for ever.
        """
        if self.status.rollback is not None:
            return True
        old = {entry.hash for entry in self.status.rejected}
        old |= {self.stable.hash} if self.stable else set()
        return bool(self.target_hash) and self.target_hash not in old

    @functools.cached_property
    def restart(self) -> restart_evictions.Plan | None:
        """What a restart of all pods needs now; None without one, or while something else is going on."""
        wanted, facts = self.status.restart, self.facts(self.stable)
        elsewhere = self.canary is not None or self.status.previous is not None or self.seen.rollout.deleting
        if wanted is None or elsewhere:
            return None
        if facts is None:
            return restart_evictions.Plan(self.total, done=self.total == 0)
        old_since = wanted.since if wanted.until is None else wanted.until
        return restart_evictions.plan(
            restart_evictions.View(
                now=self.now,
                since=-1 if wanted.stopped else old_since,
                budget=self.budget,
                wanted=facts.replicas,
                min_ready_seconds=facts.min_ready_seconds,
                pods=self.seen.pods,
                holds=self.seen.rollout.paused or self.supersedes_restart,
                recreates=self.recreates,
            )
        )

    @property
    def _pod_sizes(self) -> pod_budget.Sizes:
        stable, canary = self.pods(self.stable), self.pods(self.canary)
        if self.canary is None:
            return pod_budget.Sizes(self.total, 0)
        if self.stable is None:
            return pod_budget.Sizes(0, self.total)
        if self.recreates:
            back = self.canary.abort is not None and not stable.lost  # else nobody would be left
            return recreate.sizes(self.total, stable, canary, self.turnover, back=back, kept=self.stable.replicas > 0)
        if self.canary.abort is not None:
            if self.now < self.canary.abort.since + RELIED_ON_AFTER_SECONDS:
                stable = dataclasses.replace(stable, ready=min(stable.ready, self.canary.abort.stable_pods))
            return pod_ratio.retreat(self.budget, stable, canary, self.waits_without_progress)
        late = stable.wanted >= self.goal.stable and self.in_step_until is None
        goal = self.goal if late else pod_ratio.in_step(self.budget, self.goal, stable, canary)
        return pod_ratio.approach(self.budget, goal, stable, canary)

    @property
    def in_step_until(self) -> int | None:
        """Until when the canary does not outgrow the stable pods that are ready; None: they may be broken."""
        progress = self.stable.progress if self.stable else None
        until = progress.since + RETREAT_WAIT_SECONDS if progress else 0
        return until if self.now < until else None

    @functools.cached_property
    def view(self) -> traffic_plan.View | None:
        """What a plan for traffic is made from; None without a router or a stable revision."""
        seen, status = self.seen, self.status
        if seen.traffic is None or not seen.routed or status.traffic is None or self.stable is None:
            return None
        other = self.canary or status.previous
        leaving = self.canary is not None and self.canary.abort is not None
        hashes = {side.hash for side in (self.stable, other) if side}
        others = [facts for facts in seen.deployments.values() if facts.hash not in hashes]
        return traffic_plan.View(
            now=self.now,
            facts=seen.traffic,
            status=status.traffic,
            drain_seconds=seen.policy.traffic.drain_seconds if seen.policy and seen.policy.traffic else DRAIN_SECONDS,
            budget=self.budget,
            stable_hash=self.stable.hash,
            stable=self.pods(self.stable),
            other_hash=other.hash if other else "",
            leftover=sum([facts.pods for facts in others]),
            other=self.pods(other),
            weight=status.weight.desired if status.weight else 0,
            preview=self.preview,
            flees_at=self._flees_at,
            extras=header_routes.NONE if self.drills else header_routes.asked(self.flight, self.step),
            mirrored=header_routes.copied(seen.traffic, status.traffic.planned_rules),
            canary_service=seen.policy.traffic.canary_service if seen.policy and seen.policy.traffic else "",
            switches=traits.switches(seen.policy),
            drills=frozenset([facts.hash for facts in others if facts.drill]),
            waits_without_progress=self.waits_without_progress if leaving else 0,
        )

    @property
    def _flees_at(self) -> int | None:
        """From when on pods that do not serve keep nobody waiting, where their version is gone back from."""
        progress = self.stable.progress if self.is_rollback and self.stable else None
        return progress.stopped + FLEES_AFTER_SECONDS if progress else None

    @functools.cached_property
    def routing(self) -> traffic_plan.Plan | None:
        """What is to be done about traffic now; None without a router, or before there is a stable revision."""
        view = self.view
        if view is None or self.canary is None:
            return header_routes.at_rest(view) if view is not None else None
        if self.recreates:
            back = self.canary.abort is not None
            return service_switch.switch(view, self._pod_sizes, back=back, clear=self.turnover.done)
        return (
            header_routes.forward(view)
            if self.canary.abort is None
            else unready_stable.backward(view, self.canary.abort)
        )

    @property
    def watched(self) -> tuple[Side, Side | None] | None:
        """The revision that is judged and the one that stands behind it, if one does."""
        return fold.watched(self.status)

    @property
    def waits_without_progress(self) -> int:
        """How often in a row the time that a retreat gives stable for another pod has passed without one.

        It does not pass while stable has not been asked for all of them, unless that is refused: where nothing could be
        written for a minute, nobody has waited for anything.
        """
        asked_for_all = self.pods(self.stable).wanted >= self.total or self.seen.refusals
        return self._retreat_waits if asked_for_all else 0

    @property
    def next_retreat(self) -> int:
        """When that time has passed once more: always to come, though nobody may have waited for anything yet."""
        return self.retreats_since + RETREAT_WAIT_SECONDS * (self._retreat_waits + 1)

    @property
    def _retreat_waits(self) -> int:
        return max(0, math.floor((self.now - self.retreats_since) / RETREAT_WAIT_SECONDS))

    def can_create(self, side: Side) -> bool:
        """Return whether the Deployment of *side* could be created: its template is known, and its name is free."""
        rollout = self.seen.rollout
        name = identity.deployment_name(rollout.name, side.hash)
        taken = any(words.startswith(f"Deployment {name} ") for words in (*self.seen.foreign, *self.seen.strangers))
        source = side.drill.of if isinstance(side, Canary) and side.drill else side.hash
        return not taken and (source in self.seen.templates or source in (rollout.template_hash, self.target_hash))

    @property
    def retreats_since(self) -> int:
        """Since when the canary has been leaving without another stable pod becoming ready."""
        leaving = self.canary.abort.since if self.canary and self.canary.abort else self.second
        progress = self.stable.progress if self.stable else None
        return max(leaving, progress.since) if progress else leaving

    def moved(self, status: RolloutStatus) -> "Situation":
        """Return the situation with *status* in place of the present one."""
        return Situation(self.seen, status)

    def with_canary(self, **changes: object) -> RolloutStatus:
        """Return the status with *changes* to its canary, if there is one."""
        canary = self.status.canary and self.status.canary.model_copy(update=changes)
        return self.status.model_copy(update={"canary": canary})
