"""How the weights of a route are written where others write to it too."""

from collections.abc import Sequence
from typing import Any

import pytest

from headgate.act import traffic_writes
from headgate.api import names
from headgate.core.faults import Conflict, Fault, Refused
from headgate.core.model import Json, Kind, Observation
from headgate.core.model.actions import FilterEdit, RuleEdits, SetWeights
from headgate.core.model.traffic import RequestRuleFacts
from tests.core import ways
from tests.core.worlds import World

ROUTE = ways.route(ways.rule(75, 25), annotations=False)
VERSION = {"op": "test", "path": "/metadata/resourceVersion", "value": ROUTE.resource_version}
BACKENDS = "/spec/rules/0/backendRefs"
NAMES = [
    {"op": "test", "path": f"{BACKENDS}/0/name", "value": ways.STABLE},
    {"op": "test", "path": f"{BACKENDS}/1/name", "value": ways.CANARY},
]
HELD = [
    {"op": "test", "path": f"{BACKENDS}/0/weight", "value": 75},
    {"op": "test", "path": f"{BACKENDS}/1/weight", "value": 25},
]
BACK = [
    {"op": "add", "path": f"{BACKENDS}/0/weight", "value": 100},
    {"op": "add", "path": f"{BACKENDS}/1/weight", "value": 0},
]
MARK = {"op": "add", "path": "/metadata/annotations", "value": {"headgate.dev/rejected": "b/1"}}


class Route:
    """A route that answers the first writes with these faults."""

    def __init__(self, *answers: Fault) -> None:
        self.answers = list(answers)
        self.patches: list[list[Json]] = []
        self.stricts: list[bool] = []

    async def _never(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a route is patched, and nothing else")

    apply_status = create = delete = evict = _never

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Json],
        field_manager: str,
        *,
        strict: bool = False,
    ) -> None:
        """Take the patch, or not."""
        assert field_manager == names.OBJECT_MANAGER
        self.stricts.append(strict)
        assert (kind, namespace, name) == (Kind.HTTP_ROUTE, seen().rollout.namespace, ROUTE.name)
        self.patches.append(list(operations))
        if self.answers:
            raise self.answers.pop(0)


def seen() -> Observation:
    """Return what is known of a Rollout with that route."""
    return ways.routed(World().stable(), 25, ways=ways.facts(route=ROUTE)).observe()


async def written(route: Route, percent: int = 0, rejected: str = "") -> list[list[Json]]:
    """Write *percent*, and return what reached the route."""
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, percent, rejected))
    return route.patches


async def test_weights_are_written_to_what_was_seen() -> None:
    """One patch holds all: the tests that nobody came between, the weights, our marks."""
    assert await written(Route(), rejected="b/1") == [[VERSION, *NAMES, *BACK, MARK]]


async def test_marks_that_are_refused_are_left_out() -> None:
    """Whoever refuses strange annotations does not keep the traffic from going back."""
    first, second = await written(Route(Refused("no annotations")), rejected="b/1")

    assert (first, second) == ([VERSION, *NAMES, *BACK, MARK], [VERSION, *NAMES, *BACK])
    with pytest.raises(Refused):
        await written(Route(Refused("no weights")))


async def test_going_back_waits_for_no_quiet_moment() -> None:
    """If somebody writes to the route all the time, it is enough that our names and weights are as they were."""
    _, second = await written(Route(Conflict("late")), rejected="b/1")

    assert second == [*NAMES, *HELD, *BACK]
    with pytest.raises(Conflict):
        await written(Route(Conflict("late"), Conflict("our weights are others now")))


async def test_going_forward_waits_for_one() -> None:
    """What was decided on an older route is not written to a newer one."""
    route = Route(Conflict("late"))
    with pytest.raises(Conflict):
        await written(route, percent=50)

    assert len(route.patches) == 1


GONE = RequestRuleFacts(2, {"matches": [{"headers": [{"name": "x"}]}], "backendRefs": [{"name": "web-canary"}]})
OTHER = RequestRuleFacts(1, {"backendRefs": [{"name": "web-canary"}]})
DROPS = [{"op": "remove", "path": f"/spec/rules/{index}"} for index in (2, 1)]


async def test_rules_of_ours_come_and_go_with_the_weights() -> None:
    """In one patch, the last rule first: none of the user's is taken for another one."""
    route, edits = Route(), RuleEdits((OTHER, GONE), ({"backendRefs": []},))
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, 0, edits=edits))
    added = {"op": "add", "path": "/spec/rules/-", "value": {"backendRefs": []}}

    assert route.patches == [[VERSION, *NAMES, *BACK, *DROPS, added]]


@pytest.mark.parametrize("percent", [None, 0])
async def test_rules_go_without_a_quiet_moment(percent: int | None) -> None:
    """It is enough that each stands where it stood, as it was."""
    route, edits = Route(Conflict("late")), RuleEdits((OTHER, GONE))
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, percent, edits=edits))
    held = [{"op": "test", "path": f"/spec/rules/{one.index}", "value": one.body} for one in (OTHER, GONE)]

    weights = ([*NAMES, *HELD], BACK) if percent is not None else ([], [])
    assert route.patches[1] == [*weights[0], *held, *weights[1], *DROPS]


async def test_rules_come_in_a_quiet_moment_only() -> None:
    """What was decided on an older route is not added to a newer one."""
    route, edits = Route(Conflict("late")), RuleEdits((), ({"backendRefs": []},))
    with pytest.raises(Conflict):
        await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, 0, edits=edits))

    assert len(route.patches) == 1


OURS, USERS = {"type": "RequestMirror"}, {"type": "RequestHeaderModifier"}
FILTERS = "/spec/rules/0/filters"


@pytest.mark.parametrize(
    ("was", "comes", "write"),
    [
        ((), (OURS,), {"op": "add", "path": FILTERS, "value": [OURS]}),
        ((USERS,), (USERS, OURS), {"op": "add", "path": FILTERS, "value": [USERS, OURS]}),
        ((USERS, OURS), (USERS,), {"op": "add", "path": FILTERS, "value": [USERS]}),
        ((OURS,), (), {"op": "remove", "path": FILTERS}),
    ],
)
async def test_filters_come_and_go_with_the_weights(was: Any, comes: Any, write: Json) -> None:
    """Before any rule gets another place; of none nothing is left."""
    route, edits = Route(), RuleEdits((GONE,), filters=(FilterEdit(0, was, comes),))
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, 0, edits=edits))

    assert route.patches == [[VERSION, *NAMES, *BACK, write, {"op": "remove", "path": "/spec/rules/2"}]]


async def test_filters_go_without_a_quiet_moment() -> None:
    """It is enough that the rule has the filters that it had."""
    route, edits = Route(Conflict("late")), RuleEdits(filters=(FilterEdit(0, (OURS, USERS), (USERS,)),))
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, None, edits=edits))

    held = {"op": "test", "path": FILTERS, "value": [OURS, USERS]}
    assert route.patches[1] == [held, {"op": "add", "path": FILTERS, "value": [USERS]}]


async def test_filters_come_in_a_quiet_moment_only() -> None:
    """What was decided on an older route is not added to a newer one."""
    route, edits = Route(Conflict("late")), RuleEdits(filters=(FilterEdit(0, (), (OURS,)),))
    with pytest.raises(Conflict):
        await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, 0, edits=edits))

    assert len(route.patches) == 1


@pytest.mark.parametrize(
    ("edits", "strict"),
    [
        (RuleEdits(filters=(FilterEdit(0, (), ({"type": "RequestMirror"},)),)), True),
        (RuleEdits(filters=(FilterEdit(0, ({"type": "RequestMirror"},), ()),)), False),
        (RuleEdits(), False),
    ],
)
async def test_what_is_given_is_not_cut_short(edits: RuleEdits, *, strict: bool) -> None:
    """A server that does not know the percentage of a filter would copy every request: it is to say so instead."""
    route = Route()
    await traffic_writes.set_weights(route, seen(), SetWeights("HTTPRoute", ROUTE.name, 0, edits=edits))

    assert route.stricts == [strict]
