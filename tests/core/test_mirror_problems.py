"""What stands in the way of copies of requests: told before anything moves, and never in the way of going back."""

import dataclasses
from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model.traffic import NOT_TOLD
from headgate.core.rollout.decide import decide
from headgate.core.traffic.routers.gateway_api import mirrors
from tests.core import answers, ways
from tests.core.test_mirror_route import (
    ABLE,
    MESH,
    THEIRS,
    UNABLE,
    UNKNOWN,
    USERS,
    at,
    copies,
    mirror,
    starts,
    way,
    written,
)
from tests.core.ways import CANARY, STABLE, facts, rule
from tests.core.worlds import A, B, World


@pytest.mark.parametrize(
    ("changes", "plan", "reason", "says"),
    [
        (
            {"gateways": (UNABLE,)},
            (mirror(), 20),
            "MirrorUnsupported",
            "is of GatewayClass traefik, which does not list HTTPRouteRequestPercentageMirror in status.supportedFeat",
        ),
        (
            {"gateways": (dataclasses.replace(UNABLE, class_name=NOT_TOLD),)},
            (mirror(), 20),
            "MirrorUnsupported",
            "Gateway eg/public is of a GatewayClass which does not list HTTPRouteRequestPercentageMirror in status.sup",
        ),
        ({"gateways": (UNKNOWN,)}, (mirror(), 20), "MirrorUnsupported", "is not known: forbidden; mend that"),
        ({"gateways": (ABLE, MESH)}, (mirror(), 20), "MirrorUnsupported", "Service prod/web is no Gateway"),
        ({"found": way(0, *[USERS] * 16)}, (mirror(), 20), "RouteRulesUnfit", "rule 0 of HTTPRoute web has 16 filters"),
        ({"found": way(0, THEIRS)}, (mirror(), 20), "RouteRuleTaken", "rule 0 of HTTPRoute web mirrors to the canary"),
        ({"found": way(0, copies())}, (mirror(), 20), "RouteRuleTaken", "remove that filter, or the step"),
        ({}, (mirror(90), 20), "MirrorTooLarge", "mirror 80 % or less, or 0 before that weight"),
        (
            {"surge": 4},
            (mirror(), 20),
            "MirrorTooLarge",
            "takes 5 pods beside 10 stable ones, and maxSurge allows 14 in all: let maxSurge be 5 or more",
        ),
        ({"surge": 5}, (mirror(), 20), "MirrorTooLarge", "at weight 20 % takes 7 pods beside 10 stable ones"),
    ],
)
def test_what_cannot_be(changes: Any, plan: Any, reason: str, says: str) -> None:
    """It is told before anything moves, with what would help."""
    decision = starts(*plan, **changes)
    found, words = answers.ready(decision)

    assert (reason, {}, []) == (found, answers.sizes(decision), written(decision))
    assert says in words


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({"gateways": ()}, (20,)),
        ({"gateways": (UNABLE,), "found": way(0, THEIRS)}, (mirror(0), 20)),
        ({"found": way(0, *[USERS] * 15)}, (mirror(), 20)),
        ({"surge": 7}, (mirror(), 20)),
        ({"surge": 5}, (mirror(), mirror(0), 20)),
    ],
)
def test_what_can_be(changes: Any, plan: Any) -> None:
    """A user's own mirror, and a Gateway without, are in the way of copies alone."""
    assert answers.step(starts(*plan, **changes))


def test_a_backend_as_it_is_written() -> None:
    """The copies go where the stable Service's reference says, but for the name."""
    named = dataclasses.replace(rule(), reference={"name": STABLE, "namespace": "prod", "port": 8080, "weight": 9})
    backend = {"group": "", "kind": "Service", "namespace": "prod", "name": CANARY, "port": 8080}

    assert backend == mirrors.body(named, 7, CANARY)["requestMirror"]["backendRef"]


BLOCKED = [
    ({"gateways": (UNABLE,)}, {}),
    ({"gateways": (ABLE,), "found": way(0, THEIRS)}, {}),
    ({}, {"surge": 4}),
]


@pytest.mark.parametrize(("there", "changes"), BLOCKED)
def test_nobody_is_kept_from_going_back(there: Any, changes: Any) -> None:
    """A return has no steps, and copies nothing."""
    leads = facts(route=there.get("found") or way(), gateways=there.get("gateways", (ABLE,)))
    world = ways.routed(World().stable(10).recorded(B), mirror(), 20, ways=leads, **changes)
    world = world.with_status(rollback=api.Rollback(revision=2, hash=B, rejects=A, since=int(world.now)))

    assert B == getattr(decide(world.observe()).status.canary, "hash", "")


@pytest.mark.parametrize(("there", "changes"), BLOCKED)
def test_a_step_that_was_passed_holds_nothing_up(there: Any, changes: Any) -> None:
    """What it needed may be gone by then."""
    (filters,) = [there["found"].mirrors[0][0]] if "found" in there else [()]
    gateways = there.get("gateways", (ABLE,))
    plan = (mirror(), 20, mirror(0), "pause", 30)
    world = at(4, *plan, weight=20, percent=0, pods=2, route=way(20, *filters), gateways=gateways, **changes)

    assert "PausedUntilPromoted" == answers.ready(decide(world.observe()))[0]
