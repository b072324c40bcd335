"""What a watch shows of a Rollout tells what it reaches for, in bounds, and stirs those that reach for the same."""

from typing import Any

import pytest

from headgate.core.model import Key, Kind
from headgate.core.model.overlaps import Footprint
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed
from tests.shell.test_triggers import ROLLOUT, changed


def reaching(name: str = "web", selector: Any = None, labels: Any = None, **traffic: Any) -> dict[str, Any]:
    """Return a Rollout with such a selector and such labels in its template."""
    wanted = {"app": "web"} if selector is None else selector
    template = {"metadata": {"labels": wanted if labels is None else labels}}
    metadata = {**ROLLOUT["metadata"], "name": name, "uid": f"uid-of-{name}"}
    return {
        "metadata": metadata,
        "spec": {"selector": {"matchLabels": wanted}, "template": template, "traffic": traffic},
    }


def test_what_a_rollout_reaches_for() -> None:
    """Its selector, the labels of its pods, its Services, and the rules of routes that it names one by one."""
    routes = [
        {"kind": "HTTPRoute", "name": "web", "rules": ["a", "b"]},
        {"kind": "GRPCRoute", "name": "rpc"},
        {"kind": "TCPRoute", "name": "web", "rules": ["a"]},
        {"kind": "HTTPRoute", "name": "../web", "rules": ["a"]},
        {"kind": "HTTPRoute", "name": "other", "rules": ["..", 7]},
    ]
    services: dict[str, Any] = {"stableService": "web", "canaryService": "web-canary", "gatewayAPI": {"routes": routes}}
    body = reaching(labels={"app": "web", "tier": "a", "note": 7, "no label": "x"}, **services)
    rules = ("rule a of HTTPRoute web", "rule b of HTTPRoute web")
    assert observed(Kind.ROLLOUT, body).footprint == Footprint(
        frozenset({"app=web"}),
        frozenset({"app=web", "tier=a"}),
        frozenset({"Service web", "Service web-canary", *rules}),
    )
    assert observed(Kind.DEPLOYMENT, body).footprint == Footprint()


@pytest.mark.parametrize("selector", [{"app": "web", "no label": "x"}, {"app": 7}, {}, {"": ""}])
def test_what_no_valid_selector_is_selects_nothing(selector: Any) -> None:
    """A part of a selector would choose more than the whole: where one label is none, nothing is chosen."""
    assert observed(Kind.ROLLOUT, reaching(selector=selector, labels={"app": "web"})).footprint.selector == frozenset()


def test_labels_without_end_are_cut() -> None:
    """Of a hundred thousand labels some are kept, those among them that the selector asks for."""
    many = {f"a{number}": "x" for number in range(100_000)}
    footprint = observed(Kind.ROLLOUT, reaching(selector={"z": "1"}, labels={**many, "z": "1"})).footprint
    assert footprint.selector <= footprint.labels
    assert len(footprint.labels) < 200


def test_others_are_stirred_once() -> None:
    """One that comes, changes or goes stirs those with whom it has something in common, and nothing else does."""
    triggers, web, api = EventMapper(), reaching(), reaching("api")
    triggers.woken_by(observed(Kind.ROLLOUT, web))
    assert triggers.stirred() == frozenset()
    assert triggers.woken_by(observed(Kind.ROLLOUT, api)) == (Key("shop", "api"),)
    assert triggers.stirred() == {Key("shop", "web")}
    triggers.woken_by(observed(Kind.ROLLOUT, changed(api, "status/phase", "Healthy")))
    assert triggers.stirred() == frozenset()
    triggers.woken_by(observed(Kind.ROLLOUT, changed(api, "spec/template/metadata/labels", {"app": "api"})))
    assert triggers.stirred() == {Key("shop", "web")}, "its selector chooses the other's pods still"
    triggers.woken_by(observed(Kind.ROLLOUT, api, gone=True))
    assert triggers.stirred() == {Key("shop", "web")}


def test_one_that_went_unseen_is_forgotten() -> None:
    """What is not listed any more is forgotten; one of the same name that came since is not."""
    triggers = EventMapper()
    triggers.woken_by(observed(Kind.ROLLOUT, reaching()))
    triggers.woken_by(observed(Kind.ROLLOUT, reaching("api")))
    triggers.woken_by(observed(Kind.ROLLOUT, changed(reaching("api"), "metadata/uid", "uid-of-its-successor")))
    triggers.stirred()
    assert triggers.keep(Kind.ROLLOUT, ["uid-of-web", "uid-of-its-successor"]) == [Key("shop", "api")]
    assert triggers.stirred() == frozenset()
    triggers.keep(Kind.ROLLOUT, ["uid-of-web"])
    assert triggers.stirred() == {Key("shop", "web")}
