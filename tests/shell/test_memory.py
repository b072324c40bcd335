"""What is remembered is bounded, and one namespace makes nothing of another forgotten; logs quote nothing that acts."""

import io
import logging

from headgate.core.model import Key, Part, Unreadable
from headgate.observe import parse_workloads
from headgate.observe.last_known import Memory
from headgate.telemetry import logs

RECORDS = {Part.RECORDS: Unreadable("down", passing=True)}


def test_h33_many_rollouts_of_a_namespace_evict_its_own_alone() -> None:
    """H33: since when something of another namespace cannot be read is remembered beside thousands of Rollouts."""
    now = [1000.0]
    memory, victim, first = Memory(lambda: now[0]), Key("victim", "web"), Key("hostile", "r0")
    memory.dated(victim, RECORDS)
    for number in range(2500):
        memory.dated(Key("hostile", f"r{number}"), RECORDS)
    now[0] = 2000.0

    assert memory.dated(victim, RECORDS)[Part.RECORDS].since == 1000
    assert memory.dated(first, RECORDS)[Part.RECORDS].since == 2000
    assert len(memory._known) == 2000
    memory.forget(victim)
    memory.forget(victim)
    assert memory.dated(victim, RECORDS)[Part.RECORDS].since == 2000


def test_control_characters_are_escaped_in_lines_for_people() -> None:
    """What an annotation says neither begins a line nor tells a terminal what to do; letters of all scripts stay."""
    hostile = "".join(map(chr, (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0x200B, 0xFEFF)))
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        for kind in ("text", "json"):
            logs.configure(kind, "info", stream)
            logging.getLogger("headgate.test").warning("it says %s Ω", f"a{hostile}z")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    text, as_json = stream.getvalue().splitlines()
    assert text.isprintable()
    assert as_json.isprintable()
    assert "\\x1b" in text
    assert "Ω" in text


def test_a_number_beyond_all_numbers_is_none() -> None:
    """JSON has room for more than a number can hold."""
    assert (0, 0, 5) == (
        parse_workloads.number(float("inf")),
        parse_workloads.number(float("nan")),
        parse_workloads.number("5"),
    )
