"""The arithmetic of a restart: who goes, how many there are meanwhile, and when it is over."""

import dataclasses
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.model import PodFacts
from headgate.core.replicas import restart_evictions
from headgate.core.replicas.pod_budget import Budget

NOW, SINCE = 1000.0, 500


def pods(*, old: int = 0, new: int = 0, starting: int = 0, idle: int = 0, leaving: int = 0) -> tuple[PodFacts, ...]:
    """Return pods: old and new ones that are ready, new ones that are starting, old ones that are not ready."""
    kinds = (
        ("old", old, SINCE, 400),
        ("new", new, SINCE + 1, 600),
        ("starting", starting, SINCE + 1, None),
        ("idle", idle, SINCE - 100, None),
        ("leaving", leaving, SINCE, 400),
    )
    return tuple(
        PodFacts(f"{kind}-{number}", f"uid-{kind}-{number}", created, since, leaving=kind == "leaving")
        for kind, count, created, since in kinds
        for number in range(count)
    )


def view(
    of: Iterable[PodFacts] | None, wanted: int = 10, *, budget: Budget | None = None, **more: bool
) -> restart_evictions.View:
    """Return what a plan for ten pods with a surge of three is made from."""
    fields = {"holds": False, "recreates": False, **more}
    found = tuple(of) if of is not None else None
    return restart_evictions.View(NOW, SINCE, budget or Budget(10, 3, 0), wanted, 0, found, **fields)


def names(plan: restart_evictions.Plan) -> list[str]:
    """Return who goes, without numbers."""
    return [pod.name.split("-")[0] for pod in plan.evict]


@pytest.mark.parametrize(
    ("there", "wanted", "size", "going"),
    [
        (pods(old=10), 10, 13, []),
        (pods(old=10, starting=3), 13, 13, []),
        (pods(old=10, new=2, starting=1), 13, 13, ["old"] * 2),
        (pods(old=10, new=3), 13, 13, ["old"] * 3),
        (pods(old=7, new=3, leaving=3), 13, 13, []),
        (pods(old=7, new=3, starting=3, leaving=3), 13, 13, []),
        (pods(old=7, new=6), 13, 13, ["old"] * 3),
        (pods(old=2, new=11), 13, 12, ["old"] * 2),
        (pods(old=1, new=11), 13, 11, ["old"]),
        (pods(new=13), 13, 10, []),
        (pods(old=8, idle=2), 10, 13, ["idle"] * 2),
        (pods(old=5, idle=5), 10, 13, ["idle"] * 3),
        (pods(old=8, idle=2, new=3), 13, 13, ["idle"] * 2 + ["old"]),
        (pods(old=8, idle=2, starting=3), 13, 13, []),
    ],
)
def test_who_goes(there: tuple[PodFacts, ...], wanted: int, size: int, going: list[str]) -> None:
    """Surge first; then as many old pods as new ones are ready, whoever carries nobody before all others."""
    plan = restart_evictions.plan(view(there, wanted))

    assert (size, going) == (plan.size, names(plan))


@pytest.mark.parametrize(("ready_since", "going"), [(int(NOW), 0), (int(NOW) - 2, 0), (int(NOW) - 3, 3)])
def test_no_old_pod_goes_for_one_that_users_may_not_reach_yet(ready_since: int, going: int) -> None:
    """H1: that a pod is ready takes a moment to become known to what leads users there."""
    fresh = tuple(dataclasses.replace(pod, ready_since=ready_since) for pod in pods(new=3))

    assert going == len(restart_evictions.plan(view((*pods(old=10), *fresh), 13)).evict)


@pytest.mark.parametrize(("total", "surge", "going"), [(1, 0, 1), (2, 0, 1), (4, 0, 3), (4, 4, 3)])
def test_somebody_stays(total: int, surge: int, going: int) -> None:
    """Though all may be unavailable, routes lead to somebody, as in a rollout."""
    plan = restart_evictions.plan(view(pods(old=total), total, budget=Budget(total, surge, total)))

    assert going == len(plan.evict)


def test_the_eldest_goes_first() -> None:
    """Among pods that serve, the order is that of their age."""
    there = [dataclasses.replace(pod, created=SINCE - 10 * (at % 4)) for at, pod in enumerate(pods(old=10))]
    plan = restart_evictions.plan(view([*there, *pods(new=3)], 13))

    assert ["old-3", "old-7", "old-2"] == [pod.name for pod in plan.evict]


@pytest.mark.parametrize(
    ("budget", "size", "going"),
    [
        (Budget(10, 0, 2), 10, 2),
        (Budget(10, 10, 0), 13, 0),
        (Budget(10, 1, 1), 11, 1),
        (Budget(2, 2, 0), 3, 0),
        (Budget(1, 1, 0), 2, 0),
        (Budget(1, 0, 1), 1, 1),
    ],
)
def test_surge_and_unavailable_bound_it(budget: Budget, size: int, going: int) -> None:
    """The strategy's bounds hold, and a quarter of the pods at most starts beside the others."""
    plan = restart_evictions.plan(view(pods(old=budget.total), budget.total, budget=budget))

    assert (size, going) == (plan.size, len(plan.evict))


@pytest.mark.parametrize(
    ("there", "wanted", "done"),
    [
        (pods(new=10), 10, True),
        (pods(new=10), 13, False),
        (pods(new=9, starting=1), 10, False),
        (pods(old=1, new=10), 10, False),
        (pods(new=10, leaving=2), 10, True),
    ],
)
def test_when_it_is_over(there: tuple[PodFacts, ...], wanted: int, *, done: bool) -> None:
    """No old pod is left, all are ready, and none is too many."""
    assert done == restart_evictions.plan(view(there, wanted)).done


def test_of_no_pods_it_is_over() -> None:
    """A Rollout of no replicas has nothing to restart."""
    assert restart_evictions.plan(view((), 0, budget=Budget(0, 0, 0))) == restart_evictions.Plan(
        0, remaining=0, done=True
    )


@pytest.mark.parametrize("recreates", [False, True])
def test_nothing_begins_in_the_second_of_the_command(*, recreates: bool) -> None:
    """A pod that came in it would be taken for an old one."""
    early = dataclasses.replace(view(pods(old=10), recreates=recreates), now=SINCE + 0.9)
    assert restart_evictions.plan(early) == restart_evictions.Plan(10, remaining=10, ready=10)
    assert restart_evictions.plan(dataclasses.replace(early, now=SINCE + 1.0)).size != 10


def test_min_ready_seconds_count() -> None:
    """A new pod carries only when it has been ready for as long as the user asks."""
    waits = dataclasses.replace(view(pods(old=10, new=3), 13), min_ready_seconds=401)
    assert restart_evictions.plan(waits).evict == ()
    assert 3 == len(restart_evictions.plan(dataclasses.replace(waits, min_ready_seconds=400)).evict)


@pytest.mark.parametrize("recreates", [False, True])
@pytest.mark.parametrize(("wanted", "size"), [(10, 10), (12, 12), (13, 13), (20, 13), (4, 10)])
def test_what_is_unknown_or_held_changes_nothing(wanted: int, size: int, *, recreates: bool) -> None:
    """Where pods cannot be read, or something else goes first, none goes, and the size stays within its bounds."""
    budget = Budget(10, 0, 0) if recreates else Budget(10, 3, 0)
    expected = 10 if recreates else size
    unread = restart_evictions.plan(view(None, wanted, recreates=recreates, budget=budget))
    held = restart_evictions.plan(view(pods(old=10), wanted, holds=True, recreates=recreates, budget=budget))

    assert (expected, (), None) == (unread.size, unread.evict, unread.remaining)
    assert (expected, (), 10) == (held.size, held.evict, held.remaining)


@pytest.mark.parametrize(
    ("there", "wanted", "size", "done"),
    [
        (pods(old=10), 10, 0, False),
        (pods(leaving=3), 0, 0, False),
        (pods(new=1), 0, 0, False),
        ((), 0, 10, False),
        (pods(starting=10), 10, 10, False),
        (pods(new=10), 10, 10, True),
    ],
)
def test_recreate_goes_to_nothing_and_comes_back(
    there: tuple[PodFacts, ...], wanted: int, size: int, *, done: bool
) -> None:
    """While a single object is left, nothing starts; and nothing is evicted, since downtime is meant."""
    plan = restart_evictions.plan(view(there, wanted, recreates=True, budget=Budget(10, 0, 0)))

    assert (size, (), done) == (plan.size, plan.evict, plan.done)
    held = restart_evictions.plan(view(there, wanted, recreates=True, budget=Budget(10, 0, 0), holds=True))
    assert held.size == (0 if wanted == 0 and there else 10)


@given(
    total=st.integers(1, 12),
    surge=st.integers(0, 12),
    unavailable=st.integers(0, 3),
    old=st.integers(0, 14),
    new=st.integers(0, 14),
    starting=st.integers(0, 5),
    idle=st.integers(0, 5),
)
def test_capacity_is_never_given_away(
    total: int, surge: int, unavailable: int, old: int, new: int, starting: int, idle: int
) -> None:
    """Whoever goes, as many pods serve as the budget asks for, or as did before; and the surge is kept."""
    budget = Budget(total, max(surge, 0 if unavailable else 1), min(unavailable, total))
    there = pods(old=old, new=new, starting=starting, idle=idle)
    plan = restart_evictions.plan(view(there, len(there), budget=budget))
    serving = [pod for pod in there if pod.ready_since is not None]
    left = [pod for pod in serving if pod not in plan.evict]

    assert len(left) >= min(len(serving), budget.least_ready)
    assert total <= plan.size <= budget.most_pods
    assert all(pod.created <= SINCE for pod in plan.evict)
    assert min(len(left), plan.size) >= min(len(serving), plan.size, budget.least_ready)


@pytest.mark.parametrize("unavailable", [0, 300, 1000])
def test_one_pass_takes_few_away(unavailable: int) -> None:
    """Of a thousand pods, however many may be missing, one pass evicts twenty, and its plan says that more can go."""
    there = pods(old=1000 - unavailable, idle=unavailable, new=250)
    plan = restart_evictions.plan(view(there, 1250, budget=Budget(1000, 1000, unavailable)))
    assert (len(plan.evict), plan.more) == (restart_evictions.EVICTIONS_MAX, True)
    few = restart_evictions.plan(view(pods(old=10, new=3), 13))
    assert (len(few.evict), few.more) == (3, False)


def test_passes_go_on_until_none_is_left() -> None:
    """What one pass leaves, the next ones take, in the same order; none is taken twice."""
    there, gone = pods(idle=90), list[str]()
    for _ in range(10):
        left = [pod for pod in there if pod.name not in gone]
        plan = restart_evictions.plan(view(left, 100, budget=Budget(100, 0, 100)))
        gone += [pod.name for pod in plan.evict]
        assert plan.more == (len(left) > restart_evictions.EVICTIONS_MAX)
    assert len(gone) == len(set(gone)) == 90
