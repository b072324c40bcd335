"""Malformed Rollouts, let in by an old CRD, live among a hundred good ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import wait_until
from tests.control_plane.conftest import running
from tests.control_plane.hazards import malformed
from tests.control_plane.hazards.stages import Stage, opened, staged
from tests.control_plane.life import rollouts

pytestmark = [pytest.mark.control_plane, pytest.mark.slow]

Json = dict[str, Any]

MANY = 100
OUTAGE = "the API server does not answer"
WRONG = {
    "no-spec": "spec.selector: Field required",
    "spec-is-text": "spec.selector: Field required",
    "wrong-types": "spec.replicas: Input should be a valid integer",
    "wrong-inside": "spec.strategy.canary.steps[0].setWeight: Input should be a valid integer",
    "wrong-template": "template.spec.containers: must be a list of objects",
    "deep": "spec.template.spec.affinity.a.a.a: nested deeper than 64 levels: make it flatter",
    "hostile-labels": "spec.selector.matchLabels: must be labels",
    "hostile-metric": "spec.analysis.metrics[0].name: must be lower-case letters, digits and '-'",
    malformed.WRONG_SIDES: "status.canary, status.stable: not understood by this version",
}
"""What each says is wrong with it; the huge one is right."""


def good(stage: Stage, version: str) -> list[Json]:
    """Return a hundred Rollouts of one pod each."""
    made = []
    for number in range(MANY):
        one = rollouts.manifest(
            stage.namespace,
            version,
            replicas=1,
            selector={"matchLabels": {"app": f"good-{number}"}},
            strategy={"canary": {"steps": [{"setWeight": 50}]}},
        )
        one["metadata"]["name"] = f"good-{number}"
        one["spec"]["template"]["metadata"]["labels"] = {"app": f"good-{number}"}
        made.append(one)
    return made


def served(stage: Stage, version: str) -> bool:
    """Return whether every good Rollout serves *version*."""
    found = stage.house.recorder.now(stage.namespace, "rollouts")
    statuses = [one.get("status", {}) for name, one in found.items() if name.startswith("good-")]
    at = [one for one in statuses if one.get("phase") == "Healthy"]
    return len([one for one in at if one["stable"]["images"] == [f"registry.example/web:{version}"]]) == MANY


def let_in(stage: Stage) -> None:
    """Create the malformed Rollouts, and give each a status of which every field is wrong.

    Where it does not tell which versions serve, nothing is decided; so that one Rollout alone has such a status.
    """
    access = stage.house.access
    session = access.session()
    url = access.url("rollouts", stage.namespace)
    with malformed.without_schema(access):
        for name, spec in malformed.specs(stage.namespace).items():
            body = {"apiVersion": "headgate.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": name}}
            said = session.post(url, json=body if spec is None else {**body, "spec": spec}, timeout=30)
            assert said.ok, (name, said.text[:500])
            status = malformed.SIDES if name == malformed.WRONG_SIDES else malformed.STATUS
            said = session.patch(
                f"{url}/{name}/status",
                data=json.dumps({"status": status}),
                headers={"Content-Type": "application/merge-patch+json"},
                timeout=30,
            )
            assert said.ok, (name, said.text[:500])


def said_of(stage: Stage, name: str) -> str:
    """Return what a malformed Rollout says of itself, in its conditions or in Events."""
    status = stage.house.recorder.get(stage.namespace, "rollouts", name).get("status", {})
    told = [f"{one['reason']}: {one['message']}" for one in status.get("conditions", []) if one["type"] == "Ready"]
    access = stage.house.access
    events = access.session().get(access.url("events", stage.namespace), timeout=30).json()["items"]
    told += [one["note"] for one in events if one["regarding"].get("name") == name and one["type"] == "Warning"]
    return "; ".join(told)


def at_rest(stage: Stage, name: str) -> bool:
    """Return whether a Rollout serves what it should, with all of its pods."""
    found = stage.house.recorder.get(stage.namespace, "rollouts", name).get("status", {})
    return (found.get("phase"), found.get("ready"), found.get("canary")) == ("Healthy", "4/4", None)


def test_h23_malformed_among_a_hundred(tmp_path: Path) -> None:
    """H23: a hundred Rollouts go on beside malformed, huge and hostile ones, which say what is wrong with them."""
    # A control plane of its own: the kind is replaced twice, which ends everybody's watches.
    with running("malformed") as started, opened(started.cluster, tmp_path) as house, staged(house) as stage:
        actor = stage.actors[0]
        let_in(stage)
        stage.apply("rollouts", *good(stage, "v1"))
        stage.wait(lambda: served(stage, "v1"), "a hundred at rest")
        actor.operator.kill()
        actor.operator.start()
        stage.apply("rollouts", *good(stage, "v2"))
        stage.wait(lambda: served(stage, "v2"), "a hundred on their second version")
        assert wait_until(lambda: at_rest(stage, "huge"), 90), said_of(stage, "huge")
        said = {name: said_of(stage, name) for name in WRONG}

        assert [] == [(name, said[name]) for name, words in WRONG.items() if words not in said[name]]
        assert [] == stage.prometheus.asked
        assert actor.alive
        assert actor.operator.metric("headgate_bugs_total") == 0
        assert OUTAGE not in actor.operator.log.read_text()
