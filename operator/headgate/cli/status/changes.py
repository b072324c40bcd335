"""A Rollout that is followed where no screen is: one line for each change, each complete in itself.

Owns what counts as a change and the words. Must not know where the lines go. Pure.
"""

from collections.abc import Iterator

from headgate.cli.status.facts import Decision, State
from headgate.cli.status.view import number, progress


class Changes:
    """Tells what is new since the last look."""

    def __init__(self) -> None:
        self._told: set[Decision] | None = None
        self._stood = ""
        self._noted: tuple[str, ...] = ()

    def since_last(self, state: State) -> Iterator[str]:
        """Yield a line for each decision that is new, and one if the Rollout stands otherwise than before."""
        # What was decided before the first look is history, and not news.
        known = set(state.decisions) if self._told is None else self._told
        yield from (told(decision) for decision in state.decisions if decision not in known)
        self._told = known | set(state.decisions)
        yield from (f"! {note}" for note in state.notes if note not in self._noted)
        self._noted = state.notes
        stands = standing(state)
        if stands != self._stood:
            self._stood = stands
            yield stands


def told(decision: Decision) -> str:
    """Return one decision in one line."""
    return f"{'!' if decision.warning else '*'} {decision.reason}: {decision.message}"


def standing(state: State) -> str:
    """Return in one line how the Rollout stands."""
    parts = [state.phase if state.fresh else f"{state.phase} (the newest spec has not been read yet)"]
    if state.canary and state.step_count:
        parts.append(f"step {state.step_index} of {state.step_count}")
    if state.canary and state.weight_desired is not None:
        parts.append(f"weight {state.weight_achieved} %, {state.weight_desired} % wanted")
    parts += [f"{side.role} {side.revision} with {side.ready} of {side.wanted} pods ready" for side in state.sides]
    parts += [
        f"{one.name} {number(one.value)} ({one.verdict}, {progress(one)})" for one in state.metrics if state.canary
    ]
    parts += [state.message] if state.message else []
    return "; ".join(parts)
