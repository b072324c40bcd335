"""What the one way out says when the way is barred; that it is walked well is the simulation's to show."""

import asyncio
import dataclasses
from typing import Any

import pytest

from headgate.act import Actor
from headgate.core.actions import RecordPolicy, RemoveCommand
from headgate.core.faults import Conflict, Fault, Refused, Unreachable
from headgate.core.model import Key, Notice
from headgate.core.paths import TrafficFacts, Unreadable
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
