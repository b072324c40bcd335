"""The few things that Headgate asks of a pod template."""

from typing import Any

import pytest

from headgate.api import template

LABELS = {"app": "web"}
WEB = {"name": "web"}
GOOD: dict[str, Any] = {"metadata": {"labels": LABELS}, "spec": {"containers": [WEB]}}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({}, "template.metadata.labels: must have at least"),
    "metadata is a text": ({**GOOD, "metadata": "web"}, "template.metadata.labels: must have at least"),
    "labels are a list": ({**GOOD, "metadata": {"labels": ["app"]}}, "template.metadata.labels: must have at least"),
    "a label is a number": ({**GOOD, "metadata": {"labels": {**LABELS, "port": 80}}}, "in quotes"),
    "a label of ours": ({**GOOD, "metadata": {"labels": {**LABELS, "headgate.dev/pod-hash": "a"}}}, "remove it"),
    "other labels": ({**GOOD, "metadata": {"labels": {"app": "shop"}}}, "add what is missing"),
    "spec is a list": ({**GOOD, "spec": [WEB]}, "template.spec.containers: must have at least one"),
    "containers are a text": ({**GOOD, "spec": {"containers": "web"}}, "must be a list of objects"),
    "a container is a text": ({**GOOD, "spec": {"containers": ["web"]}}, "must be a list of objects"),
    "a name is a number": ({**GOOD, "spec": {"containers": [{"name": 1}]}}, "each needs a name"),
    "a name is a list": ({**GOOD, "spec": {"containers": [{"name": []}]}}, "each needs a name"),
    "two of a name": ({**GOOD, "spec": {"containers": [WEB, WEB]}}, "template.spec.containers: the names must differ"),
    "variables without a name": (
        {**GOOD, "spec": {"containers": [{**WEB, "env": [{}]}]}},
        "template.spec.containers[0].env: each needs a name",
    ),
    "volumes are an object": (
        {**GOOD, "spec": {"containers": [WEB], "volumes": {"name": "a"}}},
        "template.spec.volumes: must be a list",
    ),
    "restarted on failure": (
        {**GOOD, "spec": {"containers": [WEB], "restartPolicy": "OnFailure"}},
        "template.spec.restartPolicy: must be Always",
    ),
    "a field that is none": ({**GOOD, "image": "podinfo"}, "template.image: is no field of a pod template"),
}


@pytest.mark.parametrize(("written", "said"), BAD.values(), ids=BAD)
def test_problems_are_told(written: dict[str, Any], said: str) -> None:
    """Whatever somebody wrote in place of a template, the answer names the path and never falls over."""
    assert any(said in problem for problem in template.problems(written, LABELS))


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [WEB]},
        {"containers": [WEB], "restartPolicy": "Always"},
        {"containers": [{**WEB, "env": None}], "initContainers": None, "volumes": None, "restartPolicy": None},
        {"containers": [WEB], "initContainers": [WEB], "invented": {"a": 1}},
    ],
    ids=str,
)
def test_the_rest_is_for_the_api_server_to_judge(spec: dict[str, Any]) -> None:
    """Nulls and fields that we do not know are no problem of ours."""
    assert list(template.problems({**GOOD, "spec": spec}, LABELS)) == []
