"""Whose pods a Rollout's selector chooses beside its own: looked for when it matters, and never before a step back."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api import names
from headgate.api.status import Canary, Condition, Previous, Rejected, RolloutStatus, Side
from headgate.core import faults
from headgate.core.model import Identity, Json, Kind, RolloutFacts, Target, overlaps
from headgate.core.model.overlaps import Overlaps
from headgate.observe import overlapping_workloads
from headgate.observe.overlapping_workloads import Others
from tests.shell.observations import KEY, observation

WEB = "Deployment web"
STABLE, NEW = "aaaaaaaaaa", "bbbbbbbbbb"
RESTS = RolloutStatus(stable=Side(revision=1, hash=STABLE))
ROLLOUT = observation().rollout


def pod(name: str = "p", kind: str = "", holder: str = "", **labels: str) -> Json:
    """Return a pod that the Rollout selects, of a controller if *kind* is given."""
    owners = [{"kind": kind, "name": holder, "controller": True}] if kind else []
    metadata = {"name": name, "labels": {"app": "web", **labels}, "ownerReferences": owners}
    return {"metadata": metadata, "status": {"phase": "Running"}}


def of_web(name: str = "p") -> Json:
    """Return a pod of the Deployment web."""
    return {**(made := pod(name, "ReplicaSet", "web-5d8f")), "metadata": {**made["metadata"], "labels": HASHED}}


HASHED = {"app": "web", "pod-template-hash": "5d8f"}


class Pods:
    """A Reader of these pods, that counts how often it is asked."""

    def __init__(self, *pods: Any) -> None:
        self.pods: list[Any] = list(pods)
        self.asked = 0
        self.fails: Exception | None = None

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return them all."""
        assert (kind, namespace, labels) == (Kind.POD, KEY.namespace, {"app": "web"})
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return self.pods

    async def get(self, *_: Any) -> Json | None:
        """Say that nothing else may be asked for."""
        raise AssertionError

    async def try_create(self, *_: Any) -> Json:
        """Say that nothing else may be asked for."""
        raise AssertionError


class Looking:
    """One process that looks for others."""

    def __init__(self, *pods: Any) -> None:
        self.pods = Pods(*pods)
        self.now = 1000.0
        self.others = Others(self.pods, lambda: self.now, None)

    async def at(
        self, hash_: str = NEW, status: RolloutStatus = RESTS, identity: Identity = Identity.KNOWN, **rollout: Any
    ) -> tuple[str, ...] | None:
        """Return what is found where the template is that of *hash_*; None: it is not known."""
        wanted: RolloutFacts = dataclasses.replace(ROLLOUT, **rollout)
        found = await self.others.of(KEY, wanted, status, Target(identity, hash_))
        return None if found is None else found.workloads


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (of_web(), (WEB,)),
        (pod(kind="ReplicaSet", holder="web-5d8f"), ("ReplicaSet web-5d8f",)),
        (pod(kind="StatefulSet", holder="db"), ("StatefulSet db",)),
        (pod(kind="DaemonSet", holder="agent"), ("DaemonSet agent",)),
        (pod(), ("Pod p",)),
        (pod(kind="Job", holder="report-1"), ()),
        (pod(kind="ReplicaSet", holder="shop-x", **{names.POD_HASH: STABLE}), ()),
        ({**pod(), "status": {"phase": "Succeeded"}}, ()),
        ({**pod(), "status": None}, ("Pod p",)),
        ({"metadata": {**pod()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}, ()),
        (pod(kind="Evil\n", holder="x"), ()),
        (pod(kind="K" * 64, holder="x"), ()),
        (pod(kind="Thing", holder="../x"), ()),
    ],
)
async def test_who_runs_a_pod(one: Json, found: tuple[str, ...]) -> None:
    """A controller is named, a pod of none by its own name; not a Rollout's, one that is about to end, or no name."""
    assert await Looking(one).at() == found


async def test_each_is_named_once() -> None:
    """Many pods of one Deployment are one, in the order of names; of very many no more are kept than are counted."""
    assert await Looking(of_web("a"), pod("b"), of_web("c")).at() == (WEB, "Pod b")
    many = await Looking(*(pod(f"p{number}") for number in range(100))).at()
    assert many is not None
    assert len(many) == overlaps.COUNTED


FLIGHT = RESTS.model_copy(update={"canary": Canary(revision=2, hash=NEW, started=1)})
REJECTED = Rejected(revision=2, hash=NEW, reason="MetricFailed", message="", at=1)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, 1),
        ({"status": RolloutStatus()}, 1),
        ({"hash_": STABLE}, 0),
        ({"hash_": "", "identity": Identity.UNKNOWN}, 0),
        ({"identity": Identity.REFUSED}, 0),
        ({"status": RESTS.model_copy(update={"rejected": (REJECTED,)})}, 0),
        ({"status": FLIGHT}, 0),
        ({"status": RESTS.model_copy(update={"previous": Previous(revision=2, hash=NEW, promoted=1, started=1)})}, 0),
        ({"deleting": True}, 0),
        ({"annotations": {names.ABORT: "now"}}, 0),
        ({"match_labels": {}}, 0),
    ],
)
async def test_when_it_is_looked(changes: dict[str, Any], asked: int) -> None:
    """Before a rollout starts, and not at rest; never in flight, while one is warm, for a command or a deletion."""
    looking = Looking(of_web())
    assert await looking.at(**changes) == ((WEB,) if asked else ())
    assert looking.pods.asked == asked


async def test_while_there_are_some_it_is_looked_again() -> None:
    """Not in each pass, but now and then at rest, until there are none; in flight what was found stands."""
    looking = Looking(of_web())
    for _ in range(3):
        assert await looking.at() == (WEB,)
    assert looking.pods.asked == 1
    looking.pods.pods = []
    looking.now += overlaps.LOOK_SECONDS
    assert await looking.at(status=FLIGHT) == (WEB,)
    assert looking.pods.asked == 1
    assert await looking.at(hash_=STABLE) == ()
    looking.now += overlaps.LOOK_SECONDS
    assert await looking.at(hash_=STABLE) == ()
    assert looking.pods.asked == 2
    looking.others.forget(KEY)
    assert await looking.at(hash_=STABLE) == ()


@pytest.mark.parametrize("fails", [faults.Unreachable("429"), faults.Refused("403"), None])
async def test_unread_is_not_none(fails: Exception | None) -> None:
    """What cannot be read, or has no shape, leaves what was found; a new process learns from the status."""
    looking = Looking(of_web())
    assert await looking.at() == (WEB,)
    looking.now += overlaps.LOOK_SECONDS
    looking.pods.fails, looking.pods.pods = fails, [{"metadata": {"labels": {"app": "another"}}}]
    assert await looking.at() == (WEB,)

    message = overlaps.words(Overlaps(workloads=(WEB,)))
    said = Condition(type="Disputed", status="True", reason="PodsOfOthers", message=message, last_transition_time=0)
    told = RESTS.model_copy(update={"conditions": (said,)})
    anew = Looking()
    anew.pods.fails, anew.pods.pods = fails, looking.pods.pods
    assert await anew.at(hash_=STABLE, status=told) is None
    anew.pods.fails, anew.pods.pods = None, []
    assert await anew.at(hash_=STABLE, status=told) is None
    anew.now += overlaps.LOOK_SECONDS
    assert await anew.at(hash_=STABLE, status=told) == ()
    assert anew.pods.asked == 2


async def test_a_list_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pass waits for it for long, and the next ones do not wait for it at all until it is time to look again."""
    looking = Looking(of_web())
    assert await looking.at() == (WEB,)
    looking.now += overlaps.LOOK_SECONDS
    monkeypatch.setattr(overlapping_workloads, "PATIENCE_SECONDS", 0.01)

    async def hangs(*_: Any) -> list[Json]:
        looking.pods.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(looking.pods, "select", hangs)
    async with asyncio.timeout(10):
        for _ in range(3):
            assert await looking.at() == (WEB,)
    assert looking.pods.asked == 2
