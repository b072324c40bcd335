"""Which metrics are judged, and which have to pass, at which weight and in which step. The table is in `traits`."""

from collections.abc import Collection

from headgate.api import spec
from headgate.api.spec import Metric, Policy
from headgate.core.analysis.providers import prometheus
from headgate.core.model.percent import WHOLE
from headgate.core.strategies import traits

Metrics = tuple[Metric, ...]


# --- metrics ----------------------------------------------------------------------------------------------------------


def judged(policy: Policy | None, weight_percent: int, asked: Collection[str] = ()) -> Metrics:
    """Return the metrics that are judged at a weight, in a step that has *asked* for some of them."""
    metrics = policy.analysis.metrics if policy else ()
    if policy is None or policy.strategy.blue_green is None:
        chosen = [one for one in metrics if not one.when or spec.BACKGROUND in one.when or one.name in asked]
        return tuple(chosen)
    moment = spec.POST_PROMOTION if weight_percent == WHOLE else spec.PRE_PROMOTION
    return tuple(metric for metric in metrics if {moment, spec.BACKGROUND} & {*metric.judged})


def first(policy: Policy | None) -> Metrics:
    """Return the metrics that the very first revision is judged by."""
    return tuple(metric for metric in policy.analysis.metrics if spec.FIRST in metric.judged) if policy else ()


def proving(policy: Policy | None, weight_percent: int, asked: Collection[str] = ()) -> Metrics:
    """Return the metrics that have to pass before a weight is left for a higher one, or a step that has *asked*."""
    metrics = judged(policy, weight_percent, asked)
    if weight_percent:
        return metrics
    # Nobody gets the new version, so that there is nothing to measure but what a preview gets.
    return tuple(metric for metric in metrics if spec.PRE_PROMOTION in metric.judged or metric.name in asked)


def late(
    policy: Policy | None, weight_percent: int, asked: Collection[str] = (), *, is_rollback: bool = False
) -> frozenset[str]:
    """Return the metrics by which nothing counts that they look back on before the weight held.

    What *is_rollback* to an earlier revision is not blamed for what the later one still does to users meanwhile, by a
    metric that does not ask about the canary alone.
    """
    if traits.recreates(policy):
        return frozenset(metric.name for metric in judged(policy, weight_percent))
    if is_rollback:
        found = judged(policy, weight_percent)
        return frozenset(metric.name for metric in found if prometheus.CANARY not in metric.prometheus.query)
    if not asked and (weight_percent or not traits.previews(policy)):
        return frozenset()
    metrics = proving(policy, weight_percent, asked)
    return frozenset(metric.name for metric in metrics if spec.BACKGROUND not in metric.judged)
