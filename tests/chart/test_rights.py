"""The rights in the chart and in the tests are those of the table of kinds."""

from pathlib import Path

import pytest
import yaml

from headgate.kinds import rights
from headgate.kinds.resource_kind import Grant, ResourceKind, Who
from tests.chart import rights as files


@pytest.mark.parametrize("path", [files.IN_CHART, files.IN_TESTS], ids=lambda path: path.name)
def test_file_is_the_generated_one(path: Path) -> None:
    """A right is changed in the table of kinds, and `make crds` writes it into the roles."""
    assert path.read_text(encoding="utf-8") == files.texts()[path], "run make crds"


@pytest.mark.parametrize("who", Who)
def test_rules_are_yaml(who: Who) -> None:
    """What is written is what the table says, whatever YAML makes of an empty group or of a comment."""
    written = yaml.safe_load(files.rules_text(who))

    assert [
        {"apiGroups": [rule.group], "resources": [*rule.resources], "verbs": [*rule.verbs]}
        for rule in rights.rules(files.ROWS, who)
    ] == written


def test_neighbours_with_equal_rights_share_a_rule() -> None:
    """Two rows that differ by their resource alone make one rule; another group, verb or audience makes another."""
    get = (Grant(("get",)),)
    rows = [
        ResourceKind("A", "one.dev", "v1", "as", grants=get),
        ResourceKind("B", "one.dev", "v1", "bs", grants=get),
        ResourceKind("C", "two.dev", "v1", "cs", grants=(*get, Grant(("patch",), "status"))),
        ResourceKind("D", "two.dev", "v1", "ds", grants=(Grant(("get",), who=Who.VIEW),)),
    ]

    assert [(rule.group, rule.resources, rule.verbs) for rule in rights.rules(rows, Who.OPERATOR)] == [
        ("one.dev", ("as", "bs"), ("get",)),
        ("two.dev", ("cs",), ("get",)),
        ("two.dev", ("cs/status",), ("patch",)),
    ]
    assert [rule.resources for rule in rights.rules(rows, Who.VIEW)] == [("ds",)]
