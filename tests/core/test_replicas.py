"""The arithmetic of weights, surge and budgets, by table and for every small number."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api import strategy
from headgate.core.replicas import pod_budget, pod_ratio
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes

TOTALS = st.integers(0, 60)
WEIGHTS = st.integers(0, 100)
COUNTS = st.one_of(st.integers(0, 70), st.integers(0, 100).map(lambda percent: f"{percent}%"))


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    """Return a budget that a valid strategy can have."""
    surge, unavailable = draw(COUNTS), draw(COUNTS)
    if surge in (0, "0%") and unavailable in (0, "0%"):
        surge = 1
    canary = strategy.Canary.model_validate({"maxSurge": surge, "maxUnavailable": unavailable})
    return pod_budget.budget(canary, draw(TOTALS))


@pytest.mark.parametrize(
    ("total", "surge", "unavailable", "expected"),
    [
        (10, "25%", 0, Budget(10, 3, 0)),
        (10, 0, "25%", Budget(10, 0, 2)),
        (3, "10%", "10%", Budget(3, 1, 0)),
        (2, "0%", "25%", Budget(2, 0, 1)),
        (4, 1, 9, Budget(4, 1, 4)),
        (1, 0, 1, Budget(1, 1, 1)),
        (1, "0%", "50%", Budget(1, 1, 0)),
        (1, 3, 0, Budget(1, 3, 0)),
        (0, "25%", 0, Budget(0, 0, 0)),
        (100_000, "1%", "1%", Budget(100_000, 1000, 1000)),
    ],
)
def test_budget(total: int, surge: int | str, unavailable: int | str, expected: Budget) -> None:
    """Surge is rounded up and unavailable down, and some exchange is always possible."""
    canary = strategy.Canary.model_validate({"maxSurge": surge, "maxUnavailable": unavailable})

    assert expected == pod_budget.budget(canary, total)


def test_budget_of_no_policy() -> None:
    """Where no policy is known, the budget is that of the defaults."""
    assert Budget(8, 2, 0) == pod_budget.budget(None, 8)


@pytest.mark.parametrize(
    ("bounds", "weight", "expected"),
    [
        (Budget(10, 3, 0), 0, Sizes(10, 0)),
        (Budget(10, 3, 0), 100, Sizes(0, 10)),
        (Budget(10, 3, 0), 20, Sizes(8, 2)),
        (Budget(10, 3, 0), 25, Sizes(9, 3)),
        (Budget(10, 3, 0), 5, Sizes(10, 1)),
        (Budget(10, 3, 0), 99, Sizes(1, 12)),
        (Budget(10, 0, 1), 5, Sizes(9, 1)),
        (Budget(10, 0, 1), 25, Sizes(8, 2)),
        (Budget(1, 1, 0), 5, Sizes(1, 1)),
        (Budget(1, 1, 0), 100, Sizes(0, 1)),
        (Budget(2, 0, 1), 99, Sizes(1, 1)),
        (Budget(2, 1, 0), 33, Sizes(2, 1)),
        (Budget(0, 5, 0), 50, Sizes(0, 0)),
        (Budget(3, 500, 0), 50, Sizes(2, 2)),
        (Budget(60, 60, 0), 1, Sizes(60, 1)),
    ],
)
def test_split(bounds: Budget, weight: int, expected: Sizes) -> None:
    """A weight is the nearest pod ratio within the surge, with the fewest pods."""
    assert expected == pod_ratio.split(bounds, weight)


@given(budgets(), WEIGHTS)
def test_split_stays_within_bounds(bounds: Budget, weight: int) -> None:
    """No weight needs more pods than the surge allows, more stable pods than replicas, or leaves a side without one."""
    sizes = pod_ratio.split(bounds, weight)

    assert bounds.total <= sizes.stable + sizes.canary <= bounds.most_pods
    assert 0 <= sizes.stable <= bounds.total
    if bounds.total and 0 < weight < 100:
        assert sizes.stable >= 1
        assert sizes.canary >= 1


@given(budgets(), st.integers(1, 99))
def test_split_is_nearest(bounds: Budget, weight: int) -> None:
    """No other pair of sizes within the surge comes nearer to the weight."""
    if bounds.total == 0:
        return
    sizes = pod_ratio.split(bounds, weight)

    def error(canary: int, pods: int) -> float:
        return abs(canary / pods - weight / 100)

    pods = range(bounds.total, bounds.most_pods + 1)
    others = ((canary, all_) for all_ in pods for canary in range(max(1, all_ - bounds.total), all_))
    best = min(error(canary, all_) for canary, all_ in others)
    assert error(sizes.canary, sizes.stable + sizes.canary) <= best + 1e-9


@given(budgets(), WEIGHTS, WEIGHTS)
def test_split_grows_with_weight(bounds: Budget, one: int, other: int) -> None:
    """A greater weight never means a smaller share of canary pods."""
    low, high = (pod_ratio.split(bounds, weight) for weight in sorted((one, other)))

    assert low.canary * (high.stable + high.canary) <= high.canary * (low.stable + low.canary)


@given(budgets(), WEIGHTS, WEIGHTS)
def test_approach_arrives(bounds: Budget, start: int, end: int) -> None:
    """From any weight to any other the goal is reached, never beyond the surge nor below what must be available."""
    at, goal = pod_ratio.split(bounds, start), pod_ratio.split(bounds, end)
    stable = Pods(at.stable, at.stable, at.stable)
    canary = Pods(at.canary, at.canary, at.canary)
    for _ in range(4 * bounds.total + 10):
        if pod_ratio.reached(goal, stable, canary):
            break
        asked = pod_ratio.approach(bounds, goal, stable, canary)
        assert (asked.stable, asked.canary) != (stable.wanted, canary.wanted)
        assert asked.stable + asked.canary <= bounds.most_pods
        # What is added is not ready at once; what is removed is.
        assert min(asked.stable, stable.ready) + min(asked.canary, canary.ready) >= bounds.least_ready
        stable, canary = (Pods(size, size, size) for size in (asked.stable, asked.canary))
    assert pod_ratio.reached(goal, stable, canary)


@given(budgets(), WEIGHTS, st.data())
def test_approach_takes_nobody_away(bounds: Budget, weight: int, data: st.DataObject) -> None:
    """From any state at all, nothing is removed that the budget needs, and no more is added than the surge has room."""
    goal = pod_ratio.split(bounds, weight)
    pods = []
    for _ in range(2):
        wanted, existing = data.draw(TOTALS), data.draw(TOTALS)
        pods.append(Pods(wanted, existing, data.draw(st.integers(0, min(wanted, existing)))))
    stable, canary = pods
    asked = pod_ratio.approach(bounds, goal, stable, canary)
    left = min(asked.stable, stable.ready) + min(asked.canary, canary.ready)

    assert left >= min(bounds.least_ready, stable.ready + canary.ready)
    grown = max(0, asked.stable - stable.wanted) + max(0, asked.canary - canary.wanted)
    assert grown <= max(0, bounds.most_pods - stable.counted - canary.counted)
    for size, before, end in zip(
        (asked.stable, asked.canary), (stable, canary), (goal.stable, goal.canary), strict=True
    ):
        assert min(before.wanted, end) <= size <= max(before.wanted, end)


@pytest.mark.parametrize(
    ("goal", "stable", "canary", "expected"),
    [
        (Sizes(8, 2), Pods(10, 10, 10), Pods(), Sizes(10, 2)),
        (Sizes(8, 2), Pods(10, 10, 10), Pods(2, 2, 0), Sizes(10, 2)),
        (Sizes(8, 2), Pods(10, 10, 10), Pods(2, 2, 1), Sizes(9, 2)),
        (Sizes(8, 2), Pods(10, 10, 9), Pods(2, 2, 2), Sizes(8, 2)),
        (Sizes(0, 10), Pods(10, 10, 10), Pods(), Sizes(10, 3)),
        (Sizes(0, 10), Pods(10, 10, 10), Pods(3, 3, 3), Sizes(7, 3)),
        (Sizes(0, 10), Pods(7, 10, 7), Pods(3, 3, 3), Sizes(7, 3)),
        (Sizes(10, 0), Pods(0, 0, 0), Pods(10, 10, 10), Sizes(3, 10)),
        (Sizes(8, 2), Pods(8, 8, 8), Pods(5, 5, 4), Sizes(8, 2)),
        (Sizes(8, 2), Pods(8, 8, 5), Pods(5, 5, 5), Sizes(8, 5)),
        (Sizes(8, 2), Pods(3, 3, 3), Pods(0, 0, 0), Sizes(8, 2)),
        (Sizes(10, 3), Pods(6, 6, 6), Pods(0, 0, 0), Sizes(10, 3)),
        (Sizes(5, 5), Pods(8, 8, 8, settled=False), Pods(5, 5, 5), Sizes(8, 5)),
        (Sizes(8, 2), Pods(8, 8, 8, settled=False), Pods(5, 5, 5), Sizes(8, 5)),
    ],
)
def test_approach(goal: Sizes, stable: Pods, canary: Pods, expected: Sizes) -> None:
    """One pass grows into the room and shrinks by what can be spared: 10 replicas, surge 3, none unavailable."""
    assert expected == pod_ratio.approach(Budget(10, 3, 0), goal, stable, canary)


@pytest.mark.parametrize(
    ("unavailable", "stable", "canary", "waits", "expected"),
    [
        (0, Pods(8, 8, 8), Pods(2, 2, 2), 0, Sizes(10, 2)),
        (0, Pods(10, 10, 9), Pods(2, 2, 2), 0, Sizes(10, 1)),
        (0, Pods(10, 10, 9), Pods(2, 2, 2), 1, Sizes(10, 0)),
        (0, Pods(10, 10, 10), Pods(2, 2, 2), 0, Sizes(10, 0)),
        (2, Pods(8, 8, 8), Pods(2, 2, 2), 0, Sizes(10, 0)),
        (0, Pods(0, 0, 0), Pods(10, 10, 4), 0, Sizes(10, 4)),
        (0, Pods(10, 10, 0), Pods(10, 10, 10), 9, Sizes(10, 10)),
        (0, Pods(10, 10, 1), Pods(9, 9, 9), 1, Sizes(10, 6)),
        (0, Pods(10, 10, 1), Pods(9, 9, 9), 3, Sizes(10, 0)),
        (0, Pods(5, 5, 5), Pods(5, 5, 0), 0, Sizes(10, 0)),
        (0, Pods(12, 12, 12), Pods(5, 5, 5), 0, Sizes(10, 0)),
        (0, Pods(10, 10, 10, settled=False), Pods(2, 2, 2), 0, Sizes(10, 2)),
        (0, Pods(8, 8, 8), Pods(2, 0, 0, settled=False), 0, Sizes(10, 2)),
    ],
)
def test_retreat(unavailable: int, stable: Pods, canary: Pods, waits: int, expected: Sizes) -> None:
    """An abort wants all of stable at once, and keeps what it cannot do without yet, but not for ever."""
    assert expected == pod_ratio.retreat(Budget(10, 3, unavailable), stable, canary, waits)


@given(budgets(), WEIGHTS, st.integers(0, 60))
def test_retreat_keeps_capacity(bounds: Budget, weight: int, lost: int) -> None:
    """An abort at any weight removes no pod that the budget needs, and ends with stable alone once that is ready."""
    at = pod_ratio.split(bounds, weight)
    stable = Pods(at.stable, at.stable, max(0, at.stable - lost))
    canary = Pods(at.canary, at.canary, at.canary)
    asked = pod_ratio.retreat(bounds, stable, canary, 0)
    whole = Pods(bounds.total, bounds.total, bounds.total)

    assert asked.stable == bounds.total
    assert asked.canary <= canary.wanted
    assert stable.ready + asked.canary >= min(bounds.least_ready, stable.ready + canary.ready)
    assert pod_ratio.retreat(bounds, whole, Pods(asked.canary, asked.canary, asked.canary), 0) == Sizes(bounds.total, 0)


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        (Pods(8, 8, 8), Pods(2, 2, 2), True),
        (Pods(8, 8, 8), Pods(2, 2, 1), False),
        (Pods(8, 9, 8), Pods(2, 2, 2), False),
        (Pods(9, 9, 9), Pods(2, 2, 2), False),
        (Pods(7, 7, 7), Pods(2, 2, 2), False),
        (Pods(8, 8, 8), Pods(3, 3, 3), False),
        (Pods(8, 8, 7), Pods(2, 2, 2), True),
        (Pods(8, 8, 0), Pods(2, 2, 2), True),
        (Pods(8, 8, 8), Pods(2, 5, 2), True),
    ],
)
def test_reached(stable: Pods, canary: Pods, *, expected: bool) -> None:
    """A weight holds when its canary pods are ready and surplus stable ones are gone, whatever ails stable itself."""
    assert expected == pod_ratio.reached(Sizes(8, 2), stable, canary)


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [(8, 2, 20), (0, 0, 0), (0, 3, 100), (2, 1, 33), (1, 2, 67), (7, 1, 13), (199, 1, 1)],
)
def test_share(stable: int, canary: int, expected: int) -> None:
    """The achieved weight is the canary's share of the pods that are ready, rounded half up."""
    assert expected == pod_ratio.share_percent(Pods(stable, stable, stable), Pods(canary, canary, canary))


def test_every_small_total_and_weight() -> None:
    """For up to 12 replicas, every weight and every surge, both sides have a pod and the surge is kept."""
    for total, weight, surge in itertools.product(range(1, 13), range(1, 100), range(4)):
        bounds = Budget(total, max(surge, 1) if total == 1 else surge, 1)
        sizes = pod_ratio.split(bounds, weight)
        assert min(sizes.stable, sizes.canary) >= 1
        assert sizes.stable + sizes.canary <= bounds.most_pods


@pytest.mark.parametrize(
    ("goal", "ready", "canary", "expected"),
    [
        (Sizes(16, 4), 16, 0, Sizes(16, 4)),
        (Sizes(16, 4), 8, 0, Sizes(18, 2)),
        (Sizes(16, 4), 8, 3, Sizes(17, 3)),
        (Sizes(16, 4), 3, 0, Sizes(20, 0)),
        (Sizes(19, 5), 3, 0, Sizes(20, 0)),
        (Sizes(10, 10), 5, 5, Sizes(15, 5)),
        (Sizes(0, 20), 3, 5, Sizes(0, 20)),
    ],
)
def test_a_canary_keeps_in_step(goal: Sizes, ready: int, canary: int, expected: Sizes) -> None:
    """It has its share of the pods that are available, and stable is as large meanwhile as both are to be."""
    assert expected == pod_ratio.in_step(Budget(20, 5, 0), goal, Pods(20, 20, ready), Pods(canary))
