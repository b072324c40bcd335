"""What the metrics say about leaving the weight that a rollout has now."""

from headgate.core.analysis import evidence
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing


def analysis_evidence(situation: Situation) -> evidence.Evidence | None:
    """Return what the metrics say about leaving the present weight; None where nobody could be measured."""
    weight = situation.status.weight
    if weight is None or weight.since is None or situation.total == 0:
        return None
    metrics = metric_timing.proving(situation.seen.policy, weight.desired, situation.asked)
    states, now = situation.status.analysis, situation.now
    return evidence.evidence(metrics, states, weight.since, now, situation.seen.settle_seconds)


def found(situation: Situation) -> evidence.Evidence:
    """Return what the metrics say; nothing where there is nothing to say."""
    return analysis_evidence(situation) or evidence.Evidence()


def with_blindness(situation: Situation, message: str) -> str:
    """Return *message* with the metrics that have no value."""
    return "; ".join((message, *found(situation).blind))
