"""The first revision of all in a cluster that takes its time: it has nothing to go back to, and still ends well."""

import pytest

from headgate.api import names
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.invariants.suite import Invariants
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace, World
from tests.simulation import worlds

BOOTS = specs.metric("boots", when=["First"], interval="5s", window="5s", passesToAdvance=2, failuresToRollback=1)


def begun(seed: int = 0, image: str = "web:1", pace: Pace | None = None, *, trouble: str = "") -> worlds.Play:
    """Return a world in which a Rollout was just applied, with a metric that is judged before it is stable."""
    world = World(seed, pace)
    play = worlds.Play(world, Invariants(world), {"measured": (BOOTS, specs.metric()), "replicas": 3})
    if trouble:
        world.pods.images[image] = Image(trouble=trouble)
    world.apply(play.spec(image))
    return play


def reason(play: worlds.Play) -> str:
    """Return the reason of the Ready condition."""
    return next((one.reason for one in play.world.status.conditions if one.type == "Ready"), "")


@pytest.mark.parametrize("seed", range(6))
def test_it_is_stable_once_its_metrics_have_passed(seed: int) -> None:
    """Not before they have, and without any step; then nothing is written any more."""
    play = begun(seed, pace=Pace(call=0.3, lag=0.5))
    began = play.world.now
    assert "Healthy" == play.settle()

    took = play.world.status.history[0].finished - began
    assert 5 + 5 + 5 + 20 <= took < 120  # pods, a window, a second pass, and until that has settled
    writes = len(play.world.journal.writes)
    play.world.run(1300)
    assert writes == len(play.world.journal.writes)


def test_what_fails_keeps_its_pods_and_may_yet_pass() -> None:
    """There is nothing to go back to: it is told, measured on, and stable once the metric passes."""
    play = begun(1)
    play.world.script.say(0.5, play.world.now, "boots")
    assert play.world.run_until(lambda: reason(play) == "MetricFailed", 300), play.world.account()
    play.world.run(300)
    canary = play.world.status.canary
    assert canary is not None
    assert ("Degraded", (3, 3)) == (str(play.world.phase), play.world.pods_of(canary.hash))

    play.world.script.say(0.0, play.world.now, "boots")
    assert "Healthy" == play.settle()
    assert canary.hash == play.stable


@pytest.mark.parametrize("trouble", ["ImagePullBackOff", "CrashLoopBackOff", "Unschedulable"])
def test_what_cannot_start_is_told_and_the_next_template_is_tried_at_once(trouble: str) -> None:
    """In the pod's own words, and long before the deadline."""
    play = begun(2, "web:bad", trouble=trouble)
    began = play.world.now
    assert play.world.run_until(lambda: reason(play) == "PodsCannotStart", 590), play.world.account()
    assert play.world.now - began < (330 if trouble == "Unschedulable" else 60)
    ready = next(one for one in play.world.status.conditions if one.type == "Ready")
    assert trouble in ready.message

    play.world.run(900)
    changed = play.world.now
    play.world.apply(play.spec("web:1"))
    assert "Healthy" == play.settle()
    assert play.world.status.history[0].finished - changed < 90


def test_promote_full_takes_it_as_it_is() -> None:
    """A person may say that it is good enough."""
    play = begun(3)
    play.world.script.say(0.5, play.world.now, "boots")
    assert play.world.run_until(lambda: reason(play) == "MetricFailed", 300), play.world.account()
    canary = play.world.status.canary
    assert canary is not None
    play.world.annotate(names.PROMOTE_FULL, canary.hash)

    assert "Healthy" == play.settle()
    assert "promote-full" == play.world.status.history[0].by


@pytest.mark.parametrize(
    "trouble",
    [fault_injection.Trouble.CRASH_BEFORE, fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER],
)
def test_h12_killed_around_every_write(trouble: fault_injection.Trouble) -> None:
    """The first revision becomes stable on the evidence of its own metrics, wherever the operator dies."""
    for ordinal in range(1, 10):
        play = begun(4, pace=Pace(call=0.0, lag=0.0))
        began = play.world.now
        play.world.plan = fault_injection.at_write(ordinal, trouble)
        assert "Healthy" == play.settle(), ordinal
        assert play.world.status.history[0].finished - began >= 35, ordinal
