"""`headgate status` shows what a status says, in 80 columns, and nothing in it can make a terminal do anything else."""

import io
import unicodedata
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from headgate.api.status import Phase
from headgate.api.strategy import Strategy
from headgate.cli import printing
from headgate.cli.status import changes, ending, facts, lines, terminal, view
from headgate.cli.status.facts import Objects, State
from tests.shell import status_views
from tests.shell.status_views import CASES, NOW, WIDTH

KEPT = status_views.pictures()
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n\u202egnp\u2066\x9b31m" + "宽" * 50 + "é" * 9 + "\ud800"
texts = st.text(st.characters(codec=None), max_size=40) | st.sampled_from([HOSTILE, "kubectl " + "x" * 200, "nan", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["message", "weight", "x"]), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("name", CASES)
def test_each_phase_and_strategy_looks_like_this(name: str) -> None:
    """The pictures in the tree are what people see; python -m tests.shell.status_views writes them anew."""
    assert status_views.picture(CASES[name]) == KEPT[name]


def test_all_phases_and_strategies_have_a_picture() -> None:
    """None is left out, and none is kept that is not drawn."""
    named = set(Strategy.model_json_schema()["properties"])

    assert set(KEPT) == set(CASES)
    assert {facts.state(objects).phase for objects in CASES.values()} == set(Phase)
    assert {facts.state(objects).strategy for objects in CASES.values()} == named


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    """Whatever the width, each line fits: one that did not would move the screen."""
    drawn = view.screen(facts.state(CASES[name]), NOW, width)

    assert max(sum(printing.cells(span.text) for span in line) for line in drawn) <= width


def poisoned(value: Any, draw: Any) -> Any:
    """Return *value* with some of its parts replaced by anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    if isinstance(value, dict):
        return {name: poisoned(part, draw) for name, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part, draw) for part in value]
    return value


@hypothesis.settings(max_examples=150, derandomize=True, database=None, deadline=None)
@hypothesis.given(st.sampled_from(sorted(CASES)), st.data(), st.integers(10, 120))
def test_no_object_breaks_out_of_its_lines(name: str, data: st.DataObject, width: int) -> None:
    """Any field may hold anything: each line is printable, fits, and is one line; nothing raises."""
    objects = CASES[name]
    broken = Objects(
        poisoned(objects.rollout, data.draw) if data.draw(st.booleans()) else objects.rollout,
        [one for one in poisoned(list(status_views.DEPLOYMENTS), data.draw) or () if isinstance(one, dict)]
        if data.draw(st.booleans())
        else [],
        [one for one in (poisoned(event, data.draw) for event in status_views.EVENTS) if isinstance(one, dict)],
        (data.draw(texts),),
    )
    hypothesis.assume(isinstance(broken.rollout, dict))
    state = facts.state(broken)
    drawn = view.screen(state, NOW, width)
    told = list(changes.Changes().since_last(state))

    for text in [*map(lines.plain, drawn), *told]:
        assert not [
            character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        ]
    assert all(printing.cells(lines.plain(line)) <= width for line in drawn)
    ending.code(state)


def test_hostile_text_is_shown_as_codes() -> None:
    """Escape codes and marks that turn a line around are shown, and do nothing."""
    shown = printing.one_line(HOSTILE)

    assert shown.startswith(r"\x1b[2J\x1b]0;owned\x07 \u202egnp\u2066\x9b31m宽")
    assert shown.endswith(r"é\ud800")


@pytest.mark.parametrize(
    ("phase", "fresh", "canary", "stalled", "expected"),
    [
        (Phase.HEALTHY, True, False, False, ending.SERVES),
        (Phase.HEALTHY, False, False, False, None),
        (Phase.ROLLED_BACK, True, False, True, ending.FAILED),
        (Phase.ROLLED_BACK, False, False, True, None),
        (Phase.DEGRADED, True, False, False, ending.FAILED),
        (Phase.DEGRADED, True, True, False, None),
        (Phase.DEGRADED, True, True, True, ending.FAILED),
        *(
            (phase, True, True, False, None)
            for phase in set(Phase) - {Phase.HEALTHY, Phase.ROLLED_BACK, Phase.DEGRADED}
        ),
    ],
)
def test_it_ends_where_nothing_more_is_to_come(
    phase: Phase, *, fresh: bool, canary: bool, stalled: bool, expected: int | None
) -> None:
    """Only a status about the newest spec ends it: served, taken back, or degraded with nothing on its way."""
    sides = (facts.Side("canary", 2, "c", (), 1, 0, 1),) if canary else ()
    state = State(phase=phase, fresh=fresh, stalled=stalled, sides=sides)

    assert ending.over(state) == expected
    assert ending.code(state) == (ending.FAILED if expected == ending.FAILED else ending.SERVES)


def test_pods_are_those_of_the_deployments() -> None:
    """A status is half a minute old at times: what a Deployment says of its pods is newer."""
    sides = facts.state(CASES["Progressing"]).sides

    assert [(side.ready, side.wanted, side.existing) for side in sides] == [(4, 4, 5), (0, 2, 1)]


def test_events_of_an_earlier_namesake_are_not_shown() -> None:
    """A Rollout that was deleted may have left Events under the same name."""
    other = {**status_views.EVENTS[0], "regarding": {"kind": "Rollout", "name": "web", "uid": "uid-0"}}
    objects = Objects(status_views.unobserved(), (), [*status_views.EVENTS, other])

    assert len(facts.state(objects).decisions) == len(status_views.EVENTS)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_a_screen_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each view begins where the last one did, in as many lines as there is room, with what was longer wiped out."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "8")
    out = Terminal()
    screen = terminal.Screen(out)
    screen.show(facts.state(CASES["Progressing"]))
    screen.show(facts.state(CASES["Healthy"]))
    first, second = out.getvalue().split("\x1b[7A")

    assert first.count("\n") == 7
    assert second.count("\n") == 7
    assert second.count("\x1b[K\n") == 7
    assert second.endswith("\x1b[J")
    assert "\x1b[32mHealthy\x1b[0m" in second


@pytest.mark.parametrize(
    ("environment", "drawn", "coloured"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_what_a_terminal_can_do_is_asked(environment: dict[str, str], *, drawn: bool, coloured: bool) -> None:
    """NO_COLOR takes the colours away, and a dumb terminal the screen; what is no terminal has neither."""
    assert terminal.is_screen(Terminal(), environment) is drawn
    assert terminal.has_colours(Terminal(), environment) is coloured
    assert not terminal.is_screen(io.StringIO(), environment)


def test_without_a_terminal_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe a line is as long as it is, and has no codes."""
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    terminal.print_once(facts.state(CASES["RollingBack"]), out)

    assert "\x1b" not in out.getvalue()
    assert "at most 0.05 is allowed: 2 of 2 failures in a row\n" in out.getvalue()


def test_a_log_has_one_line_for_each_change() -> None:
    """What is as it was is not said again, and what was decided before the first look is not news."""
    out = io.StringIO()
    log = terminal.Log(out)
    before = CASES["Progressing"]
    for events in (status_views.EVENTS, status_views.EVENTS):
        log.show(facts.state(Objects(before.rollout, before.deployments, events)))
    said = out.getvalue().splitlines()
    log.show(
        facts.state(
            Objects(
                before.rollout,
                before.deployments,
                [*status_views.EVENTS, status_views.event(0, "PauseEnded", "it is over")],
            )
        )
    )
    news = out.getvalue().splitlines()[len(said) :]

    assert len(said) == 1
    assert said[0][9:].startswith(
        "Progressing; step 1 of 5; weight 20 %, 20 % wanted; stable 1 with 4 of 4 pods ready; "
    )
    assert [line[9:] for line in news] == ["* PauseEnded: it is over"]


def test_a_command_stays_in_one_line() -> None:
    """What people copy is not broken where a line can hold it."""
    text = "until promoted: kubectl annotate rollouts.headgate.dev web headgate.dev/promote=cccccccccc/4; or wait"

    assert [lines.plain(line) for line in lines.wrapped(text, WIDTH, 9)][1].startswith("kubectl annotate")
    assert " ".join(lines.plain(line) for line in lines.wrapped(text, 40, 9)) == text
