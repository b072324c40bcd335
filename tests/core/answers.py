"""What a test asks of a Decision, in the words of its truths."""

import re
from typing import Final

from headgate.api import status as api
from headgate.core import model
from headgate.core.model import actions

GO_ON: Final = """; to go on: kubectl patch rollouts.headgate.dev web --type=merge -p '{"spec":{"paused":false}}'"""
"""What is said where spec.paused stops something."""


def retried(revision_hash: str) -> str:
    """Return what is said of a revision that was taken back."""
    return f"; to try it again: kubectl annotate rollouts.headgate.dev web headgate.dev/retry={revision_hash}"


def sizes(decision: model.Decision) -> dict[str, int]:
    """Return the sizes that Deployments are created with or scaled to, by hash."""
    kinds = (actions.ScaleDeployment, actions.CreateDeployment)
    return {action.hash: action.replicas for action in decision.actions if isinstance(action, kinds)}


def reasons(decision: model.Decision) -> list[str]:
    """Return the reasons of all Events."""
    return [notice.reason for notice in decision.notices]


def said(decision: model.Decision, reason: str) -> str:
    """Return the message of the one Event with *reason*."""
    (message,) = [notice.message for notice in decision.notices if notice.reason == reason]
    return message


def condition(decision: model.Decision, name: str) -> api.Condition | None:
    """Return a condition of the decided status."""
    return next((known for known in decision.status.conditions if known.type == name), None)


def plain(message: str) -> str:
    """Return *message* without what it adds in brackets: when there can be enough evidence, the pods of a weight."""
    return re.sub(r" \((enough by [^)]*|\d+ of \d+ pods)\)", "", message)


def ready(decision: model.Decision) -> tuple[str, str]:
    """Return reason and plain message of the Ready condition."""
    found = condition(decision, "Ready")
    return (found.reason, plain(found.message)) if found else ("", "")


def ending(decision: model.Decision) -> api.Ending | str | None:
    """Return how the canary's rollout ends, if it is leaving."""
    canary = decision.status.canary
    return canary.abort.ending if canary and canary.abort else None


def weight(decision: model.Decision) -> int | None:
    """Return the weight that is wanted."""
    return decision.status.weight.desired if decision.status.weight else None


def step(decision: model.Decision) -> int | None:
    """Return the number of the step."""
    return decision.status.step.index if decision.status.step else None
