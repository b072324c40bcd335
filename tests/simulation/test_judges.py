"""A judge that cannot fail holds nothing: each finds the operator that does what it must not."""

import dataclasses
import itertools
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.analysis import evidence
from headgate.core.replicas import pod_ratio
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes
from headgate.core.rollout import decide
from headgate.simulation import specs
from headgate.simulation.invariants.suite import Violation
from tests.simulation import worlds

Broken = Callable[[pytest.MonkeyPatch], None]


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to the goal at once, whoever is ready."""

    def approach(_bounds: Budget, goal: Sizes, _stable: Pods, _canary: Pods) -> Sizes:
        return goal

    monkeypatch.setattr(pod_ratio, "approach", approach)


def greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take twice the pods that the weight means."""
    honest = pod_ratio.split

    def split(bounds: Budget, weight_percent: int) -> Sizes:
        sizes = honest(bounds, weight_percent)
        return Sizes(sizes.stable, min(bounds.total, 2 * sizes.canary))

    monkeypatch.setattr(pod_ratio, "split", split)


def credulous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe that everything is proved."""
    monkeypatch.setattr(evidence, "evidence", lambda *_: evidence.Evidence())


def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """See no breach."""
    monkeypatch.setattr(evidence, "breach", lambda *_: "")


def fickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide otherwise each time."""
    honest, turns = decide.decide, itertools.count()
    monkeypatch.setattr(decide, "decide", lambda seen: dataclasses.replace(honest(seen), rule=f"turn {next(turns)}"))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (hasty, "at least 10 must"),
        (greedy, "canary pods exist"),
        (credulous, "passes of 3"),
        (deaf, "and the canary stays"),
        (fickle, "the same Observation gives another Decision"),
    ],
)
def test_judge_finds_the_broken_operator(monkeypatch: pytest.MonkeyPatch, broken: Broken, words: str) -> None:
    """What breaks a promise is told, with the numbers."""
    play = worlds.play(0)
    broken(monkeypatch)
    play.world.apply(play.spec("web:2"))
    with pytest.raises(Violation, match=words):  # noqa: PT012 - the canary's whole way is the statement
        play.world.run(40)
        play.world.script.say(0.5 if broken is deaf else 0.0, play.world.now)
        play.world.run(900)


def test_same_seed_same_world() -> None:
    """Everything follows from the seed: two runs tell the same story, to the millisecond."""

    def story(seed: int) -> list[str]:
        play = worlds.play(seed, steps=(specs.weight(30),))
        canary = play.ship("web:2")
        play.world.fail_pods(canary, 1, 10)
        play.world.annotate(names.PROMOTE_FULL, canary)
        play.settle()
        return [f"{write.at} {write}" for write in play.world.journal.writes]

    assert story(7) == story(7)
    assert story(7) != story(8)
