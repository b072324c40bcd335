"""What is to be put on record and cannot be, because another object has the name of its ControllerRevision.

A policy is not accepted then, and no version starts by it: what serves goes on by the one that was accepted last. A
template is only told of: its version starts and can be promoted, for the Deployment holds it too. No step back asks for
either. It ends by itself once the object is deleted.
"""

from collections.abc import Iterable
from typing import Final

from headgate.api.status import Phase
from headgate.core.model import Observation
from headgate.core.revisions import identity
from headgate.core.rollout import revision_choice
from headgate.core.rollout.outcomes import Rest
from headgate.core.rollout.state import Situation

LOOK_SECONDS: Final = 30.0
"""An object without our label is not watched, so that nothing tells when it goes."""


def in_place_of(strangers: Iterable[str], name: str) -> str:
    """Return what is said of the one among *strangers* that stands where the record *name* is to be; empty if none."""
    return next((words for words in strangers if words.startswith(f"ControllerRevision {name} ")), "")


def of_policy(seen: Observation) -> str:
    """Return what is said of what stands where the record of the spec's policy is to be; empty if nothing does."""
    rollout = seen.rollout
    return in_place_of(seen.strangers, identity.policy_name(rollout.name, rollout.policy_hash))


def of_template(seen: Observation, revision_hash: str) -> str:
    """Return the same of the record of a revision's template."""
    return in_place_of(seen.strangers, identity.deployment_name(seen.rollout.name, revision_hash))


def looks(seen: Observation) -> tuple[float, ...]:
    """Return when to look again whether a name that is needed has become free."""
    taken = of_policy(seen) or of_template(seen, seen.rollout.template_hash)
    return (seen.now + LOOK_SECONDS,) if taken else ()


def waits(seen: Observation, accepted: str) -> str:
    """Return that the spec's policy waits for its record, beside the one that is *accepted*; or nothing."""
    words = of_policy(seen)
    if not words or seen.rollout.policy_hash == accepted:
        return ""
    return f"; the strategy, analysis and traffic of the spec wait to be put on record: {words}"


def taken(situation: Situation) -> Rest | None:
    """Another object has the name of the record of the policy by which a new version would start: that waits."""
    seen = situation.seen
    words = of_policy(seen) if seen.strangers else ""
    if not words or revision_choice.leads_back(situation):
        return None
    message = f"revision {situation.wanted_hash} waits until it can be put on record: {words}"
    return Rest(Phase.HOLDING, "RecordTaken", message, looks(seen))
