"""Copies of requests on their way back: with the weight, in one write, and their pods after the drain."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model.actions import FilterEdit, SetWeights
from headgate.core.rollout.decide import decide
from tests.core import answers, ways
from tests.core.test_mirror_route import at, copies, filtered, mirror, token, way, written
from tests.core.ways import CANARY, facts, known, parent, service
from tests.core.worlds import B, World


def test_abort_takes_it_in_its_first_write() -> None:
    """Weights, copies and the mark: one patch, before anything else; pods stay for the drain."""
    decision = decide(at(2, mirror(), 20, pods=7, weight=20).told(abort=B).observe())
    first = decision.actions[0]

    assert isinstance(first, SetWeights)
    assert (0, ((),), True) == (first.percent, tuple(one.filters for one in first.edits.filters), bool(first.rejected))
    assert not first.edits.gives
    assert {B: 7} == answers.sizes(decision)


@pytest.mark.parametrize(("home", "goes"), [({}, False), (None, True)])
def test_without_a_stable_endpoint_it_waits(home: Any, *, goes: bool) -> None:
    """All that is ours goes in one write."""
    ours = service() if home is None else service(endpoints=home)
    there = facts(stable=ours, canary=service(CANARY, B, {B: 5}), route=way(0, copies()))
    decision = decide(at(1, mirror(), 20, ways=there).leaving().observe())

    assert goes is bool(filtered(decision))


def test_at_a_hundred_percent_it_ends() -> None:
    """Everybody is to meet the new version: the copies go, and their pods stay."""
    decision = decide(at(2, mirror(), 100, pods=10, since=None).observe())
    (write,) = written(decision)

    assert ((FilterEdit(0, (copies(),), ()),), 100) == (write.edits.filters, write.percent)


def test_at_rest_nothing_of_it_is_left() -> None:
    """What a lost write leaves behind goes, and is then forgotten."""
    left = known(0, managed_rules=(token(),), planned_rules=(token(),))
    world = ways.routed(World().stable(10), 20, ways=facts(route=way(0, copies())), remembered=left)
    assert [()] == filtered(decide(world.observe()))

    bare = ways.routed(World().stable(10), 20, ways=facts(route=way()), remembered=known(0, planned_rules=(token(),)))
    status = decide(bare.observe()).status.traffic
    assert status is not None
    assert ((), ()) == (status.managed_rules, status.planned_rules)


def test_a_gateway_that_refuses_it() -> None:
    """What users get from such a route nobody knows: it goes back at once."""
    answer = parent(accepted=False, follows=False, words="UnsupportedValue: no")
    decision = decide(at(1, mirror(), 20, route=way(0, copies(), parents=(answer,))).observe())

    assert api.Ending.ROLLED_BACK is answers.ending(decision)
    assert [()] == filtered(decision)


def test_of_no_pods_nothing_is_copied() -> None:
    """Without replicas there is nobody to take it, and nothing to wait for."""
    world = at(1, mirror(), 20, pods=0, percent=0).but(replicas=0).stable(0).with_status(min_replicas=0)
    decision = decide(world.observe())

    assert [] == filtered(decision)
    assert "MirrorTooLarge" != answers.ready(decision)[0]
