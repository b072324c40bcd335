"""Autoscalers are read where a decision depends on them, no more often than they change, and believed as they stand."""

import asyncio
import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.faults import Refused
from headgate.core.model import AutoscalerFacts, Identity, Json, Key, Kind, RolloutFacts, Target
from headgate.observe import autoscalers, parse_rollout, parse_status
from headgate.observe.autoscalers import Autoscalers
from tests.core.worlds import World
from tests.shell import observations

KEY = Key("prod", "web")


class Hpas:
    """The autoscalers of one namespace, as a Reader."""

    def __init__(self, *things: Json) -> None:
        self.things = list(things)
        self.reads = 0
        self.refuses = False

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all of them."""
        assert (kind, namespace, labels) == (Kind.AUTOSCALER, "prod", {})
        self.reads += 1
        if self.refuses:
            raise Refused("forbidden")
        return self.things

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Fail: nobody asks for one alone."""
        raise NotImplementedError

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Fail: nobody creates any."""
        raise NotImplementedError


def resource(name: str, target: Json, current: Json | None) -> tuple[Json, Json]:
    """Return a target of *name* and what was measured of it."""
    measured = {"type": "Resource", "resource": {"name": name, "current": current}} if current else {"type": ""}
    return {"type": "Resource", "resource": {"name": name, "target": target}}, measured


def hpa(
    *metrics: tuple[Json, Json], kind: str = "Rollout", group: str = "headgate.dev/v1alpha1", asks: int = 10
) -> Json:
    """Return an autoscaler that says that its number comes from memory."""
    active = "the HPA was able to successfully calculate a replica count from memory resource utilization (percentage)"
    return {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": group, "kind": kind, "name": "web"},
            "metrics": [target for target, _ in metrics],
        },
        "status": {
            "desiredReplicas": asks,
            "currentMetrics": [current for _, current in metrics],
            "conditions": [
                {"type": "ScalingActive", "status": "True", "message": active},
                {"type": "ScalingLimited", "status": "False", "message": "within range"},
            ],
        },
    }


MEMORY = resource("memory", {"averageUtilization": 60}, {"averageUtilization": 51, "averageValue": "64Mi"})
CPU = resource("cpu", {"averageUtilization": 50}, {"averageUtilization": 40})


def rollout(replicas: int | None = 10, **changes: Any) -> RolloutFacts:
    """Return the Rollout web in prod."""
    seen = observations.observation().rollout
    return dataclasses.replace(seen, namespace="prod", name="web", replicas=replicas, **changes)


def read(found: Autoscalers, wanted: RolloutFacts) -> tuple[AutoscalerFacts, ...]:
    """Return what is read."""
    return asyncio.run(found.read(KEY, wanted))


def test_what_an_autoscaler_says() -> None:
    """Its target, whether memory is the reason, what it asks for, and how much of its targets is used."""
    (found,) = read(Autoscalers(Hpas(hpa(MEMORY, CPU)), lambda: 1.0), rollout())
    expected = AutoscalerFacts(
        name="web",
        kind="Rollout",
        target="web",
        memory=True,
        by_memory=True,
        asks=10,
        limited=False,
        memory_load=Fraction(51, 60),
        other_load=Fraction(4, 5),
    )

    assert expected == found


@pytest.mark.parametrize(
    ("kind", "group", "known"),
    [
        ("Rollout", "headgate.dev/v1alpha1", 1),
        ("Deployment", "apps/v1", 1),
        ("Rollout", "argoproj.io/v1alpha1", 0),
        ("StatefulSet", "apps/v1", 0),
        ("Deployment", "", 0),
    ],
)
def test_whose_target_may_be_ours(kind: str, group: str, known: int) -> None:
    """Rollouts of another group and everything that is no Deployment are others' business."""
    assert known == len(read(Autoscalers(Hpas(hpa(CPU, kind=kind, group=group)), lambda: 1.0), rollout()))


@pytest.mark.parametrize(
    ("target", "current", "load"),
    [
        ({"averageUtilization": 50}, {"averageUtilization": 75}, Fraction(3, 2)),
        ({"averageValue": "100Mi"}, {"averageValue": "52428800"}, Fraction(1, 2)),
        ({"averageValue": "1"}, {"averageValue": "250m"}, Fraction(1, 4)),
        ({"averageValue": "2k"}, {"averageValue": "1.5k"}, Fraction(3, 4)),
        ({"averageValue": "1"}, {"averageValue": "lots"}, Fraction(0)),
        ({"averageValue": "1"}, None, Fraction(0)),
        ({}, {"averageValue": "1"}, Fraction(0)),
    ],
)
def test_how_much_of_a_target_is_used(target: Json, current: Json | None, load: Fraction) -> None:
    """Utilisation and quantities; what is not known is nothing."""
    (found,) = read(Autoscalers(Hpas(hpa(resource("cpu", target, current))), lambda: 1.0), rollout())

    assert (load, Fraction(0), False) == (found.other_load, found.memory_load, found.memory)


def test_targets_outside_of_pods_count_too() -> None:
    """Requests at a gateway, as an object, are a target like CPU; what has no measurement yet counts nothing."""
    target = {"type": "Object", "object": {"target": {"type": "Value", "value": "100"}}}
    current = {"type": "Object", "object": {"current": {"value": "120"}}}
    thing = hpa((target, current), CPU)
    thing["status"]["currentMetrics"].pop()
    (found,) = read(Autoscalers(Hpas(thing), lambda: 1.0), rollout())

    assert Fraction(6, 5) == found.other_load


def test_they_are_read_again_when_they_may_say_something_new() -> None:
    """After 15 s; when the replicas were set; and until one with memory among its targets has said why."""
    now = [100.0]
    reader = Hpas(hpa(MEMORY))
    found = Autoscalers(reader, lambda: now[0])
    for seconds, replicas, reads in ((0, 10, 1), (14, 10, 1), (1, 10, 2), (1, 17, 3), (1, 17, 4), (-60, 10, 5)):
        now[0] += seconds
        read(found, rollout(replicas))

        assert reads == reader.reads
    found.forget(KEY)
    read(found, rollout())
    assert 6 == reader.reads


def test_what_cannot_be_read_is_as_it_was() -> None:
    """A fault takes nothing away that was known, and without rights there is nothing to know."""
    now = [100.0]
    reader = Hpas(hpa(MEMORY))
    found = Autoscalers(reader, lambda: now[0])
    before = read(found, rollout())
    reader.refuses, now[0] = True, 200.0

    assert before == read(found, rollout())
    assert () == read(Autoscalers(reader, lambda: 1.0), rollout())


def side(hash_: str) -> Json:
    """Return a revision of a status."""
    then = "2026-01-01T00:00:00Z"
    return {"hash": hash_, "revision": 1, "started": then, "promoted": then}


@pytest.mark.parametrize(
    ("status", "target", "scaled_by", "expected"),
    [
        ({}, "a", "", False),
        ({"stable": side("a")}, "a", "", False),
        ({"stable": side("a")}, "", "", False),
        ({"stable": side("a")}, "a", "kubectl", True),
        ({"stable": side("a")}, "b", "", True),
        ({"stable": side("a"), "minReplicas": 10}, "a", "", True),
        ({"stable": side("a"), "restart": {"since": "2026-01-01T00:00:00Z", "pods": 10}}, "a", "", True),
        ({"stable": side("a"), "canary": side("b")}, "b", "", True),
        ({"stable": side("b"), "previous": side("a")}, "b", "", True),
    ],
)
def test_when_they_matter(status: Json, target: str, scaled_by: str, *, expected: bool) -> None:
    """Not at rest, nor for the first revision; with extra pods, before a start, and when somebody scaled ours."""
    there = World().stable(scaled_by=scaled_by).deployments

    assert expected == autoscalers.matters(parse_status.read(status).status, Target(Identity.KNOWN, target), there)


def test_a_revision_that_was_taken_back_is_not_about_to_start() -> None:
    """Then the Rollout is at rest, though its template is another one."""
    rejected = api.Rejected(revision=2, hash="b", reason="Aborted", message="", at=1)
    status = parse_status.read({"stable": side("a")}).status.model_copy(update={"rejected": (rejected,)})

    assert not autoscalers.matters(status, Target(Identity.KNOWN, "b"), {})


def test_when_the_replicas_were_set() -> None:
    """Through the scale subresource, as the API server keeps record of it; never is 0."""
    entry = {"subresource": "scale", "time": "2027-01-15T08:00:00Z", "manager": "kube-controller-manager"}
    thing = {"metadata": {"managedFields": [entry, {"manager": "kubectl"}]}, "spec": {}}

    assert parse_rollout.facts(thing, ()).scaled == 1_800_000_000
    assert parse_rollout.facts({"metadata": {}, "spec": {}}, ()).scaled == 0
