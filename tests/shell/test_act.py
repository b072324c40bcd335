"""What the one way out says when the way is barred; that it is walked well is the simulation's to show."""

import asyncio
import dataclasses
from typing import Any

import pytest

from headgate.act import Actor
from headgate.core.faults import Conflict, Fault, Refused, Unreachable
from headgate.core.model import Json, Key, Kind, Notice, TemplateRecord, Unreadable
from headgate.core.model.actions import AdoptRecord, RecordPolicy, RemoveCommand
from headgate.core.model.traffic import TrafficFacts
from tests.shell.observations import KEY, decision, observation

GLAD, SORRY = Notice("Promoted", "all is well"), Notice("InvalidSpec", "spec: wrong", warning=True)


class Barred:
    """An API server that takes no status, and remembers what is said of it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.said: list[Notice] = []

    async def _fail(self, *_: Any, **__: Any) -> Any:
        raise self.fault

    apply_status = create = patch = delete = evict = _fail

    def post(self, key: Key, _uid: str, notice: Notice) -> None:
        """Remember it."""
        assert key == KEY
        self.said.append(notice)


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Refused("no"), [Notice("StatusRefused", "the status cannot be written: no", warning=True), SORRY]),
        (Conflict("late"), []),
        (Unreachable("away"), []),
    ],
)
async def test_refused_status_is_told_by_events(fault: Fault, said: list[Notice], *, urgent: bool) -> None:
    """H23: where the status is refused, Events say so and what is wrong; a later pass says what it can still write."""
    wanted = dataclasses.replace(decision(), write_status=True, urgent=urgent, notices=(GLAD, SORRY))
    barred = Barred(fault)
    await Actor(barred, barred).act(observation(), wanted)

    assert said == barred.said


@pytest.mark.parametrize("written", [True, False])
async def test_pass_that_is_ended_says_what_its_status_says(*, written: bool) -> None:
    """A pass that is ended in one of its writes has said what its status says; no later pass would."""
    heard = RemoveCommand("headgate.dev/retry", "abc")
    wanted = dataclasses.replace(decision(), write_status=written, notices=(GLAD,), actions=(heard,))
    barred = Barred(Refused("no"))

    async def written_status(*_: Any) -> Any:
        return {"metadata": {"resourceVersion": "8"}}

    async def hangs(*_: Any) -> Any:
        raise asyncio.CancelledError

    vars(barred).update(apply_status=written_status, patch=hangs)
    with pytest.raises(asyncio.CancelledError):
        await Actor(barred, barred).act(observation(), wanted)

    assert barred.said == ([GLAD] if written else [])


@pytest.mark.parametrize(
    ("ways", "urgent", "why"),
    [
        ({"routes": {("HTTPRoute", "web"): Unreadable("429")}}, True, "429"),
        ({"stable": Unreadable("500")}, True, "500"),
        ({"canary": Unreadable("500")}, True, ""),
        ({}, True, ""),
        ({"routes": {("HTTPRoute", "web"): Unreadable("429")}}, False, ""),
    ],
)
async def test_a_way_back_that_was_not_read_is_looked_at_soon(ways: Any, *, urgent: bool, why: str) -> None:
    """H24: going back, a route that could not be read is no reason to wait for the next tick of any clock."""
    seen = dataclasses.replace(
        observation(), traffic=TrafficFacts(**{"stable": None, "canary": None, "routes": {}, **ways})
    )
    barred = Barred(Refused("nobody asks"))
    result = await Actor(barred, barred).act(seen, dataclasses.replace(decision(), urgent=urgent))

    assert why == result.unreachable


@pytest.mark.parametrize("same", [True, False])
async def test_h34_a_record_that_exists_is_compared(*, same: bool) -> None:
    """H34: its name proves nothing: one that keeps something else is refused with the remedy, and nothing goes on.

    The comparison is a patch of tests alone, which changes nothing.
    """
    barred, compared = Barred(Refused("no")), list[Any]()

    async def taken(*_: Any) -> Any:
        raise Conflict("exists")

    async def compare(_kind: Any, _namespace: str, _name: str, operations: Any, _manager: str) -> Any:
        compared.extend(operations)
        if not same:
            raise Conflict("test failed")

    async def written_status(*_: Any) -> Any:
        return {"metadata": {"resourceVersion": "8"}}

    vars(barred).update(create=taken, patch=compare, apply_status=written_status)
    record = RecordPolicy(observation().rollout.policy_hash)
    wanted = dataclasses.replace(decision(), write_status=True, urgent=False, records=(record,))
    found = await Actor(barred, barred).act(observation(), wanted)

    assert ["test"] == [one["op"] for one in compared]
    assert same == found.status_written
    assert same == (not found.refusals)
    assert same or "delete it" in found.refusals[0]


class Writing:
    """An API server that takes everything, answers with *answer*, and remembers the patches."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.patches: list[tuple[Kind, str, list[Json]]] = []

    async def apply_status(self, *_: Any) -> Json:
        """Take it."""
        return self.answer

    async def patch(self, kind: Kind, _namespace: str, name: str, operations: list[Json], *_: Any, **__: Any) -> Json:
        """Take it, and remember it."""
        self.patches.append((kind, name, operations))
        return self.answer

    async def create(self, *_: Any) -> Json:
        """Take it."""
        return self.answer

    delete = evict = create

    def post(self, *_: Any) -> None:
        """Hear it."""


@pytest.mark.parametrize("version", ["7", ""])
async def test_h34_a_record_is_adopted_as_it_was_seen(version: str) -> None:
    """H34: what stands under the name of a record by now, and is another one, is not adopted in its place."""
    record = TemplateRecord("web-abc", "abc", 1, {}, 0, references=0, uid="u", resource_version=version)
    seen = dataclasses.replace(observation(), templates={"abc": record})
    server: Any = Writing({})
    await Actor(server, server).act(seen, dataclasses.replace(decision(), actions=(AdoptRecord("web-abc"),)))

    [(kind, name, operations)] = server.patches
    assert (Kind.CONTROLLER_REVISION, "web-abc") == (kind, name)
    tested = [one["value"] for one in operations if one["op"] == "test"]
    assert ([version] if version else []) == tested


@pytest.mark.parametrize("answer", [{}, {"metadata": {}}, {"metadata": ["x"]}, {"kind": "Status"}])
async def test_h29_an_odd_answer_to_the_status_stops_no_step_back(answer: Json) -> None:
    """H29: whatever a success to the write of the status holds, what goes back is carried out."""
    server: Any = Writing(answer)
    heard = RemoveCommand("headgate.dev/abort", "now")
    wanted = dataclasses.replace(decision(), write_status=True, urgent=True, actions=(heard,))
    await Actor(server, server).act(observation(), wanted)

    assert [kind for kind, _, _ in server.patches] == [Kind.ROLLOUT]
