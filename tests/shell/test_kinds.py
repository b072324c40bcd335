"""The table of kinds: each row agrees with itself, and one more row is a kind that is watched, listed and allowed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from headgate import kinds
from headgate.core.model import Kind
from headgate.kinds.resource_kind import Belongs, ResourceKind, Who
from headgate.reconcile.predicates import observed
from tests.house import tree

PACKAGE: Final = tree.ROOT / "operator" / "headgate"
MEMBER: Final = '    GATE = "Gate"\n'
ROW: Final = """\
    Kind.GATE: ResourceKind(
        "Gate",
        "toys.dev",
        "v1",
        "gates",
        bounded=True,
        watch=Watch(lambda body, _: [body["spec"]["open"]], ("spec.open",), Belongs.LABEL),
        first_list=FirstList(_MARKED),
        grants=(Grant(("get", "list", "watch")), Grant(("get",), who=Who.VIEW)),
    ),
"""
USES: Final = """
import json
from headgate import kinds
from headgate.adapters.cluster.freshness import Freshness
from headgate.adapters.cluster.requests import Request
from headgate.core.model import Kind
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed, trimmed
from headgate.reconcile.watches import kopf_settings
from tests.chart import rights

row = kinds.KINDS[Kind.GATE]

def gate(**spec):
    labels = {"headgate.dev/rollout": "web", "headgate.dev/managed": "true"}
    return {"metadata": {"uid": "1", "name": "a", "namespace": "shop", "labels": labels}, "spec": spec}

mapper, freshness = EventMapper(), Freshness()
freshness.note(row, "7")
woken = [
    [str(key) for key in mapper.woken_by(observed(Kind.GATE, trimmed(body)))]
    for body in (gate(open=False), gate(open=False, note="x"), gate(open=True))
]
print(json.dumps({
    "path": Request(verb="GET", resource=row, namespace="shop", name="a").path,
    "selector": kopf_settings().watching.label_selectors[("toys.dev", "v1", "gates")],
    "first list": kinds.FIRST_LISTS[Kind.GATE].selector,
    "bound": freshness.query(row),
    "woken": woken,
    "kept": trimmed(gate(open=True, note="x"))["spec"],
    "rules": {who: [rule.resources for rule in rights.rights.rules(rights.ROWS, who)] for who in rights.Who},
    "role": "resources: [gates]" in rights.texts()[rights.IN_CHART],
}))
"""


def verbs(row: ResourceKind) -> set[str]:
    """Return what the operator may do with the objects of a row."""
    return {verb for grant in row.grants if grant.who is Who.OPERATOR and not grant.subresource for verb in grant.verbs}


def problems(kind: Kind, row: ResourceKind) -> Iterator[str]:
    """Yield what in *row* contradicts itself, or its place in the table."""
    if row.kind != kind.value:
        yield f"it is the row of {kind.value}"
    if row.watch and not verbs(row) >= {"list", "watch"}:
        yield "it is watched without the right to"
    if row.first_list and "list" not in verbs(row):
        yield "it is listed without the right to"
    if row.watch and row.first_list is None:
        yield "it is watched, and the first list does not have it"
    if row.watch and row.optional and row.watch.belongs is not Belongs.NAMED:
        yield "a cluster may do without it, and the watches look for it again only where a Rollout names it"
    if row.bounded and row.watch is None and "create" not in verbs(row):
        yield "its lists are as fresh as what is seen of it, and nothing is"


def test_there_is_a_row_for_each_kind() -> None:
    """A kind without a row would fail where it is used first."""
    assert set(kinds.KINDS) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_row_agrees_with_itself(kind: Kind) -> None:
    """Whatever is watched or listed may be, and each row stands where its kind says."""
    assert list(problems(kind, kinds.KINDS[kind])) == []


def test_a_row_that_contradicts_itself_is_told() -> None:
    """Each of the rules above can be broken."""
    watch = kinds.WATCHES[Kind.SERVICE]
    broken = ResourceKind(
        "Toy", "", "v1", "toys", optional=True, watch=watch, first_list=kinds.FIRST_LISTS[Kind.SERVICE]
    )

    assert len(list(problems(Kind.POD, broken))) == 4
    assert len(list(problems(Kind.POD, ResourceKind("Pod", "", "v1", "pods", bounded=True, watch=watch)))) == 2
    assert len(list(problems(Kind.POD, ResourceKind("Pod", "", "v1", "pods", bounded=True)))) == 1


@pytest.mark.parametrize("strange", [["x"], {"x": 1}, 7, None], ids=str)
def test_h33_strange_routes_in_a_spec_name_nothing(strange: Any) -> None:
    """H33: a kind of route that is no text is no kind: it names nothing, and ends no watch."""
    route = {"kind": strange, "name": "a", "rules": ["main"]}
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"traffic": {"gatewayAPI": {"routes": [route]}}}}

    sighting = observed(Kind.ROLLOUT, body)

    assert (sighting.names, sighting.footprint.named) == ((), frozenset())


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Return what is derived for a kind of which one member and one row were added to a copy of the package."""
    folder = tmp_path_factory.mktemp("toy")
    shutil.copytree(PACKAGE, folder / "headgate", ignore=shutil.ignore_patterns("__pycache__"))
    insert(folder / "headgate" / "core" / "model" / "objects.py", '    GATEWAY = "Gateway"\n', MEMBER)
    insert(folder / "headgate" / "kinds" / "__init__.py", "    Kind.AUTOSCALER: ResourceKind(\n", ROW)
    program = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(tree.ROOT)!r}]\n{USES}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def insert(file: Path, before: str, text: str) -> None:
    """Add *text* to a file, in front of the one place where *before* stands."""
    whole = file.read_text(encoding="utf-8")
    assert whole.count(before) == 1
    file.write_text(whole.replace(before, text + before), encoding="utf-8")


def test_a_kind_is_one_member_and_one_row(toy: Mapping[str, Any]) -> None:
    """A kind that is added so has its URL, its watch, its first list and its bound."""
    assert toy["path"] == "/apis/toys.dev/v1/namespaces/shop/gates/a"
    assert toy["selector"] == "headgate.dev/managed=true"
    assert toy["first list"] == "headgate.dev/managed=true"
    assert toy["bound"] == {"resourceVersion": "7", "resourceVersionMatch": "NotOlderThan"}


def test_only_what_its_fingerprint_reads_wakes_its_rollout(toy: Mapping[str, Any]) -> None:
    """What else changes in such an object is no reason for a pass, and is not kept."""
    assert toy["woken"] == [["shop/web"], [], ["shop/web"]]
    assert toy["kept"] == {"open": True}


def test_its_rights_reach_the_roles(toy: Mapping[str, Any]) -> None:
    """The rights of a row are in the chart's roles of those who have them, and in no other."""
    assert {who: ["gates"] in resources for who, resources in toy["rules"].items()} == {
        "operator": True,
        "view": True,
        "edit": False,
    }
    assert toy["role"]
