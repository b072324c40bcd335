"""What is done where the status does not say which revisions serve: nothing is written, to it or to any pod.

A newer Headgate knows what it means, and goes on by it once it is back. Until then people can ask for one thing, where
at least the stable revision is understood: that users are led to it. Its Service and routes are all that is written for
that. The command stays where it is, for the version that understands the rest.
"""

import dataclasses
from typing import Final

from headgate.api import names
from headgate.api.status import Phase
from headgate.core.model import Decision, Notice, Observation, Part
from headgate.core.model.actions import Action, SelectRevision, SetWeights
from headgate.core.rollout import missing_reads, refresh, traffic_actions, workload_actions
from headgate.core.rollout.rules import abort
from headgate.core.rollout.state import Situation

RULE: Final = "unreadable_status"
LOOK_SECONDS: Final = 60.0


def held(seen: Observation) -> Decision | None:
    """Return what follows where it is not known who serves; None where it is."""
    if Part.STATUS not in seen.unread:
        return None
    situation = refresh.opened(_alone(seen))
    message = (
        f"{missing_reads.words({Part.STATUS: seen.unread[Part.STATUS]})}; no pod and no status is written. "
        "Run the version of Headgate that wrote it"
    )
    wanted = _wanted_home(seen)
    if seen.status.stable is not None:
        message += f", or lead all users to revision {seen.status.stable.hash} with {names.ABORT}={names.ABORT_NOW}"
    again = seen.now + (missing_reads.ASK_SECONDS if wanted else LOOK_SECONDS)
    status = seen.status.model_copy(update={"phase": Phase.HOLDING})
    notice = Notice("StatusUnreadable", message, warning=True)
    actions = (*(_home(situation) if wanted else ()), *_let_go(situation))
    return Decision(RULE, status, write_status=False, actions=actions, notices=(notice,), recheck_at=again, urgent=True)


def _wanted_home(seen: Observation) -> bool:
    """Return whether people want nothing more than that users are with the stable revision."""
    stable, told = seen.status.stable, seen.rollout.annotations
    if stable is None:
        return False
    back = told.get(names.ROLLBACK_TO, "").strip() in (stable.hash, str(stable.revision))
    return back or names.ABORT in told or seen.rollout.deleting


def _alone(seen: Observation) -> Observation:
    """Return *seen* as where the stable revision stands alone: what else is understood is not to have any users."""
    alone = {"canary": None, "previous": None, "rollback": None, "step": None, "weight": None}
    return dataclasses.replace(seen, status=seen.status.model_copy(update=alone))


def _home(situation: Situation) -> list[Action]:
    """Return the writes that lead users to stable, by the plan that holds where it stands alone."""
    return [
        action
        for action in traffic_actions.actions(situation)
        if (isinstance(action, SetWeights) and action.percent == 0)
        or (isinstance(action, SelectRevision) and missing_reads.leads_home(situation, action))
    ]


def _let_go(situation: Situation) -> list[Action]:
    """Return what lets a deletion go that has been held for as long as one may be."""
    rollout = situation.seen.rollout
    late = rollout.deleting and situation.now >= rollout.deleted + abort.BLIND_PARTING_SECONDS
    return workload_actions.release(situation) if late else []
