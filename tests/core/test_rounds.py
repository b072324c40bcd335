"""Turns go round over namespaces, and items keep their order within one."""

import collections

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.round_robin import RoundRobin

ITEMS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=40)


def waiting(items: list[tuple[str, int]]) -> RoundRobin[tuple[str, int]]:
    """Return rounds in which *items* wait, each in the namespace that it names first."""
    rounds: RoundRobin[tuple[str, int]] = RoundRobin()
    for item in items:
        rounds.add(item[0], item)
    return rounds


def taken(rounds: RoundRobin[tuple[str, int]]) -> list[tuple[str, int]]:
    """Take all, in order."""
    found = []
    while (item := rounds.take()) is not None:
        found.append(item)
    return found


@given(ITEMS)
def test_each_item_has_its_turn_once_and_in_order(items: list[tuple[str, int]]) -> None:
    """However they came, each is taken once, and those of one namespace in the order in which they came."""
    rounds = waiting(items)
    once = list(dict.fromkeys(items))
    assert len(rounds) == len(once)
    assert sorted(rounds) == sorted(once)
    order = taken(rounds)
    for namespace in "abcd":
        mine = [item for item in once if item[0] == namespace]
        assert mine == [item for item in order if item[0] == namespace]
    assert len(rounds) == 0


@given(ITEMS)
def test_a_namespace_waits_for_one_turn_of_each_other(items: list[tuple[str, int]]) -> None:
    """Between two turns of a namespace that has something left, no other has two."""
    order = taken(waiting(items))
    for at, item in enumerate(order):
        after = order[at + 1 :]
        between = after[: next((n for n, other in enumerate(after) if other[0] == item[0]), 0)]
        assert all(count == 1 for count in collections.Counter(other[0] for other in between).values())


@given(ITEMS, st.sets(st.sampled_from("abcd")))
def test_who_may_have_no_turn_keeps_its_place(items: list[tuple[str, int]], barred: set[str]) -> None:
    """A namespace that is barred is passed over, and nothing of it is lost or moved."""
    rounds, before = waiting(items), taken(waiting([item for item in items if item[0] in barred]))

    def allowed(namespace: str) -> bool:
        return namespace not in barred

    others = {item for item in items if item[0] not in barred}
    assert rounds.may_take(allowed) == bool(others)
    found = list(iter(lambda: rounds.take(allowed), None))
    assert set(found) == others
    assert taken(rounds) == before


def test_items_that_are_gone_have_no_turn() -> None:
    """What is discarded is not taken, and to discard what does not wait changes nothing."""
    rounds = waiting([("a", 1), ("a", 2), ("b", 1)])
    rounds.discard("a", ("a", 1))
    rounds.discard("a", ("a", 9))
    rounds.discard("c", ("c", 1))
    assert (rounds.count("a"), rounds.count("c"), rounds.holds("a", ("a", 2))) == (1, 0, True)
    assert taken(rounds) == [("a", 2), ("b", 1)]
    rounds.add("a", ("a", 1))
    rounds.clear()
    assert (len(rounds), rounds.take()) == (0, None)


def test_the_newest_of_the_greatest_crowd_is_dropped() -> None:
    """Where something has to go, it is the last that came to the namespace in which most wait."""
    rounds = waiting([("a", 1), ("b", 1), ("b", 2), ("b", 3)])
    assert [rounds.drop_newest() for _ in range(2)] == [("b", 3), ("b", 2)]
    rounds.clear()
    assert rounds.drop_newest() is None
