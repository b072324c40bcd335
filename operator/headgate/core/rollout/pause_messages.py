"""What is said where spec.paused stops something: that it does, and the command that lets it go on."""

from headgate.api import names
from headgate.core.model import RolloutFacts


def words(rollout: RolloutFacts) -> str:
    """Return that *rollout* is paused, and how it goes on."""
    return f"spec.paused is true{ended_by(rollout)}"


def ended_by(rollout: RolloutFacts) -> str:
    """Return what lets a paused *rollout* go on, with a leading separator."""
    patch = '{"spec":{"paused":false}}'
    return f"; to go on: kubectl patch {names.RESOURCE} {rollout.name} --type=merge -p '{patch}'"
