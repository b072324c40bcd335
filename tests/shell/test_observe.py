"""What a Rollout says is believed as far as it makes sense."""

import copy
import json
from typing import Any

import pytest

from headgate.api import nesting
from headgate.core.revisions import identity as revisions_identity
from headgate.observe import ownership, parse_rollout, parse_status, template_identity
from tests.api import samples


def nested(levels: int) -> Any:
    """Return a value of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def rollout(place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the smallest Rollout with *value* at one place of it."""
    body = copy.deepcopy(samples.SMALLEST)
    *parents, last = place
    spot: Any = body
    for parent in parents:
        spot = spot.setdefault(parent, {})
    spot[last] = value
    return body


PLACES = [
    ("spec", "template", "spec", "x"),
    ("spec", "template", "metadata", "annotations"),
    ("spec", "strategy", "canary", "steps"),
    ("spec", "analysis", "metrics"),
    ("spec", "selector", "matchLabels"),
    ("spec", "traffic"),
    ("spec", "x"),
]


@pytest.mark.parametrize("levels", [100, 600, 50_000])
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_h33_a_deep_spec_says_where(place: tuple[str, ...], levels: int) -> None:
    """H33: a spec that is nested too deep, anywhere, is not valid, and says where and what would be right."""
    found = parse_rollout.facts(rollout(place, nested(levels)), ())

    assert found.invalid.startswith(".".join(place[:3]))
    assert "nested deeper than 64 levels: make it flatter" in found.invalid
    assert len(found.invalid) < 300
    assert found.template == {"metadata": {"labels": {"app": "web"}}}
    json.dumps(found.policy)


@pytest.mark.parametrize(
    "place",
    [("status",), ("status", "stable"), ("status", "x"), ("metadata", "annotations"), ("metadata", "managedFields")],
    ids=".".join,
)
def test_h33_depth_elsewhere_is_no_matter(place: tuple[str, ...]) -> None:
    """H33: depth in a status, in annotations or in the record of who wrote what stops nothing."""
    deep = rollout(place, [nested(50_000)] if place[-1] == "managedFields" else nested(50_000))
    parse_status.read(deep.get("status"))

    assert parse_rollout.facts(deep, ()).invalid == ""


def test_h33_the_border_of_depth() -> None:
    """H33: 64 levels of a spec are valid as far as their number goes, and one more is too deep."""
    place = ("spec", "template", "spec", "x")
    at_most = parse_rollout.facts(rollout(place, nested(61)), ())
    beyond = parse_rollout.facts(rollout(place, nested(62)), ())

    assert ("deeper" in at_most.invalid, "deeper" in beyond.invalid) == (False, True)
    assert at_most.template_hash == revisions_identity.template_hash("web", at_most.template)


def test_h33_a_large_spec_says_so() -> None:
    """H33: a spec larger than can be kept is one that is not valid; 0.9 MB is."""
    place = ("spec", "template", "metadata", "annotations")
    large = parse_rollout.facts(rollout(place, {"x": "x" * nesting.LARGEST_BYTES}), ())

    assert large.invalid.startswith("spec: 1,04")
    assert "ConfigMap" in large.invalid
    assert parse_rollout.facts(rollout(place, {"x": "x" * 900_000}), ()).invalid == ""


def test_h33_a_deep_record_is_none() -> None:
    """H33: a ControllerRevision that is nested too deep keeps nothing that can be gone back to."""
    metadata = {
        "name": "web-a",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"headgate.dev/record": "template", "headgate.dev/rollout": "web"},
    }
    found = ownership.records(
        [{"metadata": metadata, "data": {"hash": "a", "template": {"spec": nested(9_000)}}}], "web"
    )
    assert found.templates == {}


def test_places_are_shown_safely() -> None:
    """A path tells where, in one short line, whatever the fields are called."""
    value = {"a": [0, {"x" * 10_000: {"\n\0": nested(70)}}]}
    words = nesting.problem(value, "spec")

    assert words.startswith("spec.a[1]['xxx")
    assert words.isprintable()
    assert len(words) < 250


def test_revision_beside_itself_is_there_once() -> None:
    """A status that names one revision as stable and as canary, or as warm, means the stable one."""
    side, then = {"hash": "a", "revision": 1}, "2026-01-01T00:00:00Z"
    others = {"canary": {**side, "started": then}, "previous": {**side, "promoted": then, "started": then}}
    found = parse_status.read({"stable": side, **others}).status

    assert found.stable is not None
    assert ("a", None, None) == (found.stable.hash, found.canary, found.previous)


def test_h31_a_revision_that_the_template_alone_names_is_none() -> None:
    """H31: it would take the place of the canary; what is on record, stands, stood or was rejected is one."""
    side, then = {"hash": "s", "revision": 1}, "2026-01-01T00:00:00Z"
    past = {**side, "hash": "h", "outcome": "Promoted", "started": then, "finished": then}
    bad = {**side, "hash": "r", "reason": "Aborted", "at": then}

    def confirmed(revision: str) -> bool:
        template = {"hash": "t", "revisionHash": revision}
        raw = {"stable": side, "history": [past], "rejected": [bad], "template": template}
        return template_identity.confirmed_by(parse_status.read(raw).status, {"t", "k"}) == ("t", revision)

    assert ["t", "k", "s", "h", "r"] == [one for one in ("t", "k", "s", "h", "r", "Quarantined") if confirmed(one)]
