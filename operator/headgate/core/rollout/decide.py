"""decide(observation) -> Decision: an ordered chain of rules, first match wins.

Rules that go back come before all rules that go forward, so that nothing can stand in the way of an abort. A rule that
moves the status is followed by another round from the top; a rule that rests ends the decision.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

from headgate.api.status import Ending, RolloutStatus
from headgate.core.analysis import evidence, ticks
from headgate.core.model import Decision, Notice, Observation
from headgate.core.model.actions import Action
from headgate.core.rollout import (
    blockers,
    commands,
    drill_schedule,
    lost_stable,
    missing_reads,
    ownership_conflicts,
    pod_progress,
    prescaling,
    record_conflicts,
    refresh,
    status_figures,
    traffic_actions,
    transitions,
    unreadable_status,
    workload_actions,
)
from headgate.core.rollout import status as statuses
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.rules import (
    abort,
    at_rest,
    autoscaler,
    drills,
    first_revision,
    progress,
    promotion,
    restarts,
    status_recovery,
)
from headgate.core.rollout.state import Situation
from headgate.core.strategies import policy_in_force

Rule = Callable[[Situation], Move | Rest | None]

BACKWARD: Final[tuple[Rule, ...]] = (
    abort.released,
    abort.aborting,
    abort.deleted,
    abort.recorded,
    abort.superseded,
    abort.breached,
    abort.deprived,
    abort.rebuffed,
    abort.hopeless,
    abort.deadline_exceeded,
    promotion.put_back,
    promotion.breached_after,
    promotion.fallen,
)
"""Asked always."""
FIRST: Final[tuple[Rule, ...]] = (missing_reads.unread, status_recovery.recovered, first_revision.first)
"""Asked while there is no stable revision."""
FORWARD: Final[tuple[Rule, ...]] = (
    missing_reads.unread,
    blockers.unsound,
    blockers.refused,
    blockers.unroutable,
    blockers.contested,
    autoscaler.autoscaled,
    progress.recreating,
    progress.waiting,
    progress.paused,
    progress.pausing,
    progress.unproved,
    progress.settling,
    progress.advance,
    progress.complete,
)
"""Asked while a canary is in flight."""
DRILLING: Final[tuple[Rule, ...]] = (
    abort.released,
    drills.measured,
    abort.aborting,
    abort.deleted,
    abort.recorded,
    drills.called_off,
    abort.breached,
    drills.injected,
    abort.deprived,
    abort.hopeless,
    abort.deadline_exceeded,
    missing_reads.unread,
    drills.gaining,
    drills.holding,
)
"""Asked while a drill is in flight, and nothing else."""
RESTING: Final[tuple[Rule, ...]] = (
    missing_reads.unread,
    promotion.moving,
    promotion.retimed,
    promotion.cooled,
    restarts.dated,
    restarts.restarted,
    drills.due,
    blockers.unsound,
    restarts.restarting,
    at_rest.settled,
    at_rest.rejected,
    at_rest.held_back,
    autoscaler.autoscaled,
    blockers.unroutable,
    blockers.unseen,
    promotion.draining,
    at_rest.outdated,
    record_conflicts.taken,
    at_rest.start,
)
"""Asked while nothing is in flight."""

_POLICY_WAITS: Final = "spec.strategy or spec.traffic was changed: that spec counts once this rollout has ended"
IDLE_SECONDS: Final = 1.0
"""How soon at most it is looked again where nothing is done, whatever a rule asks for."""
_MOST_ROUNDS: Final = 150
"""Even 50 steps of no replicas, each a move to the step and one to its clock, and a promotion come to rest in these."""


def rules_for(situation: Situation) -> tuple[Rule, ...]:
    """Return the chain that is asked in *situation*, in order."""
    canary = situation.flight
    if situation.stable is None:
        return (*BACKWARD, *FIRST)
    if canary is not None and canary.drill is not None:
        return DRILLING
    return (*BACKWARD, *(RESTING if canary is None else FORWARD))


def _answer(situation: Situation) -> tuple[str, Move | Rest]:
    for rule in rules_for(situation):
        answer = rule(situation)
        if answer is not None:
            return rule.__name__, answer
    message = "no rule matched, though the last one of each chain always should"
    raise AssertionError(message)


def _quiet_until(situation: Situation, status: RolloutStatus, *, written: bool) -> int:
    """Return up to which tick of the metrics nobody needs to look again for those that pass."""
    seen = situation.seen
    if situation.watched is None:
        return 0
    before = dataclasses.replace(seen, written_at=seen.now) if written else seen
    since = status.weight.since if status.weight else None
    due_at = statuses.due_at(before, status)
    return ticks.no_wakeup_until(situation.metrics, status.analysis, since, due_at, seen.settle_seconds)


def _readings(situation: Situation, status: RolloutStatus, quiet_until: int) -> list[float]:
    """Return when to look at the metrics if nobody wakes us for them."""
    seen, metrics, states = situation.seen, situation.metrics, status.analysis
    told = ticks.wakeup_scheduled(seen.status.analysis, states, seen.readings)
    tick = ticks.next_reading(metrics, states, told, seen.now, seen.settle_seconds, quiet_until)
    moments = [tick] if tick is not None else []
    if status.weight is not None and status.weight.since is not None:
        moments += evidence.patience_ends(metrics, states, status.weight.since, seen.now)
    return moments


def _recheck_at(
    situation: Situation, rest: Rest, status: RolloutStatus, quiet_until: int, *, written: bool
) -> float | None:
    moments = [*rest.recheck_at]
    if situation.watched is not None:
        moments += [*_readings(situation, status, quiet_until), *pod_progress.patience_ends(situation)]
    if situation.routing is not None:
        moments += [*situation.routing.recheck_at, *promotion.ends(situation)]
    if situation.seen.policy_waits and not policy_in_force.must_wait(status):
        moments.append(situation.now)  # its turn has come, and nobody else wakes us for it
    # Whatever is waited for: a route that comes back bears no label of ours, and no watch shows it.
    moments += blockers.traffic_asked_again(situation)
    if status.drill is not None:
        moments += drill_schedule.looks(situation.seen, status)
    moments += [
        *missing_reads.looks(situation),
        *autoscaler.asked_again(situation),
        *restarts.looks(situation),
        *ownership_conflicts.looks(situation.seen),
        *(record_conflicts.looks(situation.seen) if situation.seen.strangers else ()),
        *at_rest.counted_again(situation),
    ]
    if not written and status != situation.seen.status:
        moments.append(statuses.looked_at(situation.seen, status))
    if missing_reads.of(situation):
        moments = [moment for moment in moments if moment > situation.now]  # what is due waits with all the rest
    return min(moments, default=None)


def _paced(wanted: float | None, now: float, *, idle: bool) -> float | None:
    """Return *wanted*, which may be past: what is due and changes nothing will change nothing in the next moment."""
    if wanted is None or wanted > now:
        return wanted
    return now + IDLE_SECONDS if idle else now


def _parting(situation: Situation) -> list[Action]:
    """Return what leads users to stable where a deletion cannot wait for it: it is tried, whatever comes of it."""
    canary = situation.flight
    if canary is None:
        return []
    if canary.abort is not None:
        return traffic_actions.actions(situation)
    leaves = transitions.begin_abort(
        situation, canary, Ending.DELETED, "Deleted", "the Rollout is being deleted", by="deletion"
    )
    return traffic_actions.actions(situation.moved(leaves.status))


def _with_waits(heard: commands.CommandResult, situation: Situation, rest: Rest) -> Rest:
    """Return *rest* with what follows it: another policy, commands that came early, a restart."""
    seen, waits = situation.seen, prescaling.words(situation) + heard.waits
    if seen.policy_waits and policy_in_force.must_wait(situation.status):
        waits = f"; {_POLICY_WAITS}{waits}"
    if seen.strangers:
        waits += record_conflicts.waits(seen, situation.status.policy)
    if situation.status.restart is not None and situation.restart is None and not seen.rollout.deleting:
        waits = f"{waits}; {restarts.WAITS}"
    return dataclasses.replace(rest, message=f"{rest.message}{waits}")


def _worth_a_write(seen: Observation, status: RolloutStatus) -> bool:
    """Return whether *status* is written in this pass."""
    if status == seen.status:
        return False
    if statuses.significant(seen.status, status) or seen.jumped_seconds:
        return True
    # A clock that was set back leaves a write in the future: what it makes us correct must not wait until then.
    due_at = min(statuses.due_at(seen, status), status_figures.stand_at(seen, status))
    return not seen.written_at <= seen.now < due_at


def _concluded(
    heard: commands.CommandResult, situation: Situation, rule: str, rest: Rest, said: tuple[Notice, ...]
) -> Decision:
    """Return the decision that came to *rest* by *rule*.

    An urgent one acts even if its status cannot be written, so it removes only commands that were in the status before.
    A deletion is let go in the same way: an object that nobody can write must not stay for ever.
    """
    seen = situation.seen
    if rest.quiet:
        return Decision(rule, seen.status, write_status=False, recheck_at=min(rest.recheck_at))
    rest = _with_waits(heard, situation, lost_stable.told(situation, rest))
    status = statuses.concluded(situation, rest)
    write = _worth_a_write(seen, status)
    quiet_until = _quiet_until(situation, status, written=write)
    recheck_at = _recheck_at(situation, rest, status, quiet_until, written=write)
    said = (*said, *statuses.told(seen.status, rest), *ownership_conflicts.told(seen.status, status))
    said += at_rest.met_again(situation) if rule == at_rest.rejected.__name__ else ()
    if rule == abort.released.__name__:
        letting_go = (*_parting(situation), *workload_actions.release(situation), *heard.confirmed)
        again = _paced(recheck_at, seen.now, idle=not (write or letting_go))
        return Decision(rule, status, write, (), letting_go, said, again, urgent=True)
    urgent = situation.canary is not None and situation.canary.abort is not None
    records = workload_actions.records(situation)
    said = (*said, *autoscaler.told(seen.status, status), *workload_actions.repairs(situation))
    actions = (*workload_actions.actions(situation, rest.phase), *(heard.confirmed if urgent else heard.removals))
    return Decision(
        rule=rule,
        status=status,
        write_status=write,
        records=records,
        actions=actions,
        notices=(*said, *traffic_actions.repairs(situation)),
        recheck_at=_paced(recheck_at, seen.now, idle=not (write or records or actions)),
        urgent=urgent,
        unwritten=None if write else status_figures.unwritten(seen, status),
        quiet_until=quiet_until,
    )


def decide(seen: Observation) -> Decision:
    """Return what follows from *seen*: the next status, what to write, what to say, and when to look again.

    Raises:
        AssertionError: if the rules do not come to rest; a bug.
    """
    if (held := unreadable_status.held(seen)) is not None:
        return held
    heard = commands.apply_commands(refresh.opened(seen))
    situation, notices = heard.situation, heard.notices
    for _ in range(_MOST_ROUNDS):
        rule, answer = _answer(situation)
        if isinstance(answer, Move):
            situation, said = situation.moved(answer.status), answer.notices
        elif (later := commands.apply_early_commands(heard, situation)) is not None:
            heard, situation, said = later, later.situation, later.notices
        else:
            return _concluded(heard, situation, rule, answer, notices)
        notices = (*notices, *said)
    message = f"the rules did not come to rest in {_MOST_ROUNDS} rounds"
    raise AssertionError(message)
