"""What stands in the way of each step forward: the spec, refusals, and Services or routes."""

from typing import Final

from headgate.api.status import Phase
from headgate.core.model import Identity
from headgate.core.rollout import revision_choice
from headgate.core.rollout.outcomes import Rest
from headgate.core.rollout.state import Situation
from headgate.core.traffic import drift
from headgate.core.traffic import problems as traffic_problems

ASK_AGAIN_SECONDS = 5.0
UNTOLD_SECONDS: Final = 2.0
"""For how long nothing is said or done but to go back while a dry run is not answered: usually it is in a moment."""
REFUSED_AGAIN_SECONDS = 60.0

TRAFFIC_ASK_AGAIN_SECONDS = 30.0
"""Objects that nobody labelled for us are not watched: while one is missing or wrong, it is looked at so often."""

TRAFFIC_ASK_SOON_SECONDS = 2.0
"""What the API server did not answer in earnest, such as with 429, it may answer by then."""


def unsound(situation: Situation) -> Rest | None:
    """The spec cannot be followed: nothing goes forward, decisions run on what was last accepted."""
    seen = situation.seen
    if situation.status.rollback is not None:
        return None  # what is wanted is on record, and not in the spec
    if seen.rollout.invalid:
        return Rest(Phase.HOLDING, "InvalidSpec", seen.rollout.invalid, stalled=True)
    if seen.target.identity is Identity.REFUSED:
        again = situation.now + REFUSED_AGAIN_SECONDS
        message = f"spec.template: the API server refuses it: {seen.target.message}"
        return Rest(Phase.HOLDING, "TemplateRefused", message, (again,), stalled=True)
    if seen.target.identity is Identity.UNKNOWN:
        message = f"whether the template is new is not known: {seen.target.message}"
        return Rest(Phase.HOLDING, "TemplateUnknown", message, (situation.now + ASK_AGAIN_SECONDS,))
    return None


def being_asked(situation: Situation) -> bool:
    """Return whether it was only just asked whether the template is new: what that means is known in a moment."""
    asked_seconds = situation.seen.target.asked_seconds
    return asked_seconds is not None and asked_seconds < UNTOLD_SECONDS


def refused(situation: Situation) -> Rest | None:
    """The API server refused what the present step needs."""
    seen = situation.seen
    words = (*seen.foreign, *seen.refusals)
    if not words:
        return None
    return Rest(Phase.HOLDING, "WriteRefused", "; ".join(words), (situation.now + REFUSED_AGAIN_SECONDS,))


def traffic_asked_again(situation: Situation) -> tuple[float, ...]:
    """Return when to look again at what is missing, wrong or could not be read: no watch may tell of it."""
    seen = situation.seen
    if not seen.routed or seen.traffic is None:
        return ()
    if any(found.passing for found in seen.traffic.unread):
        return (situation.now + TRAFFIC_ASK_SOON_SECONDS,)
    wrong = seen.traffic.unread or traffic_problems.problems(seen, _ahead(situation))
    # A Gateway may come to be of another class, which nobody tells of, while it copies requests.
    copies = situation.view is not None and situation.view.mirrored
    return (situation.now + TRAFFIC_ASK_AGAIN_SECONDS,) if wrong or copies else ()


def _ahead(situation: Situation) -> traffic_problems.Ahead:
    """Return the steps whose needs count."""
    if situation.is_rollback or situation.drills or revision_choice.leads_back(situation):
        return traffic_problems.Ahead()
    at = max(situation.step_at, 0)
    before = situation.plan[at - 1].weight_percent if at else 0
    return traffic_problems.Ahead(situation.plan[at:], before)


def unroutable(situation: Situation) -> Rest | None:
    """A route or a Service is missing or wrong: no weight is moved up until it is mended."""
    found = traffic_problems.problems(situation.seen, _ahead(situation))
    if not found:
        return None
    message = "; ".join(problem.message for problem in found)
    return Rest(Phase.HOLDING, found[0].reason, message)


def unseen(situation: Situation) -> Rest | None:
    """A revision became stable in this very pass: before a new one comes, its Services have to lead to it alone."""
    if not situation.seen.routed or situation.routing is not None:
        return None
    message = f"revision {situation.wanted_hash} waits: Services and routes of the stable one follow"
    return Rest(Phase.PROGRESSING, "MovingTraffic", message, (situation.now,))  # nothing else may happen for long


def contested(situation: Situation) -> Rest | None:
    """Somebody keeps changing a route or a Service back: it is repaired each time, and the steps wait."""
    found = situation.status.traffic
    quiet = drift.contested(found, situation.now)
    if found is None or quiet is None:
        return None
    reason = "SelectorContested" if " Service " in found.drift_by else "RouteContested"
    message = (
        f"{found.drift_by} {found.drift_count} times, and was put right each time; steps go on after a quiet minute"
    )
    return Rest(Phase.HOLDING, reason, message, (quiet,))
