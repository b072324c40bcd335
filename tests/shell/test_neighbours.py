"""The index of Rollouts finds what comparing all with all would find, and one more of many changes nothing."""

import itertools
import random
from collections.abc import Iterator

import pytest

from headgate.core.model import Key, overlaps
from headgate.core.model.overlaps import Footprint, Overlaps
from headgate.reconcile import overlap_index
from headgate.reconcile.overlap_index import OverlapIndex

SPACES = ("shop", "bank")
LABELS = ("app=a", "app=b", "tier=1", "tier=2", "zone=x")
NAMES = ("Service a", "Service b", "rule r of HTTPRoute h")


def key(number: int, namespace: str = "shop") -> Key:
    """Return a Rollout of that number."""
    return Key(namespace, f"web-{number:03}")


def footprint(*selector: str, more: tuple[str, ...] = (), named: tuple[str, ...] = ()) -> Footprint:
    """Return what a Rollout reaches for."""
    return Footprint(frozenset(selector), frozenset((*selector, *more)), frozenset(named))


WEB = footprint("app=web")


def drawn(chance: random.Random) -> Footprint:
    """Return what some Rollout reaches for; now and then a template lacks what its selector asks for."""
    wanted = chance.sample(LABELS, chance.choice((0, 1, 1, 1, 2, 3)))
    labels = {*(wanted if chance.random() < 0.9 else ()), *chance.sample(LABELS, chance.randint(0, 3))}
    return Footprint(frozenset(wanted), frozenset(labels), frozenset(chance.sample(NAMES, chance.choice((0, 0, 1, 2)))))


def compared(there: dict[Key, Footprint], one: Key) -> Overlaps:
    """Return what *one* has in common with others, by comparing it with all."""
    found = [
        met
        for other in sorted(there, key=str)
        if other.namespace == one.namespace and other != one
        if (met := overlaps.between(there[one], other.name, there[other])) is not None
    ]
    return Overlaps(tuple(found[: overlaps.NAMED]), max(len(found) - overlaps.NAMED, 0), uncounted=False)


def lives(seed: int, rollouts: int) -> Iterator[tuple[OverlapIndex, dict[Key, Footprint], dict[Key, Overlaps]]]:
    """Yield what there is after each of many changes, with what was known before it."""
    chance, there, found = random.Random(seed), dict[Key, Footprint](), OverlapIndex()
    for _ in range(300):
        before = {one: known for one in there if (known := found.of(one)) is not None}
        one = key(chance.randrange(rollouts), chance.choice(SPACES))
        if chance.random() < 0.35:
            there.pop(one, None)
            found.gone(one)
        else:
            there[one] = drawn(chance)
            found.seen(one, there[one])
        before.pop(one, None)
        yield found, there, before


def test_the_same_as_comparing_all_with_all() -> None:
    """After each change each Rollout is told what comparing would tell, and all for whom that is news are named."""
    for seed in range(12):
        for found, there, before in lives(seed, rollouts=8):
            assert {one: found.of(one) for one in there} == {one: compared(there, one) for one in there}, seed
            news = {one for one, known in before.items() if one in there and found.of(one) != known}
            stirred = found.stirred()
            assert news <= stirred, seed
            assert stirred <= there.keys(), seed


def test_of_many_some_are_told() -> None:
    """With more than are counted each is told of so many that are there, and of none that is not."""
    for seed in range(3):
        for found, there, _ in itertools.islice(lives(seed, rollouts=120), 0, None, 20):
            for one in there:
                told, wanted = found.of(one), compared(there, one)
                assert told is not None
                count = len(wanted.first) + wanted.others
                assert len(told.first) + told.others == min(count, overlaps.COUNTED), seed
                assert told.uncounted == (count >= overlaps.COUNTED), seed
                names = {Key(one.namespace, other.name) for other in told.first}
                assert names <= there.keys(), seed


def test_nothing_is_kept_of_what_is_gone() -> None:
    """When the last one has gone nothing is left; what was never seen is not known, and going twice is going once."""
    found = OverlapIndex()
    for number in range(50):
        found.seen(key(number), WEB)
    assert found.of(key(77)) is None
    for number in range(50):
        found.gone(key(number))
        found.gone(key(number))
    assert found.of(key(0)) is None
    assert found._spaces == {}
    assert found.stirred() == frozenset()


def test_one_more_of_a_hundred_changes_nothing() -> None:
    """Where a hundred have one label, one more and its end cost the others no pass: a tenant cannot wake them so."""
    found = OverlapIndex()
    for number in range(100):
        found.seen(key(number), WEB)
    assert found.stirred() <= {key(number) for number in range(100)}
    for number in range(100, 200):
        found.seen(key(number), WEB)
        assert found.stirred() == frozenset()
        told = found.of(key(number))
        assert told is not None
        assert (len(told.first), told.others, told.uncounted) == (3, 17, True)
        found.seen(key(number), WEB)
        found.gone(key(number))
        assert found.stirred() == frozenset()


def test_one_that_many_were_told_of_goes() -> None:
    """Those that were told of it are told of another one; a second coming of it changes nothing for them."""
    found = OverlapIndex()
    for number in range(100):
        found.seen(key(number), WEB)
    found.stirred()
    found.gone(key(0))
    stirred = found.stirred()
    assert len(stirred) > 20
    assert all(len((found.of(one) or Overlaps()).first) == 3 for one in stirred)
    assert all(other.name != "web-000" for one in stirred for other in (found.of(one) or Overlaps()).first)
    found.seen(key(0), WEB)
    assert found.stirred() == frozenset()


def test_one_namespace_is_no_business_of_another() -> None:
    """The same labels in another namespace are nothing in common."""
    found = OverlapIndex()
    found.seen(key(1), WEB)
    found.seen(key(1, "bank"), WEB)
    found.seen(key(2, "bank"), footprint("app=web", "tier=1"))
    assert found.of(key(1)) == Overlaps()
    assert found.stirred() == {key(1, "bank")}


def compared_with_others(monkeypatch: pytest.MonkeyPatch, *there: Footprint) -> list[int]:
    """Return with how many each of *there* was compared as it came."""
    count, real, found, counts = 0, overlaps.between, OverlapIndex(), list[int]()

    def counting(mine: Footprint, name: str, theirs: Footprint) -> overlaps.Overlap | None:
        nonlocal count
        count += 1
        return real(mine, name, theirs)

    with monkeypatch.context() as patched:
        patched.setattr(overlaps, "between", counting)
        for number, one in enumerate(there):
            before = count
            found.seen(key(number), one)
            counts.append(count - before)
    return counts


def test_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five hundred Rollouts that have one label in common and another of their own, none is compared with all."""
    common = [footprint("team=a", f"app=web-{number}", more=("managed-by=Helm",)) for number in range(500)]
    assert max(compared_with_others(monkeypatch, *common)) <= 1


def test_of_one_label_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five hundred Rollouts of one label, too, each is compared with a few times as many as are counted."""
    assert max(compared_with_others(monkeypatch, *[WEB] * 500)) <= 3 * overlaps.COUNTED


def test_nothing_is_compared_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand that look alike to the index and have nothing in common, each is compared with some alone."""
    monkeypatch.setattr(overlap_index, "COMPARED", 100)
    strange = [Footprint(frozenset({"a=1", f"x={n}"}), frozenset({"a=1"})) for n in range(500)]
    both = [Footprint(frozenset({"a=1"}), frozenset()) for _ in range(500)]
    for crowd in (strange, both, [*strange, *both]):
        assert max(compared_with_others(monkeypatch, *crowd)) <= 200
