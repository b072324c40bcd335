"""The life of a rollout: the states that a status can be in, and the only ways from one to the next.

Owns the table. The picture in docs/concepts.md is made from it, and each move of the rules is tested against it. Must
not know the rules: they decide when, this says what may follow.
"""

import dataclasses
import enum
from typing import Final

from headgate.api.status import RolloutStatus, Side


class State(enum.StrEnum):
    """Which revisions a status names, and what becomes of the canary."""

    NEW = "New"
    FIRST = "First"
    AT_REST = "AtRest"
    PREVIOUS_KEPT = "PreviousKept"
    IN_FLIGHT = "InFlight"
    LEAVING = "Leaving"
    DRILL = "Drill"
    DRILL_LEAVING = "DrillLeaving"


DESCRIPTIONS: Final = {
    State.NEW: "no revision is known",
    State.FIRST: "the first revision starts; there is no stable one",
    State.AT_REST: "the stable revision alone",
    State.PREVIOUS_KEPT: "after a promotion: the pods of the previous revision stay for a while",
    State.IN_FLIGHT: "a canary takes over step by step",
    State.LEAVING: "the canary is taken back",
    State.DRILL: "pods of the stable revision play the canary",
    State.DRILL_LEAVING: "they are taken back",
}


class Revision(enum.StrEnum):
    """A revision, by what a status says of it before a transition."""

    STABLE = "stable"
    CANARY = "canary"
    PREVIOUS = "previous"
    OTHER = "other"


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """A way from one state to the next."""

    before: State
    after: State
    when: str
    """What happens, for the picture: without the colon and the semicolon that end a label there."""
    stable: Revision | None = Revision.STABLE
    """Which revision is the stable one afterwards; None where there is none."""
    canary: Revision | None = None
    """Which revision is the canary afterwards; None where there is none."""


_STABLE, _CANARY, _PREVIOUS, _OTHER = Revision.STABLE, Revision.CANARY, Revision.PREVIOUS, Revision.OTHER
TRANSITIONS: Final = (
    Transition(State.NEW, State.FIRST, "the Rollout is created", None, _OTHER),
    Transition(State.NEW, State.AT_REST, "the status was lost, stable is found again", _OTHER),
    Transition(State.NEW, State.PREVIOUS_KEPT, "the status was lost after a promotion", _OTHER),
    Transition(State.NEW, State.LEAVING, "the status was lost in flight, the canary is taken back", _OTHER, _OTHER),
    Transition(State.FIRST, State.FIRST, "another template", None, _OTHER),
    Transition(State.FIRST, State.AT_REST, "all pods are ready", _CANARY),
    Transition(State.AT_REST, State.IN_FLIGHT, "another template", canary=_OTHER),
    Transition(State.AT_REST, State.NEW, "an old status was restored from a backup", None),
    Transition(State.AT_REST, State.DRILL, "a drill is due, or asked for", canary=_OTHER),
    Transition(State.IN_FLIGHT, State.AT_REST, "promoted, without traffic", _CANARY),
    Transition(State.IN_FLIGHT, State.PREVIOUS_KEPT, "promoted, with traffic", _CANARY),
    Transition(State.IN_FLIGHT, State.LEAVING, "breach, deadline, command, template or deletion", canary=_CANARY),
    Transition(State.LEAVING, State.AT_REST, "stable is whole and the canary has gone"),
    Transition(State.LEAVING, State.LEAVING, "abort, where the leaving one alone can serve", _CANARY, _STABLE),
    Transition(State.LEAVING, State.IN_FLIGHT, "retry, where the leaving one alone can serve", canary=_CANARY),
    Transition(State.PREVIOUS_KEPT, State.AT_REST, "scaleDownDelay is over, or traffic was removed"),
    Transition(State.PREVIOUS_KEPT, State.IN_FLIGHT, "another template", canary=_OTHER),
    Transition(State.PREVIOUS_KEPT, State.IN_FLIGHT, "the previous template", canary=_PREVIOUS),
    Transition(State.PREVIOUS_KEPT, State.LEAVING, "breach, command or template", _PREVIOUS, _STABLE),
    Transition(State.DRILL, State.DRILL_LEAVING, "the breach of the drill, or its end", canary=_CANARY),
    Transition(State.DRILL_LEAVING, State.AT_REST, "the pods of the drill have gone"),
)
"""Every way there is. A status that stays in its state, with the same revisions, needs none."""


def state_of(status: RolloutStatus) -> State:
    """Return the state that *status* is in."""
    canary = status.canary
    if canary is None:
        rests = State.AT_REST if status.previous is None else State.PREVIOUS_KEPT
        return State.NEW if status.stable is None else rests
    if status.stable is None:
        return State.FIRST
    if canary.drill is not None:
        return State.DRILL if canary.abort is None else State.DRILL_LEAVING
    return State.IN_FLIGHT if canary.abort is None else State.LEAVING


def illegal(before: RolloutStatus, after: RolloutStatus) -> str:
    """Return what is wrong where no transition leads from *before* to *after* at once; an empty text where one does."""
    states = state_of(before), state_of(after)
    sides = _role(before, after.stable), _role(before, after.canary)
    if states[0] is states[1] and sides == (_role(before, before.stable), _role(before, before.canary)):
        return ""
    if any((way.before, way.after) == states and (way.stable, way.canary) == sides for way in TRANSITIONS):
        return ""
    stable, canary = (f"the {side} revision" if side else "none" for side in sides)
    return f"no transition leads from {states[0]} to {states[1]} where {stable} becomes stable and {canary} the canary"


def _role(before: RolloutStatus, side: Side | None) -> Revision | None:
    """Return what the revision of *side* was in *before*; None for no side."""
    if side is None:
        return None
    known = ((_STABLE, before.stable), (_CANARY, before.canary), (_PREVIOUS, before.previous))
    return next((role for role, was in known if was is not None and was.hash == side.hash), _OTHER)


def picture() -> str:
    """Return the table as Markdown: a state diagram in Mermaid's notation, and what each state means."""
    arrows = (f"    {way.before} --> {way.after}: {way.when}" for way in TRANSITIONS)
    rows = (f"| `{state}` | {DESCRIPTIONS[state]} |" for state in State)
    diagram = ("```mermaid", "stateDiagram-v2", f"    [*] --> {State.NEW}", *arrows, "```")
    return "\n".join((*diagram, "", "| state | means |", "|---|---|", *rows)) + "\n"
