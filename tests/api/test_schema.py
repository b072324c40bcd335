"""Facts about the CustomResourceDefinition that people, GitOps and the API server rely on."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pydantic
import pytest

from headgate.api import cel, crd, schema
from headgate.api.model import SpecModel
from headgate.api.spec import RolloutSpec
from headgate.cli import crds
from headgate.core.analysis.providers import prometheus
from tests.api import samples

SIZE_LIMIT = 100_000
# The only alternatives that a structural schema may have.
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
DEFINITION: Any = crd.definition()
VERSION: Any = DEFINITION["spec"]["versions"][0]
ROOT: Any = VERSION["schema"]["openAPIV3Schema"]


class Node(NamedTuple):
    """One schema in the tree, and what surrounds it."""

    path: str
    schema: dict[str, Any]
    in_list: bool


def walk(path: str, node: dict[str, Any], *, in_list: bool = False) -> Iterator[Node]:
    """Yield *node* and every schema beneath it."""
    yield Node(path, node, in_list)
    for name, part in node.get("properties", {}).items():
        yield from walk(f"{path}.{name}", part, in_list=in_list)
    if "additionalProperties" in node:
        yield from walk(f"{path}.*", node["additionalProperties"], in_list=in_list)
    if "items" in node:
        yield from walk(f"{path}[]", node["items"], in_list=True)


NODES = [*walk("spec", ROOT["properties"]["spec"]), *walk("status", ROOT["properties"]["status"])]
BY_PATH = {node.path: node.schema for node in NODES}
SPEC_PATHS = [path for path in BY_PATH if path.startswith("spec")]
TEMPLATE = "spec.template"


def typed(kind: str) -> list[Node]:
    """Return the nodes of one type."""
    return [node for node in NODES if node.schema.get("type") == kind]


def test_it_is_small() -> None:
    """The CRD can be read by people, and fits into client-side apply's annotation."""
    assert len(crds.text().encode()) < SIZE_LIMIT


def test_it_is_the_same_every_time() -> None:
    """Two runs give the same bytes."""
    assert crds.text() == crds.text()


def test_names() -> None:
    """The names are those of the design."""
    names = DEFINITION["spec"]["names"]

    assert DEFINITION["metadata"]["name"] == "rollouts.headgate.dev"
    assert (names["kind"], names["plural"], names["shortNames"]) == ("Rollout", "rollouts", ["hg"])
    assert names["categories"] == ["all", "headgate"]
    assert VERSION["name"] == "v1alpha1"


def test_columns_lead_to_fields() -> None:
    """Every printed column, and each path of the scale subresource, is a field that exists."""
    paths = [each["jsonPath"] for each in VERSION["additionalPrinterColumns"]] + list(
        VERSION["subresources"]["scale"].values()
    )
    ours = {path.removeprefix(".") for path in paths if "[" not in path and "metadata" not in path}

    assert ours - BY_PATH.keys() == set()
    assert [each["name"] for each in VERSION["additionalPrinterColumns"] if each.get("priority")] == ["Message"]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.path)
def test_every_field_is_described(node: Node) -> None:
    """`kubectl explain` has a sentence for every field."""
    if not node.path.endswith(("[]", ".*")):
        assert node.schema["description"].endswith(".")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.path)
def test_every_node_is_structural(node: Node) -> None:
    """Each schema has one type and no alternatives, as the API server demands."""
    assert ("type" in node.schema) is not bool(node.schema.get("x-kubernetes-int-or-string"))
    assert node.schema.get("anyOf", INT_OR_STRING) == INT_OR_STRING
    assert set(node.schema.get("required", ())) <= node.schema.get("properties", {}).keys()
    assert not ("properties" in node.schema and "additionalProperties" in node.schema)


@pytest.mark.parametrize("node", typed("array"), ids=lambda node: node.path)
def test_every_list_is_bounded_and_merged_in_one_way(node: Node) -> None:
    """A list says how long it can be, what it holds and how two owners share it."""
    assert node.schema["maxItems"] > 0
    assert node.schema["x-kubernetes-list-type"] in {"atomic", "map"}
    for key in node.schema.get("x-kubernetes-list-map-keys", ()):
        assert key in node.schema["items"]["required"]


@pytest.mark.parametrize("node", typed("string"), ids=lambda node: node.path)
def test_every_string_is_bounded(node: Node) -> None:
    """The cost of a rule is estimated from the length that a text can have."""
    assert node.schema.get("format") == "date-time" or "enum" in node.schema or node.schema["maxLength"] > 0


@pytest.mark.parametrize("node", typed("object"), ids=lambda node: node.path)
def test_every_object_is_declared_or_bounded(node: Node) -> None:
    """An object has fields, or is a map of limited size, or empty; only the pod template keeps what is not declared."""
    empty = "additionalProperties" not in node.schema
    assert node.schema.get("properties") or empty or node.schema["maxProperties"] > 0
    assert node.path.startswith(TEMPLATE) or "x-kubernetes-preserve-unknown-fields" not in node.schema


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.path)
def test_defaults_stand_where_they_cause_no_drift(node: Node) -> None:
    """Nothing in a list, in the template or in an object that is one value gets a default; replicas have none."""
    if node.schema.get("x-kubernetes-map-type") == "atomic":
        assert [each.path for each in walk(node.path, node.schema) if "default" in each.schema] == []
    if node.in_list or node.path.startswith(TEMPLATE) or node.path == "spec.replicas":
        assert "default" not in node.schema


def test_defaults_are_shown_in_the_schema() -> None:
    """These, and no others, are written into stored objects."""
    assert {node.path: node.schema["default"] for node in NODES if "default" in node.schema} == {
        "spec.minReadySeconds": 0,
        "spec.progressDeadlineSeconds": 600,
        "spec.revisionHistoryLimit": 2,
        "spec.paused": False,
        "spec.analysis": {},
        "status": {"observedGeneration": -1},
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("spec.strategy.canary.maxUnavailable", "0"),
        ("spec.strategy.canary.scaleDownDelay", "5m"),
        ("spec.traffic.drain", "30s"),
        ("spec.analysis.metrics[].interval", "10s"),
        ("spec.analysis.metrics[].window", "1m"),
        ("spec.analysis.metrics[].noData.after", "10m"),
        ("spec.analysis.metrics[].noData.then", "Hold"),
        ("spec.paused", "false"),
    ],
)
def test_defaults_are_told(path: str, text: str) -> None:
    """A default that is not stored is told by `kubectl explain`."""
    assert BY_PATH[path]["description"].endswith(f" Default: {text}.")


def test_lists_that_several_owners_share() -> None:
    """Named things are merged by name, ordered ones are one value."""
    found = {
        node.path: tuple(node.schema["x-kubernetes-list-map-keys"])
        for node in typed("array")
        if node.schema["x-kubernetes-list-type"] == "map"
    }

    assert found == {
        "spec.template.spec.containers": ("name",),
        "spec.template.spec.containers[].env": ("name",),
        "spec.template.spec.initContainers": ("name",),
        "spec.template.spec.initContainers[].env": ("name",),
        "spec.template.spec.volumes": ("name",),
        "spec.analysis.metrics": ("name",),
        "status.conditions": ("type",),
        "status.analysis": ("name",),
    }


def test_only_the_spec_has_closed_words() -> None:
    """A newer operator may say new words in the status of an older CRD."""
    assert [node.path for node in NODES if "enum" in node.schema] == [
        "spec.traffic.gatewayAPI.routes[].kind",
        "spec.analysis.metrics[].when[]",
        "spec.analysis.metrics[].noData.then",
        "status.conditions[].status",
    ]
    assert "Values: Pending, Progressing" in BY_PATH["status.phase"]["description"]


@pytest.mark.parametrize("rule", samples.RULES, ids=str)
def test_every_rule_says_what_would_be_right(rule: cel.Rule) -> None:
    """A rule is in the CRD, its message has a remedy, and the path that it names exists."""
    users = [node for node in NODES if rule.written() in node.schema.get("x-kubernetes-validations", ())]

    assert users
    assert ":" in rule.message or "use " in rule.message or "write " in rule.message
    assert all(f"{node.path}{rule.field_path}" in BY_PATH for node in users)


def test_images_of_every_template_fit_into_the_status() -> None:
    """No template that the API server takes makes a status that it refuses."""
    containers, images = BY_PATH["spec.template.spec.containers"], BY_PATH["status.stable.images"]

    assert containers["maxItems"] <= images["maxItems"]
    assert containers["items"]["properties"]["image"]["maxLength"] <= images["items"]["maxLength"]


def test_required_fields() -> None:
    """What has a default or may be absent is not required."""
    assert ROOT["required"] == ["spec"]
    assert BY_PATH["spec"]["required"] == ["selector", "template", "strategy"]
    assert BY_PATH["spec.analysis.metrics[]"]["required"] == ["name", "prometheus", "threshold"]
    assert "required" not in BY_PATH["status"]


def test_every_field_of_the_models_is_there() -> None:
    """The template apart, the schema has the fields of the models and no others."""
    fields = {field.alias for field in RolloutSpec.model_fields.values()}

    assert fields == BY_PATH["spec"]["properties"].keys()


def test_variables_of_queries_are_the_ones_that_are_filled_in() -> None:
    """The API server takes exactly those variables that the operator knows."""
    assert set(prometheus.NAMES) == set(cel.QUERY_VARIABLES)
    assert all(
        f"$({name})" in BY_PATH["spec.analysis.metrics[].prometheus.query"]["description"] for name in prometheus.NAMES
    )


def test_an_unknown_keyword_is_refused() -> None:
    """What a CRD cannot express is noticed when it is made, not when it is installed."""
    with pytest.raises(ValueError, match="oneOf"):
        schema.ordered({"type": "object", "oneOf": []})


def test_a_pattern_without_words_is_refused() -> None:
    """No user is ever shown a bare pattern."""

    class Bare(SpecModel):
        """A model whose text nobody explains."""

        word: str = pydantic.Field(pattern="^a+$")

    with pytest.raises(ValueError, match="in words"):
        schema.structural(Bare)
