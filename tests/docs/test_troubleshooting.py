"""docs/troubleshooting.md has whatever the code can say, and nothing that it cannot."""

import re

import pytest

from headgate import settings
from tests.docs import pages, said

PAGE = pages.page("troubleshooting")
REASONS = said.reasons()
AVAILABLE = REASONS["_flag"]
HELD = REASONS["_waiting"]
DISPUTED = REASONS["_disputed"]
EVENTS = REASONS["Notice"]
PROBLEMS = REASONS["Problem"]
READY = set().union(*(words for taker, words in REASONS.items() if taker in ("Rest", "begin_abort")))
WORD = re.compile(r"([A-Z][a-z]+)+")
SETTING = re.compile(r"^headgate: (?P<variable>HEADGATE_\w+)='(?P<value>.*?)': (?P<words>.*?)…?$")
SETTINGS = [match for word in pages.code(PAGE) if (match := SETTING.match(word))]


def _headed(title: str) -> set[str]:
    return {heading for heading in pages.headings(pages.section(PAGE, title)) if WORD.fullmatch(heading)}


def test_many_reasons_were_found() -> None:
    """The source is read in earnest: these are known to be there."""
    assert {"WriteRefused", "PodsNotStarting", "WaitingForPods", "MetricFailed", "Healthy"} <= READY
    assert {"CommandMismatch", "TemplateRepaired", "RollbackStarted"} <= EVENTS
    assert {"EnoughPodsReady", "TooFewPodsReady", "DrillSucceeded", "DrillFailed"} == AVAILABLE


def test_every_reason_of_the_ready_condition_is_there() -> None:
    """Each has a heading, and no heading is about one that does not exist."""
    assert READY == _headed("Reasons of the Ready condition")


def test_every_reason_of_an_event_is_there() -> None:
    """So has each reason of an Event of its own."""
    assert EVENTS == _headed("Reasons of Events")


def test_every_reason_of_the_other_conditions_is_there() -> None:
    """Those of Available and DrillSucceeded have a row each."""
    (table,) = pages.tables(pages.section(PAGE, "Reasons of the Available and DrillSucceeded conditions"))

    assert AVAILABLE == {row[0].strip("`") for row in table[1:]}


def test_every_reason_of_the_scale_held_condition_is_there() -> None:
    """So have those of ScalingHeld."""
    (table,) = pages.tables(pages.section(PAGE, "Reasons of the ScalingHeld condition"))

    assert HELD == {row[0].strip("`") for row in table[1:]}


def test_every_reason_of_the_disputed_condition_is_there() -> None:
    """So have those of Disputed, beside the Event of its name."""
    (table,) = pages.tables(pages.section(PAGE, "Disputed"))

    assert DISPUTED == {row[0].strip("`") for row in table[1:]} - {""}


def test_every_problem_of_routes_and_services_is_there() -> None:
    """Those that only spec.traffic can have stand in a table of their own."""
    (table,) = pages.tables(pages.section(PAGE, "Routes and Services"))

    assert PROBLEMS == {row[0].strip("`") for row in table[1:]}


def test_every_other_reason_is_one_of_these() -> None:
    """The history and the list of rejections use no word that is not on the page."""
    assert set().union(*REASONS.values()) <= READY | EVENTS | AVAILABLE | HELD | PROBLEMS | DISPUTED


@pytest.mark.parametrize("reason", sorted(READY | EVENTS))
def test_reasons_are_explained(reason: str) -> None:
    """Under each heading stands what one sees, as code, and what it means."""
    text = pages.section(PAGE, reason)

    assert pages.code(text)
    assert text.count(".") or "step" in text


@pytest.mark.parametrize(("place", "part"), said.log_lines().items())
def test_every_warning_of_the_log_is_there(place: str, part: str) -> None:
    """Whoever searches the page for a line of the log finds it."""
    assert part in PAGE, place


@pytest.mark.parametrize("told", SETTINGS, ids=lambda told: told["variable"])
def test_settings_are_refused_as_told(told: re.Match[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that the page shows for a wrong value is the line that is written."""
    monkeypatch.setenv(told["variable"], told["value"])
    with pytest.raises(settings.InvalidSettingsError) as refusal:
        settings.load()

    assert str(refusal.value).startswith(f"{told['variable']}='{told['value']}': {told['words']}")
