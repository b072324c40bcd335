"""Rolling update: pod by pod within the budget, watched meanwhile, proved at its end."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Phase
from headgate.core.replicas.pod_budget import Budget
from headgate.core.rollout.decide import decide
from headgate.core.strategies import traits
from tests.core import aftermath, answers, ways
from tests.core.ways import CANARY, STABLE, facts, known, route, rule, service
from tests.core.worlds import NOON, A, B, World, metric, policy_of

PLAIN = policy_of(rollingUpdate={})
WATCHED = policy_of((metric(),), rollingUpdate={"maxSurge": 2})


def rolling(old: int, new: int, ready: int | None = None, since: float | None = None) -> World:
    """Return a world in the middle of it, or at its end *since* so long."""
    return World().stable(old).canary(new, ready).ruled(WATCHED).at_step(1).at_step(1, since=since)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, Budget(10, 3, 0)),
        ({"maxSurge": 1}, Budget(10, 1, 0)),
        ({"maxSurge": 0, "maxUnavailable": "25%"}, Budget(10, 0, 2)),
        ({"maxSurge": "100%", "maxUnavailable": 1}, Budget(10, 10, 1)),
    ],
)
@pytest.mark.parametrize("routed", [False, True])
def test_budget(written: Any, expected: Budget, *, routed: bool) -> None:
    """As a Deployment rounds, a quarter more by default, and none fewer; routes make no difference to that."""
    assert expected == traits.budget(policy_of(rollingUpdate=written), 10, routed=routed)


def test_it_says_how_many_pods_there_will_be() -> None:
    """The first Event and the first sizes."""
    decision = decide(World().stable().recorded(B).ruled(PLAIN).wants(B).observe())

    assert "revision 2: pod by pod, 10 to 13 pods at any time" == answers.said(decision, "StepStarted")
    assert {B: 3} == answers.sizes(decision)
    assert ("WaitingForPods", "0 % rolled out: 0 of 10 canary pods ready") == answers.ready(decision)


@pytest.mark.parametrize(
    ("world", "sizes", "said", "share"),
    [
        (rolling(10, 2, 0), {}, "0 % rolled out: 0 of 10 canary pods ready", 0),
        (rolling(10, 2), {A: 8}, "20 % rolled out: 2 of 10 canary pods ready", 17),
        (rolling(8, 4, 3), {A: 7}, "30 % rolled out: 3 of 10 canary pods ready", 27),
        (rolling(1, 10), {A: 0}, "100 % rolled out: 1 stable pods, going down to 0", 91),
    ],
)
def test_progress_is_told_in_percent(world: World, sizes: Any, said: str, share: int) -> None:
    """The message has the share of the new pods, the WEIGHT column that of the traffic."""
    decision = decide(world.observe())

    assert (Phase.PROGRESSING, said) == (decision.status.phase, answers.ready(decision)[1])
    assert sizes == answers.sizes(decision)
    assert share == (decision.status.weight and decision.status.weight.achieved)


@pytest.mark.parametrize(("surge", "unavailable"), [("25%", 0), (1, 0), (0, 1), (0, "50%"), ("100%", "100%")])
@pytest.mark.parametrize("replicas", [0, 1, 2, 10])
def test_the_whole_life(surge: Any, unavailable: Any, replicas: int) -> None:
    """Never more pods than the surge allows, never fewer than the budget; at its end the new revision is stable."""
    by = policy_of(rollingUpdate={"maxSurge": surge, "maxUnavailable": unavailable})
    limits = traits.budget(by, replicas, routed=False)
    world = World().but(replicas=replicas).stable(replicas).recorded(B).ruled(by).wants(B)
    for _ in range(60):
        decision = decide(world.observe())
        if not decision.write_status and not decision.actions and not decision.records:
            break
        world = aftermath.after(world, decision)
        pods = sum(one.replicas for one in world.deployments.values())
        assert limits.least_ready <= pods <= limits.most_pods

    assert (Phase.HEALTHY, B) == (world.status.phase, world.status.stable and world.status.stable.hash)
    assert {A: 0, B: replicas} == {A: 0, B: 0} | {key: one.replicas for key, one in world.deployments.items()}


def test_evidence_is_asked_for_once_all_pods_are_new() -> None:
    """Nothing waits for it before; after that the new version has to prove itself with all of the traffic."""
    waits = decide(rolling(0, 10, since=60).knows(passes=2).observe())
    done = decide(rolling(0, 10, since=60).knows(passes=3).observe())

    assert (Phase.PROMOTING, "GatheringEvidence") == (waits.status.phase, answers.ready(waits)[0])
    assert "Promoted" in answers.reasons(done)


@pytest.mark.parametrize(("old", "new"), [(10, 2), (4, 8), (0, 10)])
def test_a_breach_rolls_back_wherever_it_stands(old: int, new: int) -> None:
    """What a plain Deployment has not: stable is made whole at once, and the version is not tried again."""
    world = rolling(old, new).knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)
    first = decide(world.observe())
    world, _ = aftermath.settled(world)

    assert 10 == answers.sizes(first).get(A, old)
    assert (Phase.ROLLED_BACK, 10, 0) == (
        world.status.phase,
        world.deployments[A].replicas,
        world.deployments[B].replicas,
    )


def test_behind_routes_the_weight_follows_the_pods() -> None:
    """Each exchange moves what the new pods carry; the old ones go after the drain."""
    found = facts(canary=service(CANARY, B, {B: 2}), stable=service(STABLE, A), route=route(rule(100, 0)))
    world = World().stable(10).canary(2).ruled(WATCHED.model_copy(update={"traffic": ways.TRAFFIC})).at_step(1)
    decision = decide(world.but(traffic=found).with_status(traffic=known()).observe())

    said = "20 % rolled out: 2 of 10 canary pods ready; maxSurge allows 12 pods in all: more follow as stable pods"
    assert answers.ready(decision)[1].startswith(said)
    assert [20] == [one.percent for one in decision.actions if hasattr(one, "percent")]


def test_the_old_pods_are_kept_for_connections_only() -> None:
    """It knows no scaleDownDelay: after the promotion behind routes they go once these have drained."""
    seen = World().ruled(PLAIN).observe()

    assert 0 == traits.scale_down_delay_seconds(seen.policy)
    assert seen.now == NOON
