"""Users whose way back leads to a version without a ready pod: since when, and until when.

Owns what the status remembers of it. What is written to Services for it says `unready_stable`.
"""

from headgate.api.status import Abort, Canary
from headgate.core.model import Notice
from headgate.core.model.traffic import ServiceFacts
from headgate.core.rollout.outcomes import Move
from headgate.core.rollout.state import Situation
from headgate.core.traffic import unready_stable


def noted(situation: Situation) -> Move | None:
    """Note that nobody of stable serves while the version that leaves could, or that somebody does again."""
    canary, view = situation.flight, situation.view
    if canary is None or canary.abort is None or view is None or situation.recreates:
        return None
    leaving = canary.abort
    if not leaving.had_all or not unready_stable.stranded(view):
        served = leaving.unserved_since is None or max(view.stable.ready, view.stable.answering) == 0
        return None if served else _with(situation, leaving, unserved_since=None, rescued_since=None)
    if leaving.unserved_since is None:
        return _with(situation, leaving, unserved_since=situation.second)
    due = unready_stable.due_at(leaving)
    service = view.facts.stable
    away = isinstance(service, ServiceFacts) and service.selects == view.other_hash
    if leaving.rescued_since is not None or due is None or situation.now < due or away:
        return None
    return _rescued(situation, canary, leaving)


def led_away(situation: Situation) -> Move | None:
    """Return the move by which users are led to the version that leaves at once; None unless it alone can serve."""
    canary, view = situation.flight, situation.view
    if canary is None or canary.abort is None or view is None or not canary.abort.had_all:
        return None
    if canary.abort.rescued_since is not None or not unready_stable.stranded(view):
        return None
    return _rescued(situation, canary, canary.abort)


def _rescued(situation: Situation, canary: Canary, leaving: Abort) -> Move:
    text = f"none of its pods is ready: users are led to revision {canary.revision} until one is"
    number = situation.stable.revision if situation.stable else 0
    notice = Notice("UsersRescued", f"revision {number} is gone back to, and {text}", warning=True)
    now = situation.second
    moved = _with(situation, leaving, unserved_since=now, rescued_since=now, rescues=leaving.rescues + 1)
    return Move(moved.status, (notice,))


def _with(situation: Situation, leaving: Abort, **changes: object) -> Move:
    return Move(situation.with_canary(abort=leaving.model_copy(update=changes)))
