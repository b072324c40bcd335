"""Abort first: the order of rules and of writes by which nothing can stand in the way of going back.

Each hindrance is a fact for which a later rule would hold everything; each trigger a fact for which an earlier one goes
back. All pairs go back. And the order is what does it: with the later rule asked first, none would.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import Decision
from headgate.core.model.actions import RemoveFinalizer, SelectRevision, SetWeights
from headgate.core.rollout import decide as module
from headgate.core.rollout.decide import decide
from tests.core import ways
from tests.core.ways import CANARY, STABLE, facts, known, parent, route, routed, rule, service
from tests.core.worlds import NOON, A, B, C, World, metric

Change = Callable[[World], World]


def at_20(plan: tuple[int | str, ...] = (20, 50), step: int = 1) -> World:
    """Return a canary that has had 20 percent for 100 s, in effect everywhere, with all the evidence it needs."""
    world = World().stable(10).canary(2)
    found = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20)))
    world = routed(world, *plan, ways=found, remembered=known(20), metrics=(metric(),))
    return world.at_step(step, since=100).knows(passes=3)


def with_route(**changes: Any) -> Change:
    """Return the change by which the route at 20 percent is another one."""
    ways_now = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20), **changes))
    return lambda world: world.but(traffic=ways_now)


def breached(world: World) -> World:
    """Let the metric have failed twice."""
    return world.knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)


def stuck(world: World) -> World:
    """Let a canary pod have been away for longer than the progress deadline."""
    canary = world.status.canary
    late = api.Progress(desired=2, ready=1, since=NOON - 700)
    world = world.with_status(canary=canary and canary.model_copy(update={"progress": late}))
    return world.deployment(B, 2, 1)


TRIGGERS: Mapping[str, Change] = {
    "a metric fails": breached,
    "an abort is given": lambda world: world.told(abort="now"),
    "the template is put back": lambda world: world.wants(A),
    "the template is changed": lambda world: world.wants(C),
    "pods make no progress": stuck,
    "the Rollout is deleted": lambda world: world.but(deleting=True, finalizers=(names.FINALIZER,)),
    "the route bears the mark": with_route(rejected=f"{B}/{NOON - 1000}"),
}
HINDRANCES: Mapping[str, Callable[[], World]] = {
    "unsound": lambda: at_20().but(invalid="spec.strategy: wrong"),
    "refused": lambda: at_20().but(refusals=("HTTPRoute web: denied",)),
    "unroutable": lambda: with_route(parents=(parent(accepted=False),))(at_20()),
    "contested": lambda: at_20().with_status(traffic=known(20, drift_count=7, drift_last_time=NOON - 1, drift_by="x")),
    "waiting": lambda: at_20().deployment(B, 2, 1),
    "paused": lambda: at_20().but(paused=True),
    "pausing": lambda: at_20((20, "pause", 50), step=2),
    "unproved": lambda: at_20().knows(passes=0),
    "settling": lambda: at_20().with_status(traffic=known(20, since=NOON - 1)),
}


def is_rollback(decision: Decision) -> bool:
    """Return whether the verdict is to be written, and traffic to go back before all else, whatever becomes of it."""
    canary = decision.status.canary
    leaves = canary is not None and canary.abort is not None and decision.write_status
    # What is refused does not hold a deletion; it is let go after one try.
    if not decision.urgent or not (leaves or decision.rule == "released"):
        return False
    return isinstance(decision.actions[0], SelectRevision | SetWeights)


def goes_back_with_first(name: str, world: World, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether traffic goes back in *world* if the rule *name* is asked before those that go back."""
    chains = (*module.FORWARD, *module.RESTING)
    rule_named = next(one for one in chains if one.__name__ == name)
    monkeypatch.setattr(module, "BACKWARD", (rule_named, *module.BACKWARD))
    try:
        return is_rollback(decide(world.observe()))
    except AssertionError:
        return False  # it never comes to rest


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_each_hindrance_holds_what_goes_forward(hindrance: str) -> None:
    """Without a reason to go back it is this rule that answers, and nothing goes either way."""
    decision = decide(HINDRANCES[hindrance]().observe())

    assert (hindrance, False) == (decision.rule, is_rollback(decision))


@pytest.mark.parametrize("hindrance", HINDRANCES)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_nothing_that_holds_what_goes_forward_holds_what_goes_back(trigger: str, hindrance: str) -> None:
    """In one pass: the verdict to the status, then the route, and neither waits for the other."""
    world = HINDRANCES[hindrance]()
    if trigger == "the route bears the mark" and hindrance == "unroutable":
        world = with_route(rejected=f"{B}/{NOON - 1000}", parents=(parent(accepted=False),))(world)
    else:
        world = TRIGGERS[trigger](world)

    assert is_rollback(decide(world.observe()))


@pytest.mark.parametrize("name", [*HINDRANCES, "complete"])
def test_the_order_is_what_does_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With any one rule that goes forward before those that go back, a breach would not be heard."""
    world = breached(HINDRANCES.get(name, at_20)())
    assert is_rollback(decide(world.observe()))
    assert not goes_back_with_first(name, world, monkeypatch)


@pytest.mark.parametrize("world", [at_20(), at_20().leaving()])
def test_a_deletion_that_something_refuses_tries_the_route_and_goes(world: World) -> None:
    """H19: an object that cannot be written must not stay for ever, nor the new version be left with its weight."""
    deleted = world.but(deleting=True, finalizers=(names.FINALIZER,), refusals=(f"Deployment web-{A}: quota",))
    first, last = decide(deleted.observe()).actions

    assert isinstance(first, SetWeights)
    assert (0, RemoveFinalizer()) == (first.percent, last)


UNANSWERED = facts(
    stable=service(STABLE, B), canary=service(CANARY, B), route=route(parents=(parent(current=False, accepted=False),))
)
WARM: Mapping[str, Callable[[], World]] = {
    "moving": lambda: ways.warm(until=None, ways=UNANSWERED, metrics=(metric(),)),
    "cooled": lambda: ways.warm(until=NOON - 2, metrics=(metric(),)),
    "unsound": lambda: ways.warm(metrics=(metric(),)).but(invalid="spec.strategy: wrong"),
    "settled": lambda: ways.warm(metrics=(metric(),)),
    "held_back": lambda: ways.warm(metrics=(metric(),)).wants(C).but(paused=True),
    "draining": lambda: ways.warm(metrics=(metric(),)).wants(C).with_status(traffic=known(since=NOON - 1)),
    "start": lambda: ways.warm(metrics=(metric(),)).wants(C),
}


@pytest.mark.parametrize("name", WARM)
def test_a_promotion_is_taken_back_first(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """While the old revision is warm a breach goes back before whatever else is to come, by the order alone."""
    world = breached(WARM[name]())
    decision = decide(world.observe())
    assert is_rollback(decision)
    assert SelectRevision(STABLE, A) == decision.actions[0]
    assert not goes_back_with_first(name, world, monkeypatch)
