"""The numbers and words of docs/concepts.md are those of the code."""

import re

import pytest

from headgate.api.spec import FailFast
from headgate.api.status import Outcome, Phase
from headgate.api.strategy import Canary
from headgate.core.replicas import pod_budget, pod_ratio
from headgate.core.rollout import state
from tests.docs import pages, said

PAGE = pages.page("concepts")
TABLES = {table[0][0]: table for table in pages.tables(PAGE)}
WEIGHTS = [
    (int(row[0]), int(head.removeprefix("setWeight ")), cell)
    for row in TABLES["replicas"][1:]
    for head, cell in zip(TABLES["replicas"][0][1:], row[1:], strict=True)
]


def _pods(count: int) -> pod_budget.Pods:
    return pod_budget.Pods(count, count, count)


@pytest.mark.parametrize(("total", "weight", "cell"), WEIGHTS)
def test_weights_are_worked_out(total: int, weight: int, cell: str) -> None:
    """The table of weights is what the arithmetic gives with the defaults."""
    sizes = pod_ratio.split(pod_budget.budget(Canary(), total), weight)
    share = pod_ratio.share_percent(_pods(sizes.stable), _pods(sizes.canary))

    assert f"{sizes.stable} + {sizes.canary} = {share} %" == cell


def test_retreat_is_worked_out() -> None:
    """The table of a way back is what the arithmetic gives, and maxUnavailable 3 empties the canary at once."""
    ready, canary = TABLES["ready stable pods"]
    asked = [
        pod_ratio.retreat(pod_budget.budget(Canary(), 10), pod_budget.Pods(10, 10, int(count)), _pods(3), 0).canary
        for count in ready[1:]
    ]

    assert list(map(str, asked)) == canary[1:]
    assert pod_ratio.retreat(pod_budget.budget(Canary(max_unavailable=3), 10), _pods(7), _pods(3), 0).canary == 0


@pytest.mark.parametrize(("head", "words"), [("phase", Phase), ("verdict", Outcome)])
def test_all_words_are_explained(head: str, words: type[Phase] | type[Outcome]) -> None:
    """Every phase and every verdict has a row, and no row is about one that does not exist."""
    assert {row[0].strip("`") for row in TABLES[head][1:]} == set(words)


def test_all_ways_back_are_named() -> None:
    """The table of what goes back has every reason, and says which of them reject."""
    rows = {row[1].strip("`"): row[2] for row in TABLES["what asks for it"][1:]}

    assert set(rows) == said.reasons()["begin_abort"]
    assert set(rows.values()) == {"yes", "no"}


def test_times_are_those_of_the_code() -> None:
    """30 s of patience, 30 s for pods that cannot start, 3 s until new stable pods are relied on."""
    assert f"Patience is {state.RETREAT_WAIT_SECONDS} s" in PAGE
    patience = FailFast()
    assert f"for {patience.after_seconds:.0f} s without progress" in PAGE
    assert f"for {patience.unschedulable_after_seconds / 60:.0f} minutes without progress" in PAGE
    assert f"Within {state.RELIED_ON_AFTER_SECONDS} s of the verdict" in PAGE


def test_nothing_is_called_easy() -> None:
    """No page tells a reader who is stuck that it was simple."""
    pattern = re.compile(r"\b(simply|just|easy|easily|obviously|of course|seamless\w*|powerful)\b", re.IGNORECASE)
    found = [f"{name}: {match[0]}" for name, text in pages.guides().items() for match in pattern.finditer(text)]

    assert [] == found
