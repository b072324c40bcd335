"""What a rule answers: a Move (the status goes on) or a Rest (this is what is waited for)."""

import dataclasses

from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Notice


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """The status goes on, and something is said about it."""

    status: RolloutStatus
    notices: tuple[Notice, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Rest:
    """Nothing more follows now."""

    phase: Phase
    reason: str
    """One CamelCase word, the reason of the Ready condition."""
    message: str
    """What is waited for, with numbers."""
    recheck_at: tuple[float, ...] = ()
    stalled: bool = False
    """Whether only a change of the spec, or a command, can lead further."""
    quiet: bool = False
    """Whether it is likely to pass in a moment, and not worth a write."""
