"""When there is nothing more to wait for, and the exit code that says how it ended. Pure."""

from typing import Final

from headgate.api.status import Phase
from headgate.cli.status.facts import State

SERVES: Final = 0
FAILED: Final = 3
"""1 and 2 say that the state could not be read, and that the arguments are wrong."""
TIMED_OUT: Final = 4


def code(state: State) -> int:
    """Return the exit code for *state* as it is now: a rollout that is under way has not failed."""
    return FAILED if over(state) == FAILED else SERVES


def over(state: State) -> int | None:
    """Return the exit code if the newest spec serves, or does not and will not by itself; None if it is under way."""
    if not state.fresh:
        return None
    if state.phase == Phase.HEALTHY:
        return SERVES
    if state.phase == Phase.ROLLED_BACK:
        return FAILED
    # Degraded with a canary on its way, as after a mended template: that may yet end well.
    stuck = state.phase == Phase.DEGRADED and (state.stalled or state.canary is None)
    return FAILED if stuck else None
