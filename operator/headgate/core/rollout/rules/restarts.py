"""The restart of all pods without a new version: what is said of it, and when it has ended.

A command leaves in the status from when on pods are new, and that is all: everything else is found again in the pods.
A rollout, or a promotion that is still watched, goes first; what is stable after it is restarted as far as it is old.
"""

from headgate.api import names, values
from headgate.api.status import Phase, Restart
from headgate.core.model import Notice
from headgate.core.replicas import restart_evictions
from headgate.core.rollout import pause_messages, pod_progress
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation

LOOK_SECONDS = 5.0
"""How soon to look at the pods again: no watch tells of them, and a budget may have room for another one."""
GO_ON_SECONDS = 0.5
"""How soon to take more pods away where they are more than one pass takes."""
WAITS = "a restart of all pods follows"
_ASKED_LENGTH = 80


def begun(situation: Situation, asked: str) -> Move:
    """Return the move by which all pods that are there now become old."""
    until, pods = values.format_time(situation.second), situation.wanted_now
    remaining = situation.pods(situation.stable).existing
    restart = Restart(since=situation.second, asked=asked[:_ASKED_LENGTH], pods=pods, remaining=remaining)
    first = ""
    if situation.canary is not None:
        what = "drill that is in flight ends" if situation.drills else "rollout that is in flight goes"
        first = f"; the {what} first"
    elif situation.status.previous is not None:
        first = f"; revision {situation.status.previous.revision}, which is still warm, goes first"
        first += ": to end that time now, set scaleDownDelay to 0s" if situation.status.previous.until else ""
    notice = Notice("RestartRequested", f"pods that were created until {until} are replaced{first}")
    return Move(situation.status.model_copy(update={"restart": restart}), (notice,))


def dated(situation: Situation) -> Move | None:
    """Pods that the first look finds are old, and none that comes later is: whatever the operator's clock says.

    One that is ahead of the API server's would take pods for old ones that the restart itself has started.
    """
    restart, pods = situation.status.restart, situation.seen.pods
    newest = max((pod.created for pod in pods or ()), default=None)
    if restart is None or restart.until is not None or newest is None or newest >= restart.since:
        return None
    return Move(situation.status.model_copy(update={"restart": restart.model_copy(update={"until": newest})}))


def stopped(situation: Situation) -> Move | None:
    """Return the move by which a restart stops where it is; None without one."""
    restart = situation.status.restart
    if restart is None or restart.stopped:
        return None
    notice = Notice("RestartStopped", f"the restart was stopped by command; {restart.remaining} old pods stay")
    update = {"restart": restart.model_copy(update={"stopped": True, "remaining": 0})}
    return Move(situation.status.model_copy(update=update), (notice,))


def restarted(situation: Situation) -> Move | None:
    """No pod is left that is older than the command, and none is there that was only needed meanwhile."""
    restart, plan = situation.status.restart, situation.restart
    if restart is None or plan is None or not plan.done:
        return None
    took = values.format_duration(situation.now - restart.since)
    until = values.format_time(restart.since)
    notice = Notice("Restarted", f"no pod is left that was created until {until}; it took {took}")
    return Move(situation.status.model_copy(update={"restart": None}), () if restart.stopped else (notice,))


def _counted(situation: Situation, restart: Restart) -> str:
    plan, total = situation.restart, situation.total
    if plan is None or plan.remaining is None:
        return "restart: pods are being counted"
    if restart.stopped:
        return f"restart stopped: {plan.ready} pods ready, going to {total}"
    if situation.recreates:
        going = f"{plan.remaining} old pods left, terminating ones included; new ones start once they are gone"
        return f"restart, downtime is meant: {going if plan.remaining else f'{plan.ready} of {total} new pods ready'}"
    until = values.format_time(restart.since)
    left = f"{plan.remaining} of {total} pods left from before {until}" if plan.remaining else "all pods are new"
    return f"restart: {left}; {plan.ready} of {plan.size} pods ready{pod_progress.pod_words(situation)}"


def _refused(situation: Situation) -> str:
    words = situation.seen.refusals
    more = f"; and {len(words) - 1} more" if len(words) > 1 else ""
    return f"{words[0]}{more}" if words else ""


def looks(situation: Situation) -> tuple[float, ...]:
    """Return when to look at the pods again, whatever else is waited for; nothing wakes us for them."""
    restart, held = situation.status.restart, situation.seen.rollout.paused or situation.supersedes_restart
    if restart is None or situation.restart is None or held:
        return ()
    begins = restart.since + restart_evictions.BEGINS_AFTER_SECONDS
    again = GO_ON_SECONDS if situation.restart.more else LOOK_SECONDS
    return (begins if situation.now < begins else situation.now + again,)


def restarting(situation: Situation) -> Rest | None:
    """Old pods are left, or more pods than wanted; a new version that is wanted goes first."""
    restart, stable = situation.status.restart, situation.stable
    if restart is None or stable is None or situation.restart is None or situation.supersedes_restart:
        return None
    again = looks(situation)
    message = _counted(situation, restart)
    if situation.seen.rollout.paused:
        return Rest(Phase.PAUSED, "Paused", f"{message}; {pause_messages.words(situation.seen.rollout)}")
    if refused := _refused(situation):
        stop = f"kubectl annotate {names.RESOURCE} {situation.seen.rollout.name} {names.ABORT}={names.ABORT_NOW}"
        return Rest(Phase.HOLDING, "RestartBlocked", f"{message}; {refused}; to stop the restart: {stop}", again)
    pods, limit = situation.pods(stable), pod_progress.deadline_seconds(situation)
    since = stable.progress.since if stable.progress else situation.second
    if pods.ready < pods.wanted and situation.now >= since + limit:
        message = f"no progress for {values.format_duration(limit)}: {message}"
        return Rest(Phase.DEGRADED, "PodsNotReady", message, again)
    return Rest(Phase.PROGRESSING, "Restarting", message, again)
