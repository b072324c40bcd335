"""A name that a record needs and another object has taken: nothing begins, and nothing that goes back is held up."""

import dataclasses

from headgate.api import status as api
from headgate.core.model import Observation
from headgate.core.model.actions import RecordPolicy, RecordTemplate
from headgate.core.revisions import identity
from headgate.core.rollout import record_conflicts
from headgate.core.rollout.decide import decide
from tests.core.worlds import A, B, World, policy


def _policy_taken(world: World) -> Observation:
    rollout = world.observe().rollout
    return _with(world, identity.policy_name(rollout.name, rollout.policy_hash))


def _template_taken(world: World, hash_: str) -> Observation:
    return _with(world, identity.deployment_name(world.observe().rollout.name, hash_))


def _with(world: World, name: str) -> Observation:
    return dataclasses.replace(world.observe(), strangers=(_said(name),))


def _said(name: str) -> str:
    return f"ControllerRevision {name} is not believed: its content has another hash than its name says; delete it"


def _ready(status: api.RolloutStatus) -> api.Condition:
    return next(one for one in status.conditions if one.type == "Ready")


def test_h34_nothing_starts_by_a_policy_that_cannot_be_put_on_record() -> None:
    """H34: the new version waits, says which object to delete, and is looked for again by itself."""
    found = decide(_policy_taken(World().stable().wants(B)))

    assert ("taken", None) == (found.rule, found.status.canary)
    assert "RecordTaken" == _ready(found.status).reason
    assert "delete it" in _ready(found.status).message
    assert () == found.records
    assert found.recheck_at is not None


def test_h34_a_forged_template_holds_nothing_up() -> None:
    """H34: the version starts without a record, the forged one is told of, and its name is looked for again."""
    found = decide(_template_taken(World().stable().wants(B), B))

    assert found.status.canary is not None
    assert B == found.status.canary.hash
    assert RecordTemplate not in {type(record) for record in found.records}
    assert any(one.type == "Disputed" and f"web-{B}" in one.message for one in found.status.conditions)
    assert found.recheck_at is not None


def test_h34_a_policy_is_not_accepted_while_its_record_cannot_be_made() -> None:
    """H34: the one that was accepted stays in force, and the message says that another one waits, and for what."""
    edited = World().stable().edited(policy(70))
    waits = decide(_policy_taken(edited))

    assert edited.status.policy == waits.status.policy
    assert "wait to be put on record: ControllerRevision" in _ready(waits.status).message
    assert edited.status.policy != decide(edited.observe()).status.policy


def test_h34_an_abort_and_a_way_back_ask_for_no_record() -> None:
    """H34: a canary in flight is taken back as ever."""
    flight = World().ruled(policy(20, 50)).stable(8).canary(2).at_step(1, since=1000).told(abort="now")
    found = decide(_policy_taken(flight))

    assert found.status.canary is not None
    assert found.status.canary.abort is not None


def test_h34_no_record_is_asked_for_under_a_name_that_is_taken() -> None:
    """H34: a refused record stops a pass: stable, whose own record was forged, must be kept up all the same."""
    bare = World().stable().but(templates={}, policies={})
    asked = {type(record) for record in decide(bare.observe()).records}

    assert {RecordTemplate, RecordPolicy} == asked
    assert {RecordTemplate} == {type(record) for record in decide(_policy_taken(bare)).records}
    assert {RecordPolicy} == {type(record) for record in decide(_template_taken(bare, A)).records}


def test_strangers_elsewhere_hold_nothing_up() -> None:
    """A forged record under a name that nothing needs is only told of."""
    seen = _with(World().stable().wants(B), "web-zzzzzzzzzz")

    assert () == record_conflicts.looks(seen)
    assert decide(seen).status.canary is not None
