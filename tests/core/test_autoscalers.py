"""What an autoscaler asks for while extra pods run: demand counts at once, and memory waits."""

from fractions import Fraction
from typing import Any

import pytest

from headgate.api.status import Phase
from headgate.core.model import AutoscalerFacts
from headgate.core.model.actions import ScaleDeployment
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers, earlier, ways
from tests.core.test_blue_green import BY_HAND, at, by
from tests.core.worlds import NOON, A, B, World, policy

CPU = AutoscalerFacts("web", "Rollout", "web", memory=False)


def memory(asks: int | None = 17, load: Any = "0.85", **changes: Any) -> AutoscalerFacts:
    """Return an autoscaler that asks for so many replicas because of memory, of which each pod uses *load* targets."""
    fields = {"memory": True, "by_memory": True, "memory_load": Fraction(load), **changes}
    return AutoscalerFacts("web", "Rollout", "web", asks=asks, **fields)


def preview(replicas: int, *found: AutoscalerFacts, **changes: Any) -> World:
    """Return ten stable pods and ten in preview, for an autoscaler that has asked for so many replicas."""
    return at(2, by(BY_HAND)).but(replicas=replicas, autoscalers=found, **changes)


def in_flight(replicas: int, *found: AutoscalerFacts, **changes: Any) -> World:
    """Return eight stable pods and two of a canary in a timed pause."""
    world = World().stable(8).canary(2).ruled(policy(20, "2m", 50)).at_step(2, since=60)
    return world.but(replicas=replicas, autoscalers=found, **changes)


@pytest.mark.parametrize(
    ("found", "scaled", "counts"),
    [
        ((), 0, 17),
        ((CPU,), NOON, 17),
        ((memory(),), 0, 10),
        ((memory(by_memory=False),), 0, 17),
        ((memory(asks=10),), NOON - 5, 10),
        ((memory(asks=10),), NOON - 25, 17),
        ((memory(asks=None),), NOON, 10),
        ((AutoscalerFacts("a", "Rollout", "b", memory=True),), NOON, 17),
        ((AutoscalerFacts("a", "Deployment", "web", memory=True),), NOON, 17),
        ((CPU, memory()), NOON, 10),
    ],
)
def test_growth_for_memory_waits_while_there_are_extra_pods(
    found: tuple[AutoscalerFacts, ...], scaled: int, counts: int
) -> None:
    """H4: everything else counts at once, also what nobody gives memory as the reason of within 20 s."""
    decision = decide(preview(17, *found, scaled=scaled).observe())

    assert (decision.status.min_replicas, decision.status.ready.partition("/")[2]) == (counts, str(counts))
    assert ("MemoryTarget" in answers.reasons(decision)) == (counts == 10)
    assert (answers.condition(decision, "ScalingHeld") is not None) == (counts == 10)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (memory(other_load=Fraction("0.5")), 10),
        (memory(other_load=Fraction("0.7")), 14),
        (memory(other_load=Fraction("0.9")), 17),
        (memory(other_load=Fraction("0.7"), limited=True), 14),
        (memory(other_load=Fraction("0.7"), memory_load=Fraction("1.7")), 10),
        (memory(other_load=Fraction("0.7"), memory_load=Fraction(0)), 14),
    ],
)
def test_what_other_targets_ask_for_counts_at_once(found: AutoscalerFacts, counts: int) -> None:
    """Memory asks for 17, and 20 pods need 0.7 of the CPU that they may: 14 are needed, and they come.

    An autoscaler that asked for 17 of 10 pods at 1.7 targets saw 10 pods, whatever there are by now: 7 are needed.
    """
    assert decide(preview(17, found).observe()).status.min_replicas == counts


def test_the_words() -> None:
    """The condition and one Event name the autoscaler, what it asks for, what counts and until when."""
    world = preview(17, memory())
    decision = decide(world.observe())
    message = (
        "HorizontalPodAutoscaler web asks for 17 replicas because of memory; "
        "10 count until it has looked at the pods of one revision alone"
    )

    found = answers.condition(decision, "ScalingHeld")
    assert found is not None
    assert (found.status, found.reason, found.message) == ("True", "MemoryTarget", message)
    assert answers.said(decision, "MemoryTarget") == message
    assert (NOON + 15 >= (decision.recheck_at or 0), {}) == (True, answers.sizes(decision))
    again = decide(world.but(status=decision.status).observe())
    assert "MemoryTarget" not in answers.reasons(again)
    silent = decide(preview(17, memory(asks=10), scaled=NOON).observe())
    assert "asks for 17 replicas; 10 count until it has said why" in answers.said(silent, "MemoryTarget")
    assert silent.recheck_at == NOON + 1


def test_fewer_replicas_wait_visibly() -> None:
    """H4: they are told of, with what counts until then; an autoscaler's target makes no difference to that."""
    for found in ((), (CPU,), (memory(asks=4),)):
        decision = decide(in_flight(4, *found).observe())
        condition = answers.condition(decision, "ScalingHeld")

        assert condition is not None
        assert condition.reason == "RolloutInFlight"
        assert condition.message == "4 replicas are wanted; 10 count until the rollout has ended"
        assert "RolloutInFlight" not in answers.reasons(decision)
        assert decision.status.min_replicas == 10


def test_growth_waits_without_a_router_too() -> None:
    """The extra pods of the surge count as well, and when the rollout has ended nobody knows yet what is needed."""
    world, _ = aftermath.settled(in_flight(14, memory(asks=14)).ruled(policy(20)).at_step(1))
    assert world.status.stable is not None
    assert (world.status.stable.hash, world.deployments[B].replicas) == (B, 10)
    assert world.status.min_replicas == 10
    assert world.status.phase is Phase.HEALTHY


@pytest.mark.parametrize(
    ("found", "replicas", "counts"),
    [
        ((memory(),), 17, 10),
        ((memory(load=1),), 17, 10),
        ((memory(load="1.2"),), 17, 17),
        ((memory(by_memory=False),), 17, 17),
        ((memory(asks=12),), 12, 10),
        ((memory(asks=10),), 10, 10),
        ((), 17, 17),
    ],
)
def test_what_extra_pods_made_it_ask_for_outlives_them(
    found: tuple[AutoscalerFacts, ...], replicas: int, counts: int
) -> None:
    """It asks for the most of the last minutes; while memory is beneath its target, that waits at rest too."""
    decision = decide(World(replicas=replicas).stable().with_status(min_replicas=10).but(autoscalers=found).observe())

    assert decision.status.ready == f"10/{counts}"
    assert decision.status.min_replicas == (10 if replicas > counts else None)
    assert decision.status.phase is (Phase.HEALTHY if counts == 10 else Phase.PROGRESSING)
    assert (decision.recheck_at is not None) == (replicas > counts)


def test_a_rollback_lets_go_on_waiting_what_waits() -> None:
    """When the canary has gone, stable is as large as it was."""
    world = in_flight(14, memory(asks=14)).deployment(A, 10).deployment(B, 0).leaving()
    decision = decide(world.observe())

    assert decision.status.canary is None
    assert (decision.status.min_replicas, decision.status.ready) == (10, "10/10")


@pytest.mark.parametrize(
    ("found", "replicas", "floor", "expected"),
    [
        ((), 10, None, None),
        ((CPU,), 17, None, None),
        ((memory(asks=10),), 10, None, 10),
        ((memory(asks=9),), 9, 10, 9),
        ((memory(),), 17, 10, 10),
        ((memory(by_memory=False),), 17, 10, 17),
    ],
)
def test_growth_waits_while_the_old_revision_is_warm(
    found: tuple[AutoscalerFacts, ...], replicas: int, floor: int | None, expected: int | None
) -> None:
    """Its pods are extra pods as well. What is not for memory is followed at once, up and down."""
    world = ways.warm(World(replicas=replicas)).but(autoscalers=found).with_status(min_replicas=floor)
    decision = decide(world.observe())

    assert decision.status.min_replicas == expected
    assert decision.status.ready.partition("/")[2] == str(expected or replicas)


def test_what_waits_goes_on_waiting_from_flight_to_warmth_and_back() -> None:
    """A promotion keeps the number that counts while the old revision is warm, and so does going back from there."""
    world = at(2, by({"autoPromotion": {}, "scaleDownDelay": "5m"})).but(replicas=17, autoscalers=(memory(),))
    promoted = decide(world.observe())
    warm = ways.warm(World(replicas=17)).but(autoscalers=(memory(),)).with_status(min_replicas=10)
    back = decide(warm.wants(A).observe())

    assert "Promoted" in answers.reasons(promoted)
    assert (promoted.status.min_replicas, answers.sizes(promoted)) == (10, {})
    assert answers.ending(back) is not None
    assert back.status.min_replicas == 10


def test_a_rollout_that_begins_while_growth_waits_begins_with_what_counts() -> None:
    """A third revision comes while the first is warm; memory has not been followed before and is not now."""
    world = ways.warm(World(replicas=17)).but(autoscalers=(memory(),)).with_status(min_replicas=10)
    decision = decide(world.recorded("dddddddddd").wants("dddddddddd").observe())

    assert "RolloutStarted" in answers.reasons(decision)
    assert decision.status.min_replicas == 10


# --- an autoscaler of a Deployment ------------------------------------------------------------------------------------


def astray(revision_hash: str = A) -> AutoscalerFacts:
    """Return an autoscaler that somebody pointed at one of our Deployments."""
    return AutoscalerFacts("old", "Deployment", f"web-{revision_hash}", memory=False)


@pytest.mark.parametrize(
    "world",
    [
        in_flight(10, astray()),
        in_flight(10, astray(B)),
        World().stable().recorded(B).wants(B).but(autoscalers=(astray(),)),
    ],
    ids=["stable's", "the canary's", "before it starts"],
)
def test_an_autoscaler_of_a_deployment_stops_what_goes_forward(world: World) -> None:
    """It would set what is ours to set: it is named, with the remedy, and nothing moves."""
    decision = decide(world.observe())

    assert decision.status.phase is Phase.HOLDING
    assert answers.ready(decision)[0] == "DeploymentAutoscaled"
    assert "let its scaleTargetRef be {apiVersion: headgate.dev/v1alpha1, kind: Rollout, name: web}, or delete it" in (
        answers.said(decision, "DeploymentAutoscaled")
    )
    assert answers.sizes(decision) == {}
    assert decision.recheck_at == NOON + 15


def test_an_autoscaler_of_a_deployment_never_stops_an_abort() -> None:
    """H1: it goes back as ever, and what the autoscaler sets is put back with its name."""
    world = in_flight(10, astray()).told(abort="now").deployment(A, 3, scaled_by="kube-controller-manager")
    decision = decide(world.observe())

    assert answers.ending(decision) is not None
    assert ScaleDeployment(A, 10, 3) in decision.actions
    assert "put back to 10; HorizontalPodAutoscaler old scales Deployment" in answers.said(decision, "ReplicasRepaired")


def test_nor_does_it_stop_what_goes_back() -> None:
    """H1: an earlier revision that people ask for begins, and goes on."""
    for world in (earlier.second(earlier.roomy()).told(rollback_to="1"), earlier.second(earlier.roomy()).wants(A)):
        stuck = world.but(autoscalers=(astray(B),))
        decision = decide(stuck.observe())
        assert {A: 10} == answers.sizes(decision)
        again = decide(aftermath.after(stuck, decision).observe())
        assert answers.ready(again)[0] != "DeploymentAutoscaled"


def test_a_drill_does_not_let_in_what_waits() -> None:
    """H4: one that begins while growth waits begins with what counts."""
    world = World(replicas=17).stable().with_status(min_replicas=10).but(autoscalers=(memory(),)).told(drill="now")
    decision = decide(world.observe())
    assert "DrillStarted" in answers.reasons(decision)
    assert (decision.status.min_replicas, decision.status.ready) == (10, "10/10")


def test_autoscalers_of_others_are_nobody_s_business() -> None:
    """A Deployment beside ours may be scaled by whomever."""
    other = AutoscalerFacts("old", "Deployment", "shop", memory=False)
    assert answers.ready(decide(in_flight(10, other).observe()))[0] == "PausedForTime"
