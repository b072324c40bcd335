"""A status is read part by part: a newer operator may have written it."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model import Part, unknown_fields
from headgate.observe import parse_status
from tests.core import ways
from tests.core.worlds import A, B, World, policy

STRANGE = ("Quarantined", {"news": 1}, ["news"], 5, True, None, 1.5, "")
"""What may stand where something else is expected."""
BLIND = {"stable", "canary", "previous", "rollback"}


def full() -> dict[str, Any]:
    """Return a status with everything that one can have, as it is stored."""
    world = ways.in_flight(20, 2).knows(passes=2, value="0.1", message="fine")
    entry = api.HistoryEntry(
        revision=1,
        hash=A,
        outcome=api.Ending.PROMOTED,
        reason="Promoted",
        by="steps",
        started=1,
        finished=2,
        duration="1s",
    )
    rejected = api.Rejected(revision=9, hash="zzzzzzzzzz", reason="MetricFailed", message="why", at=1)
    whole = world.status.model_copy(
        update={
            "rejected": (rejected,),
            "history": (entry,),
            "min_replicas": 10,
            "template": api.TemplateStatus(hash=B, revision_hash=B),
            "handled_commands": ("promote=x",),
            "restart": api.Restart(since=1, pods=10),
            "rollback": api.Rollback(revision=1, hash=A, rejects=B, since=1),
            "previous": api.Previous(revision=3, hash="dddddddddd", promoted=1, started=1, until=9),
            "drill": api.DrillSchedule(schedule="* * * * * UTC", next=1),
            "conditions": (api.Condition(type="Ready", status="True", reason="Healthy", last_transition_time=1),),
        }
    )
    return whole.written()


def places(value: Any, path: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Yield where anything stands in *value*."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from places(part, (*path, name))


def put(value: Any, path: tuple[int | str, ...], strange: Any) -> Any:
    """Return a copy of *value* with something *strange* at *path*."""
    changed = copy.deepcopy(value)
    part = changed
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = strange
    return changed


PLACES = list(places(full()))


@pytest.mark.parametrize("path", PLACES, ids=[".".join(map(str, path)) for path in PLACES])
def test_h31_one_strange_value_costs_its_own_part_and_no_other(path: tuple[int | str, ...]) -> None:
    """H31: all other parts are read as ever, and what is strange is written back as it stands."""
    whole = parse_status.read(full()).status
    for strange in STRANGE:
        raw = put(full(), path, strange)
        read = parse_status.read(raw)
        others = {name for name in type(whole).model_fields if type(whole).model_fields[name].alias != path[0]}
        assert [] == [name for name in others if getattr(whole, name) != getattr(read.status, name)]

        back: dict[Any, Any] = unknown_fields.with_stored(read.stored, read.status.written(), read.status.written())
        derived = path[0] in unknown_fields.FOUND_ANEW or strange is None
        assert derived or back[path[0]] == raw[path[0]] or Part.STATUS in read.unread, (strange, back[path[0]])


@pytest.mark.parametrize("side", sorted(BLIND))
@pytest.mark.parametrize("strange", STRANGE)
def test_h31_what_serves_is_understood_whole_or_nothing_is_decided(side: str, strange: Any) -> None:
    """H31: half a revision is none."""
    for field in ("", "hash", "revision"):
        raw = put(full(), (side, field) if field else (side,), strange)
        known = (field == "hash" and isinstance(strange, str)) or (field == "revision" and strange == 5)
        known = known and not isinstance(strange, bool)

        assert known or Part.STATUS in parse_status.read(raw).unread


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (("canary", "abort"), Part.STATUS),
        (("canary", "drill"), Part.STATUS),
        (("canary", "isRollback"), Part.STATUS),
        (("canary", "started"), Part.STATUS),
        (("traffic", "plannedRules"), Part.STATUS),
        (("traffic",), Part.STATUS),
        (("step",), Part.STATUS_PART),
        (("step", "index"), Part.STATUS_PART),
        (("step", "since"), Part.STATUS_PART),
        (("weight", "desired"), Part.STATUS_PART),
        (("minReplicas",), Part.STATUS_PART),
        (("restart",), Part.STATUS_PART),
        (("policy",), Part.STATUS_PART),
        (("rejected",), Part.STATUS_PART),
        (("rejected", 0), Part.STATUS_PART),
        (("rejected", 0, "hash"), Part.STATUS_PART),
        (("history",), Part.STATUS_PART),
        (("rejected", 0, "reason"), None),
        (("history", 0, "outcome"), None),
        (("history", 0), None),
        (("analysis",), None),
        (("analysis", 0, "verdict"), None),
        (("conditions", 0, "status"), None),
        (("phase",), None),
        (("template",), None),
        (("drill",), None),
        (("canary", "progress"), None),
        (("stable", "images"), None),
        (("traffic", "weight"), None),
        (("weight", "achieved"), None),
        (("step", "waitingFor"), None),
    ],
)
def test_h31_what_each_part_costs(path: tuple[int | str, ...], part: Part | None) -> None:
    """H31: what says who serves costs every decision, what a step rests on every step, and all else nothing."""
    assert ({part} if part else set()) == set(parse_status.read(put(full(), path, {"news": 1})).unread)


def test_h31_words_of_a_newer_version_are_kept() -> None:
    """H31: an ending and an outcome are texts; that they are not known is no reason to lose the entry."""
    raw = put(put(full(), ("history", 0, "outcome"), "Quarantined"), ("analysis", 0, "verdict"), "Skipped")
    status = parse_status.read(raw).status

    assert ("Quarantined", "Skipped") == (status.history[0].outcome, status.analysis[0].verdict)
    assert raw == status.written()


def test_h31_a_rejection_is_not_lost_with_its_words() -> None:
    """H31: its hash is what counts."""
    raw = put(full(), ("rejected", 0), {"hash": "zzzzzzzzzz", "reason": {"code": 7}, "at": 5})

    assert ["zzzzzzzzzz"] == [entry.hash for entry in parse_status.read(raw).status.rejected]


@pytest.mark.parametrize(
    ("others", "highest"),
    [({}, 20), ({"managedRules": ["beta"]}, 100), ({"managedRules": "news"}, 100), ({"lowest": 30}, 30)],
)
@pytest.mark.parametrize("known", [True, False])
def test_h31_traffic_that_is_half_understood_is_taken_for_the_worst(
    others: dict[str, Any], highest: int, *, known: bool
) -> None:
    """H31: as many users may still be at the canary as the step asks for, and all where that, or a copy, is unknown."""
    weight = {"weight": full()["weight"]} if known else {"weight": "news"}
    status = parse_status.read({**full(), **weight, "traffic": {"weight": "news", "lowest": 20, **others}}).status

    assert status.traffic is not None
    assert (0, others.get("lowest", 20), highest if known else 100, None) == (
        status.traffic.weight,
        status.traffic.lowest,
        status.traffic.highest,
        status.traffic.since,
    )


@pytest.mark.parametrize("raw", ["news", 5, ["news"]])
def test_h31_a_status_of_another_shape_says_nothing(raw: Any) -> None:
    """H31: it is not taken for an empty one."""
    assert {Part.STATUS} == set(parse_status.read(raw).unread)
    assert {} == parse_status.read(None).unread


def test_a_number_is_no_time_where_it_is_stored() -> None:
    """The API server keeps times as texts; five would be a moment of 1970, and every pause be over."""
    raw = {"stable": {"hash": A, "revision": 1}, "restart": {"since": 5, "pods": 1}}

    assert {Part.STATUS_PART} == set(parse_status.read(raw).unread)


def test_nothing_is_unread_of_what_this_version_writes() -> None:
    """Whatever it writes it reads again."""
    for world in (World(), World().first(), World().ruled(policy(20)).canary(2).leaving(), ways.warm()):
        read = parse_status.read(world.status.written())

        assert (world.status, {}) == (read.status, read.unread)


class Counted:
    """Counts how often a status is validated as a whole."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.validations = 0
        ours = api.RolloutStatus.model_validate_json

        def counting(*args: Any, **options: Any) -> api.RolloutStatus:
            self.validations += 1
            return ours(*args, **options)

        patch.setattr(api.RolloutStatus, "model_validate_json", counting)


@pytest.mark.parametrize("seed", range(30))
def test_h33_however_much_is_strange_a_few_looks_are_enough(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """H33: all that is not understood is found in some looks, and parts without it are read as ever."""
    dice, raw = random.Random(seed), full()
    chosen = dice.sample(PLACES, dice.randrange(1, 60))
    for path in sorted(chosen, key=len, reverse=True):
        raw = put(raw, path, dice.choice(STRANGE))
    for name in sorted(name for name, entries in raw.items() if isinstance(entries, list)):
        raw[name] = raw[name] * dice.randrange(1, 30)
    whole = parse_status.read(full()).status
    counted = Counted(monkeypatch)
    read = parse_status.read(raw)

    assert counted.validations <= 8
    assert () not in read.lost
    touched = {path[0] for path in chosen} | {name for name, entries in raw.items() if isinstance(entries, list)}
    fields = {name: field.alias or name for name, field in type(whole).model_fields.items()}
    plain = {name for name, alias in fields.items() if alias not in touched}
    assert [] == [name for name in plain if getattr(whole, name) != getattr(read.status, name)]


@pytest.mark.parametrize("entry", [{"hash": 5}, {}, 7, "news", [[]], None], ids=repr)
@pytest.mark.parametrize("field", ["rejected", "history", "analysis", "conditions", "handledCommands"])
@pytest.mark.parametrize("entries", [1_000, 20_000])
def test_h33_the_size_of_a_status_costs_no_looks(
    monkeypatch: pytest.MonkeyPatch, field: str, entry: Any, entries: int
) -> None:
    """H33: a list of twenty thousand entries is looked through as often as one of two, and the rest is read."""
    good = full()[field][0]
    counted = Counted(monkeypatch)
    read = parse_status.read({**full(), field: [good, *[entry] * entries]})

    assert counted.validations <= 4
    assert read.status.stable == parse_status.read(full()).status.stable
    many_fit = field == "handledCommands" and isinstance(entry, str)  # understood one by one, and too many
    assert many_fit or [good] == read.status.written()[field][:1]


@pytest.mark.parametrize("side", ["stable", "canary"])
def test_h33_a_flood_inside_a_part_is_not_counted_through(monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    """H33: where errors are beyond counting nothing of the status is understood, after one look."""
    counted = Counted(monkeypatch)
    read = parse_status.read(put(full(), (side, "images"), [5] * 30_000))

    assert {Part.STATUS} == set(read.unread)
    assert counted.validations == 1
