"""How much is measured: `quick` unless said otherwise, `full` for everything, `tiny` to see whether it works at all."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Final


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """All numbers that may be chosen; `--set name=value` changes one."""

    reactions: int = 10
    """Reactions of each sort."""
    crowd: int = 200
    """Canaries in flight while it reacts."""
    wave: int = 30
    """Canaries that are started at once."""
    crowd_interval: str = "10s"
    """How often each of those in flight is measured."""
    canaries: int = 2
    """Canaries, aborts and promotions whose requests are counted."""
    replays: int = 10
    """How often the plain client makes the same calls."""
    sizes: tuple[int, ...] = (1000,)
    """Numbers of Rollouts, growing."""
    versions: int = 1
    """Versions that each of them has had: from 3 on the history is full."""
    starts: int = 3
    """Starts at each size."""
    pods: int = 1
    """Pods of each of them; with none there would be no Deployments either."""
    rest_seconds: int = 15
    """How long nothing happens while rest is measured."""
    routed_rest_seconds: int = 0
    """The same with Rollouts that have routes; 0: not at all."""
    paced_pause: str = ""
    """The pause after each step of canaries that do pause; empty: only those are started that do not."""
    analyses: tuple[int, ...] = (100,)
    """Numbers of active analyses, against the scripted Prometheus."""
    real_analyses: int = 0
    """The same against a real one; 0: not at all."""
    analysis_seconds: int = 20
    soak_seconds: int = 0
    soak_rollouts: int = 20
    hostile: int = 100
    """Rollouts of a namespace that means no good."""
    hostile_aborts: int = 30
    """Aborts beside them, in another namespace."""
    hostile_seconds: int = 60
    """How long they are beside each other at least."""
    per_namespace: int = 20
    """Rollouts in one namespace."""

    def changed(self, settings: Iterable[str]) -> "Scope":
        """Return this scope with *settings*, each `name=value`; a list has commas.

        Raises:
            ValueError: for one that is none.
        """
        changes: dict[str, Any] = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            if name not in {field.name for field in dataclasses.fields(self)}:
                raise ValueError(f"{setting!r}: there is no {name!r}")
            changes[name] = _value(getattr(self, name), text)
        return dataclasses.replace(self, **changes)


def _value(before: object, text: str) -> object:
    if isinstance(before, tuple):
        return tuple(int(part) for part in text.split(",") if part)
    return int(text) if isinstance(before, int) else text


QUICK: Final = Scope()
FULL: Final = Scope(
    reactions=100,
    crowd=1000,
    wave=200,
    canaries=10,
    replays=50,
    sizes=(100, 1000, 5000),
    versions=3,
    starts=5,
    rest_seconds=120,
    routed_rest_seconds=660,
    paced_pause="10s",
    analyses=(100, 1000),
    real_analyses=100,
    analysis_seconds=120,
    soak_seconds=1800,
    hostile_aborts=300,
    hostile_seconds=600,
)
TINY: Final = Scope(
    reactions=3,
    crowd=6,
    wave=6,
    crowd_interval="2s",
    canaries=1,
    replays=3,
    sizes=(5, 15),
    versions=2,
    starts=2,
    rest_seconds=5,
    routed_rest_seconds=5,
    paced_pause="2s",
    analyses=(4,),
    real_analyses=4,
    analysis_seconds=25,
    soak_seconds=30,
    soak_rollouts=3,
    hostile=10,
    hostile_aborts=3,
    hostile_seconds=10,
    per_namespace=4,
)
PRESETS: Final = {"quick": QUICK, "full": FULL, "tiny": TINY}
