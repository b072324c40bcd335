"""How many pods a weight needs, and which weight pods can carry. Integers in, integers out."""

from headgate.core.model.percent import WHOLE
from headgate.core.replicas.pod_budget import Budget, Sizes


def needed(total: int, percent: int) -> int:
    """Return how many of *total* pods carry *percent* of the traffic."""
    return -(-total * percent // WHOLE)


def burdened(total: int, weight: int, mirrored: int) -> int:
    """Return how many of *total* pods carry *weight* and the copies of *mirrored* percent of all requests."""
    return needed(total, min(WHOLE, weight + mirrored))


def carries(ready: int, total: int) -> int:
    """Return the percentage of the traffic that *ready* of *total* pods carry, rounded up from the half on.

    What two versions carry that share all pods is then the whole: of 14 pods one carries 7 % and the others 93 %, where
    7.14 and 92.86 are exact. The larger side takes what is left over; there it is hardly felt. Were both rounded down,
    a surge of one pod would never get on: for 93 % stable would need 14.
    """
    if total == 0:
        return WHOLE
    return min(WHOLE, -(-WHOLE * ready // total) if 2 * ready > total else WHOLE * ready // total)


def carriers(total: int, percent: int) -> int:
    """Return the fewest of *total* pods that carry *percent*."""
    half = WHOLE // 2
    return needed(total, percent) if percent <= half else min(total, (percent - 1) * total // WHOLE + 1)


def goal(budget: Budget, percent: int, preview: int = 0) -> Sizes:
    """Return the sizes that *percent* means: the canary as large as its share, stable as whole as the surge allows.

    One stable pod stays whatever the share: callers inside the cluster know nothing of routes. Without any surge the
    canary is one pod short for that, which maxUnavailable allows. What is asked for beyond the share, as by *preview*,
    is bounded by what stable needs for the rest.
    """
    canary = needed(budget.total, percent)
    if preview > canary:
        kept = max(1, carriers(budget.total, WHOLE - percent) - budget.unavailable)
        canary = max(canary, min(preview, budget.most_pods - kept))
    canary = min(canary, max(0, budget.most_pods - 1))
    return Sizes(min(budget.total, max(0, budget.most_pods - canary)), canary)
