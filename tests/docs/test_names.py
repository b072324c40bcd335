"""What the pages name exists: commands, labels, settings, fields, subcommands."""

import re

import pytest

from headgate import cli, settings
from headgate.api import crd, names
from headgate.api import reference as references
from tests.docs import pages
from tests.house import tree

GUIDES = pages.guides()
NAMES = {value for value in vars(names).values() if isinstance(value, str) and value.startswith(f"{names.GROUP}/")}
VARIABLES = {settings.variable(field) for field in settings.Settings.model_fields}
FIELD = re.compile(r"(spec|status)(\.[A-Za-z]+(\[\])?)+")
FIELDS = set(re.findall(r"`((?:spec|status)[^`]*)`", references.text()))


@pytest.mark.parametrize("name", GUIDES)
def test_labels_and_commands_exist(name: str) -> None:
    """No page tells people to give a command that nobody hears."""
    named = set(re.findall(rf"(?<![\w.-]){re.escape(names.GROUP)}/[a-z0-9-]+", GUIDES[name]))

    assert set() == named - NAMES


def test_all_commands_are_explained() -> None:
    """README and concepts have every command, and the reference every name that Headgate puts on objects."""
    assert [] == [name for name in names.COMMANDS if name not in GUIDES["README.md"]]
    assert [] == [name for name in names.COMMANDS if name not in GUIDES["docs/concepts.md"]]
    assert NAMES - {names.API_VERSION} == {mark[0] for mark in references.MARKS}


@pytest.mark.parametrize("name", GUIDES)
def test_settings_exist(name: str) -> None:
    """Every HEADGATE_ variable is a setting; one that ends with * is the beginning of some."""
    named = set(re.findall(r"HEADGATE_[A-Z_]*[A-Z](?:_?\*)?", GUIDES[name]))
    unknown = {variable for variable in named if not any(known.startswith(variable.rstrip("*")) for known in VARIABLES)}

    assert set() == unknown
    assert set() == {variable for variable in named if not variable.endswith("*")} - VARIABLES


@pytest.mark.parametrize("name", GUIDES)
def test_fields_exist(name: str) -> None:
    """A field that is set as code is one of the resource."""
    named = {re.sub(r"\[\d+\]", "[]", word) for word in pages.code(GUIDES[name])}
    fields = {word for word in named if FIELD.fullmatch(word)}

    assert set() == {field for field in fields if field not in FIELDS}


@pytest.mark.parametrize("name", GUIDES)
def test_subcommands_exist(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`headgate run` and its like are commands."""
    for subcommand in set(re.findall(r"`headgate ([a-z]+)\b", GUIDES[name])):
        with pytest.raises(SystemExit) as ended:
            cli.main([subcommand, "--help"])
        assert ended.value.code == 0, capsys.readouterr().err


def test_kubectl_knows_the_resource_by_these_names() -> None:
    """The pages call the resource as the CRD does."""
    definition = crd.definition()["spec"]
    assert isinstance(definition, dict)

    assert {names.PLURAL, names.KIND.lower(), crd.SHORT_NAME} <= set(pages.code(GUIDES["docs/reference.md"]))


OF_ALL_OBJECTS = {
    "status",
    "spec",
    "metadata",
    "generation",
    "deletionTimestamp",
    "finalizers",
    "annotations",
    "labels",
}
JSONPATH = re.compile(r"kubectl get rollouts\.headgate\.dev[^\n]*?jsonpath='(?P<path>[^'\n]+)'")


def _properties(schema: object) -> set[str]:
    """Return the names of all properties in *schema*, at any depth."""
    if isinstance(schema, list):
        return set().union(*map(_properties, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties") or ()).union(*map(_properties, schema.values()))


@pytest.mark.parametrize("name", [*GUIDES, "examples/drills.yaml"])
def test_fields_of_commands_exist(name: str) -> None:
    """A command that prints fields of a Rollout names fields that there are: kubectl prints nothing for others."""
    known = OF_ALL_OBJECTS | _properties(crd.definition())
    paths = [found["path"] for found in JSONPATH.finditer((tree.ROOT / name).read_text(encoding="utf-8"))]

    assert set() == {field for path in paths for field in re.findall(r"\.([A-Za-z]+)", path)} - known


def test_a_field_that_is_gone_is_found() -> None:
    """A renamed field in such a command is found."""
    (path,) = (
        found["path"] for found in JSONPATH.finditer("$ kubectl get rollouts.headgate.dev web -o jsonpath='{.took}'")
    )

    assert "took" in path
    assert "took" not in OF_ALL_OBJECTS | _properties(crd.definition())
