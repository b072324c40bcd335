"""Rollouts and others of one namespace that reach for the same pods, Services or rules of routes. Pure.

Two Rollouts overlap where the selector of one chooses the pods that the template of the other makes. What counts is
that there are such pods: that some pod could carry the labels of both selectors is no harm while neither makes one.
"""

import dataclasses
from typing import Final

NAMED: Final = 3
"""How many of the others a message names. It has to stay readable where a hundred have one label."""
COUNTED: Final = 20
"""Up to how many of them are counted: with more, no further one changes a message, and none is written for it."""
LOOK_SECONDS: Final = 15.0
"""How long what was found of pods that nothing tells of is taken to hold."""
_SHARED_SHOWN: Final = 1
_PODS: Final = (
    "whatever goes by these labels, such as a Service of your own or an autoscaler, takes the pods of both for one's; "
    "give each Rollout's pods a label of their own and select by it (a selector cannot be changed: create that Rollout "
    "anew under another name)"
)
RUN: Final = "at rest these were last seen to run pods that this Rollout selects: "
"""Said of what is no Rollout; in these words, for nothing tells when they run none any more."""
_RUN: Final = (
    "whatever goes by these labels takes them for this Rollout's; if this Rollout takes the place of one, delete that "
    "once this Rollout is Ready, and else give its pods other labels"
)
_NAMES: Final = "a Service or a rule is moved by one Rollout alone: let each name its own in spec.traffic"


@dataclasses.dataclass(frozen=True, slots=True)
class Footprint:
    """What a Rollout reaches for, by its spec."""

    selector: frozenset[str] = frozenset()
    """Each label as "key=value"; without any it chooses nothing, for no valid one is empty."""
    labels: frozenset[str] = frozenset()
    """Those of the template's pods, written alike."""
    named: frozenset[str] = frozenset()
    """Services and rules of routes, such as "Service shop"."""


@dataclasses.dataclass(frozen=True, slots=True)
class Overlap:
    """One other Rollout, and what it has in common with this one."""

    name: str
    selects: bool
    """Whether this one's selector chooses the pods of the other."""
    selected: bool
    """Whether the other's selector chooses the pods of this one."""
    shared: tuple[str, ...] = ()
    """The Services and rules that both name, in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Overlaps:
    """All of them: of Rollouts the first few by name, and how many others there are."""

    first: tuple[Overlap, ...] = ()
    others: int = 0
    uncounted: bool = False
    """Whether there may be more than that."""
    workloads: tuple[str, ...] = ()
    """What else runs pods that this Rollout selects, such as "Deployment web"; no more of them than are counted."""


NONE: Final = Overlaps()
"""What a Rollout has in common with others that is alone."""


def between(mine: Footprint, name: str, theirs: Footprint) -> Overlap | None:
    """Return what *mine* has in common with the Rollout *name*; None: nothing."""
    selects = bool(mine.selector) and mine.selector <= theirs.labels
    selected = bool(theirs.selector) and theirs.selector <= mine.labels
    shared = mine.named & theirs.named
    return Overlap(name, selects, selected, tuple(sorted(shared))) if selects or selected or shared else None


def words(found: Overlaps) -> str:
    """Return what is said of them, with what to do about it; an empty text: there are none."""
    return "; ".join(said for said in (_rollouts(found), _workloads(found.workloads)) if said)


def _workloads(found: tuple[str, ...]) -> str:
    if not found:
        return ""
    more = _more(len(found) - NAMED, uncounted=len(found) >= COUNTED)
    return f"{RUN}{', '.join(found[:NAMED])}{f' and {more}' if more else ''}; {_RUN}"


def _more(others: int, *, uncounted: bool) -> str:
    return f"{'at least ' if uncounted else ''}{others} more" if others > 0 else ""


def _rollouts(found: Overlaps) -> str:
    if not found.first:
        return ""
    said = [_one(overlap) for overlap in found.first]
    if more := _more(found.others, uncounted=found.uncounted):
        said.append(f"so {'do' if found.others > 1 else 'does'} {more}")
    remedies = [_PODS] if any(overlap.selects or overlap.selected for overlap in found.first) else []
    remedies += [_NAMES] if any(overlap.shared for overlap in found.first) else []
    return f"{', '.join(said)}: {'; '.join(remedies)}"


def _one(overlap: Overlap) -> str:
    parts = []
    if overlap.selects and overlap.selected:
        parts.append("selects the pods of this Rollout, and this one selects its pods")
    elif overlap.selected:
        parts.append("selects the pods of this Rollout")
    elif overlap.selects:
        parts.append("has pods that this Rollout selects")
    if overlap.shared:
        more = len(overlap.shared) - _SHARED_SHOWN
        shown = [*overlap.shared[:_SHARED_SHOWN], *([f"{more} more"] if more > 0 else [])]
        parts.append(f"names {' and '.join(shown)} as this one does")
    return f"Rollout {overlap.name} {', and '.join(parts)}"
