"""Urgent Rollouts go first, and no other one waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.model import Key
from headgate.core.pass_order import URGENT_IN_A_ROW, PassOrder, wishes

A, B, C = (Key("shop", name) for name in "abc")


def free(_line: str) -> bool:
    """Let every line have its turn."""
    return True


def occupied(_line: str) -> bool:
    """Let no line have its turn."""
    return False


def taken(turns: PassOrder) -> list[Key]:
    """Take out all keys."""
    return [key for _ in range(len(turns)) if (key := turns.take(free, free)) is not None]


def test_urgent_key_goes_first_and_stands_once() -> None:
    """A key that is hurried leaves its place among the others, and is not added there again."""
    turns = PassOrder()
    for key in (A, B, C):
        turns.add("shop", key)
    turns.hurry("shop", C)
    turns.add("shop", C)

    assert taken(turns) == [C, A, B]
    assert (len(turns), turns.take(free, free)) == (0, None)


def test_line_without_a_place_waits() -> None:
    """A key is given out only where its line is free for it: urgent ones and others have rules of their own."""
    turns = PassOrder()
    turns.add("shop", A)
    turns.hurry("shop", B)

    assert turns.take(occupied, occupied) is None
    assert turns.take(free, occupied) == A
    assert turns.take(occupied, free) == B


def test_cleared_turns_hold_nothing() -> None:
    """What was cleared is given out no more."""
    turns = PassOrder()
    turns.add("shop", A)
    turns.hurry("shop", B)
    turns.clear()

    assert (len(turns), turns.take(free, free)) == (0, None)


@given(st.lists(st.booleans(), max_size=40))
def test_each_fourth_is_not_urgent(urgent: list[bool]) -> None:
    """Of those that wait all come, an urgent one is preceded by one other at most, another by three in a row."""
    turns = PassOrder()
    keys = [Key(f"shop-{number % 3}", f"web-{number}") for number in range(len(urgent))]
    for key, hurried in zip(keys, urgent, strict=True):
        (turns.hurry if hurried else turns.add)(key.namespace, key)
    hurried_keys = {key for key, hurried in zip(keys, urgent, strict=True) if hurried}
    order = taken(turns)

    assert sorted(order, key=str) == sorted(keys, key=str)
    for place, key in enumerate(order):
        others_wait = any(later not in hurried_keys for later in order[place:])
        before = order[max(place - URGENT_IN_A_ROW, 0) : place]
        in_a_row = len(before) == URGENT_IN_A_ROW and hurried_keys.issuperset(before)
        urgent_waits = any(later in hurried_keys for later in order[place:])
        assert (key in hurried_keys) == (urgent_waits and not (in_a_row and others_wait))


def test_what_users_ask_for_makes_a_pass_urgent() -> None:
    """A command, a new generation and a deletion are wishes; marks of other tools, a lookalike group too, are none."""
    others = {"headgate.developer/abort": "now", "team": "shop"}
    plain = {"generation": 1, "annotations": others}
    asked = {**plain, "annotations": {**others, "headgate.dev/abort": "now"}}

    assert wishes(plain) == wishes({"generation": 1, "annotations": None, "labels": {"a": "b"}})
    for other in (asked, {**plain, "generation": 2}, {**plain, "deletionTimestamp": "2026-01-01T00:00:00Z"}):
        assert wishes(other) != wishes(plain)
