"""Who is asked next at a server: any order of asking, and any number of tenants."""

import asyncio
import collections
import random

import pytest

from headgate.adapters.metrics.query_order import Turn, Turns
from headgate.core.model import Key

PLACES = 8
SHARE = 6
SLOW = 4


class Scene:
    """A server's places, and who has them."""

    def __init__(self, places: int = PLACES) -> None:
        self.turns = Turns(places)
        self.waiting: list[Turn] = []
        self.running: list[Turn] = []
        self.given: list[Turn] = []

    def wait(self, namespace: str, name: str = "web", *, slow: bool = False) -> Turn:
        """Let a query wait."""
        turn = self.turns.wait(Key(namespace, name), slow=slow)
        self.waiting.append(turn)
        self.note()
        return turn

    def end(self, turn: Turn) -> None:
        """End a query that runs, or one that waits."""
        (self.running if turn in self.running else self.waiting).remove(turn)
        self.turns.over(turn)
        self.note()

    def note(self) -> None:
        """Note whose turn has come."""
        for turn in [turn for turn in self.waiting if turn.come.done()]:
            self.waiting.remove(turn)
            self.running.append(turn)
            self.given.append(turn)

    def blocked(self, turn: Turn) -> bool:
        """Return whether a rule keeps *turn* from a place that is free."""
        same = sum(other.key.namespace == turn.key.namespace for other in self.running)
        return same >= SHARE or (turn.slow and sum(other.slow for other in self.running) >= SLOW)


@pytest.mark.parametrize("seed", range(40))
async def test_no_rule_is_ever_broken_and_no_place_stays_free(seed: int) -> None:
    """Whatever comes and goes: never too many, never too many of one namespace or slow ones, never a place for none."""
    chance, scene = random.Random(seed), Scene()
    for _ in range(300):
        if chance.random() < 0.55 or not scene.running:
            scene.wait(f"team-{chance.randrange(4)}", f"web-{chance.randrange(3)}", slow=chance.random() < 0.5)
        else:
            scene.end(chance.choice(scene.running + scene.waiting))
        names = collections.Counter(turn.key.namespace for turn in scene.running)
        assert len(scene.running) <= PLACES
        assert not names or max(names.values()) <= SHARE
        assert sum(turn.slow for turn in scene.running) <= SLOW
        assert scene.turns.waiting == len(scene.waiting)
        assert len(scene.running) == PLACES or all(scene.blocked(turn) for turn in scene.waiting)
    while scene.running:
        scene.end(scene.running[0])
    assert scene.waiting == []


@pytest.mark.parametrize("slow", [False, True])
async def test_one_tenant_leaves_places_to_others(slow: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """However much a namespace asks, another one's query is asked at once."""
    scene = Scene()
    for number in range(100):
        scene.wait("hostile", f"web-{number % 5}", slow=slow)

    assert scene.wait("victim").come.done()


@pytest.mark.parametrize("hostile", [2, 5, 20])
async def test_several_tenants_cannot_keep_one_waiting(hostile: int) -> None:
    """A query waits for its namespace's turn, not for the queues of the others, however many tenants are hostile."""
    scene = Scene()
    for number in range(100 * hostile):
        scene.wait(f"hostile-{number % hostile}", f"web-{number % 7}")
    victim = scene.wait("victim")
    ends = 0
    while not victim.come.done():
        scene.wait(scene.running[0].key.namespace)
        scene.end(scene.running[0])
        ends += 1

    assert ends <= hostile + 1


async def test_slow_queries_of_many_tenants_leave_half_to_quick_ones() -> None:
    """What is known to be slow takes half of the places, and gets that half though quick ones come without end."""
    scene = Scene()
    for number in range(100):
        scene.wait(f"hostile-{number}", slow=True)
    assert len(scene.running) == SLOW
    assert scene.wait("victim").come.done()
    for number in range(100):
        scene.wait(f"busy-{number}")
    before = len(scene.given)
    for _ in range(20):
        scene.end(next(turn for turn in scene.running if turn.slow))
    assert sum(turn.slow for turn in scene.given[before:]) == 20


async def test_rollouts_of_one_namespace_go_round() -> None:
    """A Rollout with many metrics delays its neighbour by one query, not by all of them."""
    scene = Scene()
    for _ in range(20):
        scene.wait("team", "greedy")
    modest = [scene.wait("team", "modest") for _ in range(2)]
    for _ in range(4):
        scene.end(scene.running[0])

    assert [turn.come.done() for turn in modest] == [True, True]


@pytest.mark.parametrize("places", range(1, 20))
async def test_a_lone_namespace_makes_progress_with_any_number_of_places(places: int) -> None:
    """At least three quarters of the places are its own, and at least one; so it is for slow queries with half."""
    scene = Scene(places)
    for _ in range(50):
        scene.wait("team")
    assert places * 3 / 4 <= len(scene.running) <= places
    slow = Scene(places)
    for _ in range(50):
        slow.wait("team", slow=True)
    assert len(slow.running) == max(1, places // 2)


async def test_who_gives_up_is_passed_over() -> None:
    """A turn that is over before it came takes no place; one that came gives it back."""
    scene = Scene(1)
    first, second, third = (scene.wait("team", str(number)) for number in range(3))
    scene.end(second)
    scene.end(first)

    assert third.come.done()
    assert not second.come.done()
    assert asyncio.isfuture(third.come)
