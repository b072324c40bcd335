"""Two Rollouts overlap where one selects pods that the other makes, or where both name one thing; both are told."""

import itertools

import pytest

from headgate.core.model import overlaps
from headgate.core.model.overlaps import Footprint, Overlap, Overlaps

LABELS = ("app=web", "app=api", "tier=a", "tier=b")


def footprint(selector: str = "", more: str = "", named: str = "") -> Footprint:
    """Return what a Rollout reaches for: the labels of its *selector*, *more* of them on its pods, what it names."""
    wanted = frozenset(selector.split())
    return Footprint(wanted, wanted | frozenset(more.split()), frozenset(filter(None, named.split(","))))


def met(mine: Footprint, theirs: Footprint) -> str:
    """Return which of the two selects pods of the other, as seen from *mine*."""
    found = overlaps.between(mine, "other", theirs)
    if found is None:
        return ""
    return " ".join(word for word, said in (("selects", found.selects), ("selected", found.selected)) if said)


@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [
        (footprint("app=web"), footprint("app=web"), "selects selected"),
        (footprint("app=web"), footprint("app=api"), ""),
        (footprint("app=web"), footprint("app=web tier=a"), "selects"),
        (footprint("app=web tier=a"), footprint("app=web"), "selected"),
        (footprint("app=web tier=a"), footprint("app=web tier=b"), ""),
        (footprint("app=web"), footprint("app=api", "tier=a"), ""),
        (footprint("tier=a", "app=web"), footprint("app=web", "tier=b"), "selected"),
        (footprint("tier=a", "app=web"), footprint("app=web", "tier=a"), "selects selected"),
        (footprint("tier=a"), footprint("app=web"), ""),
        (Footprint(frozenset(), frozenset({"app=web"})), footprint("app=web"), "selected"),
        (Footprint(), Footprint(), ""),
    ],
)
def test_whose_pods_are_selected(mine: Footprint, theirs: Footprint, found: str) -> None:
    """A selector chooses the pods that carry all of its labels, whatever else they carry; an empty one chooses none.

    That some pod could carry the labels of two selectors, such as app=web and tier=a, is none.
    """
    assert met(mine, theirs) == found


def test_both_find_the_same() -> None:
    """What one of two Rollouts is told, the other is told from its side."""
    turned = {"selects": "selected", "selected": "selects", "": "", "selects selected": "selects selected"}
    choices = [frozenset(some) for size in range(3) for some in itertools.combinations(LABELS, size)]
    rollouts = [Footprint(wanted, wanted | more) for wanted in choices for more in choices]
    for mine, theirs in itertools.product(rollouts, rollouts):
        assert met(theirs, mine) == turned[met(mine, theirs)]


def test_what_both_name_is_shared() -> None:
    """A Service or a rule that both name is found where no pod is; in order, so that a message stays as it is."""
    mine = footprint("app=web", named="Service web,Service web-canary,rule a of HTTPRoute web")
    theirs = footprint("app=api", named="rule a of HTTPRoute web,Service api,Service web")
    assert overlaps.between(mine, "api", theirs) == Overlap(
        "api", selects=False, selected=False, shared=("Service web", "rule a of HTTPRoute web")
    )


def said(*found: Overlap, others: int = 0, uncounted: bool = False) -> tuple[str, str]:
    """Return what is said of them: who, and what to do."""
    who, _, remedy = overlaps.words(Overlaps(found, others, uncounted)).partition(": ")
    return who, remedy


BOTH = Overlap("api", selects=True, selected=True)


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (BOTH, "Rollout api selects the pods of this Rollout, and this one selects its pods"),
        (Overlap("api", selects=False, selected=True), "Rollout api selects the pods of this Rollout"),
        (Overlap("api", selects=True, selected=False), "Rollout api has pods that this Rollout selects"),
        (
            Overlap("api", selects=False, selected=False, shared=("Service web",)),
            "Rollout api names Service web as this one does",
        ),
        (
            Overlap("api", selects=True, selected=False, shared=("A", "B", "C")),
            "Rollout api has pods that this Rollout selects, and names A and 2 more as this one does",
        ),
    ],
)
def test_words_of_one(found: Overlap, who: str) -> None:
    """The other one is named, with what it has in common and what to do about that."""
    told, remedy = said(found)
    assert told == who
    assert ("select by it" in remedy) == (found.selects or found.selected)
    assert ("its own in spec.traffic" in remedy) == bool(found.shared)


@pytest.mark.parametrize(
    ("others", "uncounted", "ends"),
    [
        (0, False, "its pods"),
        (1, False, ", so does 1 more"),
        (16, False, ", so do 16 more"),
        (17, True, ", so do at least 17 more"),
    ],
)
def test_words_of_many(others: int, uncounted: bool, ends: str) -> None:  # noqa: FBT001 - given by pytest
    """A few are named, and the others are counted, as far as they are."""
    who, _ = said(BOTH, others=others, uncounted=uncounted)
    assert who.endswith(ends)


@pytest.mark.parametrize(
    ("count", "ends"),
    [(1, " Pod pod-0"), (4, "pod-2 and 1 more"), (9, "pod-2 and 6 more"), (20, "pod-2 and at least 17 more")],
)
def test_words_of_workloads(count: int, ends: str) -> None:
    """What else runs pods that are selected is named, behind the Rollouts, with what to do about it."""
    workloads = tuple(f"Pod pod-{number}" for number in range(count))
    alone, both = overlaps.words(Overlaps(workloads=workloads)), overlaps.words(Overlaps((BOTH,), workloads=workloads))
    who, _, remedy = alone.partition("; ")
    assert who.startswith("at rest these were last seen to run pods that this Rollout selects: Pod pod-0")
    assert who.endswith(ends)
    assert "delete that once this Rollout is Ready" in remedy
    assert both.startswith("Rollout api ")
    assert both.endswith(f"; {alone}")


def test_a_message_has_an_end() -> None:
    """However long the names are, the words of three fit into a condition, with what to do about it."""
    shared = tuple(f"rule {letter * 253} of HTTPRoute {letter * 253}" for letter in "abcd")
    found = tuple(Overlap(letter * 253, selects=True, selected=True, shared=shared) for letter in "abc")
    assert len(overlaps.words(Overlaps(found, 17, uncounted=True))) < 4000
    assert len(overlaps.words(Overlaps(workloads=("Deployment " + "a" * 253,) * 20))) < 2000
    assert overlaps.words(overlaps.NONE) == ""
