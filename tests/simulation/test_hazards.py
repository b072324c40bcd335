"""The hazard catalogue as far as pod ratio goes: each scenario carries its id and the outcome that is owed."""

import pytest

from headgate.api import names
from headgate.api.status import Ending, Outcome
from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import worlds


def back(play: worlds.Play, passes: int = 2) -> None:
    """Let the trigger be seen, and hold stable whole in the spec within that pass."""
    world = play.world
    before = len(world.journal.passes)

    def leaving() -> bool:
        seen = world.journal.passes[before:]
        return any(done.decision.urgent and done.result is not None for done in seen)

    assert world.run_until(leaving, 120), world.account()
    first = next(done for done in world.journal.passes[before:] if done.decision.urgent)
    assert [write.verb for write in first.writes][: passes - 1] in ([], ["apply_status"]), world.account()
    stable = world.deployment(play.stable)
    assert stable is not None
    assert play.usual.get("replicas", 10) == stable["spec"]["replicas"], world.account()


def breach(play: worlds.Play) -> None:
    """Let the errors of every revision rise."""
    play.world.script.say(0.5, play.world.now)


def abort(play: worlds.Play) -> None:
    """Give the command."""
    play.world.annotate(names.ABORT, names.ABORT_NOW)


@pytest.mark.parametrize("trigger", [breach, abort])
def test_h3_invalid_spec_then_back(trigger: object) -> None:
    """An invalid spec at weight 20 stops what goes forward; a breach and an abort are judged by the last valid one."""
    play = worlds.play(3)
    play.ship("web:2")
    play.reach(20)
    play.world.edit(strategy={"canary": {"steps": "all of them"}})
    play.world.run(300)
    assert str(play.world.phase) == "Holding"

    assert callable(trigger)
    trigger(play)
    back(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 600)
    assert play.world.status.history[0].outcome in (Ending.ROLLED_BACK, Ending.ABORTED)


@pytest.mark.parametrize("trigger", [breach, abort])
def test_h4_scaled_while_paused_then_back(trigger: object) -> None:
    """A paused rollout is scaled and watched, and goes back."""
    play = worlds.play(4)
    play.ship("web:2")
    play.reach(20)
    play.world.edit(paused=True)
    play.world.run(60)
    play.world.edit(replicas=15)
    play.usual["replicas"] = 15
    play.world.run(60)
    assert (12, 12) == play.world.pods_of(play.stable)

    assert callable(trigger)
    trigger(play)
    back(play)
    assert play.settle() == "RolledBack"


def test_h5_a_stable_pod_is_unavailable_when_abort_comes() -> None:
    """One stable pod that is not available delays nothing."""
    play = worlds.play(5)
    play.ship("web:2")
    play.reach(50)
    play.world.fail_pods(play.stable, 1, 900)
    play.world.run(1)

    abort(play)
    back(play)


def test_h5_abort_while_the_controllers_are_behind() -> None:
    """Right after stable was scaled down its status still counts the pods that go; nobody relies on them."""
    for seed in range(6):
        play = worlds.play(seed, pace=Pace(lag=0.9))
        play.ship("web:2")
        assert play.world.run_until(lambda one=play: one.replicas < 10, 600)  # type: ignore[misc]  # bound at once
        play.world.run(play.world.dice.uniform(0, 2.5))
        abort(play)
        assert play.settle() == "RolledBack"


def test_h6_abort_wins_over_promote_full() -> None:
    """promote-full before and beside an abort changes nothing."""
    play = worlds.play(6)
    canary = play.ship("web:2")
    play.reach(20)
    play.world.annotate(names.PROMOTE_FULL, canary)
    play.world.run(2)
    play.world.annotate(names.PROMOTE_FULL, canary)
    abort(play)
    back(play)
    assert play.settle() == "RolledBack"
    assert canary == play.world.status.rejected[0].hash


def test_h7_metrics_are_out_for_ten_minutes() -> None:
    """Nothing moves in an outage and the condition says so; afterwards it goes on by itself."""
    play = worlds.play(7)
    play.ship("web:2")
    play.reach(20)
    play.world.script.outages.append((play.world.now, play.world.now + 600))
    play.world.run(590)
    weight, ready = play.world.status.weight, play.world.status.conditions[1]
    assert weight is not None
    assert (20, "Holding") == (weight.desired, str(play.world.phase))
    assert "connection refused" in ready.message

    assert play.settle() == "Healthy"


@pytest.mark.parametrize("value", [Outcome.NO_DATA, Outcome.AMBIGUOUS, float("nan"), float("inf")])
def test_h9_no_traffic_or_nonsense_holds(value: float | Outcome) -> None:
    """What is no single finite value neither passes nor fails, for as long as it takes."""
    play = worlds.play(9)
    play.world.script.default = value
    play.ship("web:2")
    play.reach(20)
    play.world.run(3600)

    weight = play.world.status.weight
    assert weight is not None
    assert (20, "Holding") == (weight.desired, str(play.world.phase))


def test_h10_one_canary_pod_crashes_while_errors_rise() -> None:
    """Metrics are judged though a pod of the canary is not ready."""
    play = worlds.play(10)
    canary = play.ship("web:2")
    play.reach(50)
    play.world.fail_pods(canary, 1)
    breach(play)
    assert play.settle() == "RolledBack"
    assert "MetricFailed" == play.world.status.rejected[0].reason


@pytest.mark.parametrize("trouble", ["ImagePullBackOff", "CrashLoopBackOff", "Unschedulable", "Slow"])
def test_h11_the_canary_never_becomes_ready(trouble: str) -> None:
    """It is taken back, at once where it is hopeless, soon where no node has room, in the pod's own words."""
    play = worlds.play(11)
    play.world.pods.images["web:2"] = Image(trouble=trouble)
    began = play.world.now
    play.ship("web:2")
    play.settle()
    rejected = play.world.status.rejected[0]
    took, most = rejected.at - began, {"Unschedulable": 330, "Slow": 660}.get(trouble, 60)

    assert most - 60 < took < most
    assert (trouble != "Slow") == (rejected.reason == "PodsCannotStart")
    assert (trouble if trouble != "Slow" else "ContainersNotReady") in rejected.message
    assert 10 == play.judges.capacity.least_stable


def test_h11_one_pod_cannot_start_and_the_others_are_slow() -> None:
    """One pod of several without its image takes nothing back while the others only need longer."""
    play = worlds.play(11, replicas=10, steps=[{"setWeight": 30}])
    play.world.pods.images["web:2"] = Image(ready_after_seconds=120.0, trouble="ImagePullBackOff", troubled=(0,))
    play.ship("web:2")
    play.world.run(100)
    status = play.world.status
    told = next(one.message for one in status.conditions if one.type == "Ready")

    assert not status.rejected
    assert "1 of 3 pods cannot start: " in told
    assert "ImagePullBackOff" in told
    play.settle()
    assert "ProgressDeadlineExceeded" == play.world.status.rejected[0].reason
    assert 10 - 3 <= play.judges.capacity.least_stable


def test_h11_a_quota_refuses_the_canarys_pods() -> None:
    """The server's words about the quota take the canary back early."""
    play = worlds.play(11)
    play.world.pods.quota = 10
    play.ship("web:2")
    play.settle()
    assert "exceeded quota" in play.world.status.rejected[0].message


@pytest.mark.parametrize("moment", ["at 20", "at 100", "going back"])
def test_h13_a_newer_template_arrives(moment: str) -> None:
    """The older canary leaves or completes; the newer one starts at its first step with no share of it."""
    play = worlds.play(13)
    older = play.ship("web:2")
    play.reach(100 if moment == "at 100" else 20)
    if moment == "going back":
        abort(play)
    newer = play.ship("web:3")
    world = play.world
    assert world.run_until(lambda: world.status.canary is not None and world.status.canary.hash != older, 600)
    canary, step = world.status.canary, world.status.step
    assert canary is not None
    assert step is not None
    assert (1, 0) == (step.index, world.pods_of(canary.hash)[1])
    assert newer in (older, canary.hash)
    assert play.settle() == "Healthy"
    assert canary.hash == play.stable


def test_h14_the_template_is_put_back() -> None:
    """The canary leaves at once, no rollout follows, and nothing is rejected."""
    play = worlds.play(14)
    play.ship("web:2")
    play.reach(50)
    play.world.apply(play.spec("web:1"))
    back(play)
    assert play.settle() == "Healthy"
    assert () == play.world.status.rejected
    assert Ending.WITHDRAWN == play.world.status.history[0].outcome


@pytest.mark.parametrize(
    "trouble", [fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE, fault_injection.Trouble.REFUSED]
)
def test_h14_put_back_while_the_status_cannot_be_written(trouble: fault_injection.Trouble) -> None:
    """A template that was put back is not rejected, whatever becomes of the first status."""
    play = worlds.play(14)
    canary = play.ship("web:2")
    play.reach(50)
    play.world.plan = fault_injection.at_write(play.world.writes + 1, trouble)
    play.world.apply(play.spec("web:1"))
    assert play.settle() == "Healthy"
    assert () == play.world.status.rejected
    assert canary == play.ship("web:2")


def test_h15_a_rejected_template_is_applied_every_minute() -> None:
    """It stays rejected: no pods, no writes, no events."""
    play = worlds.play(15)
    play.ship("web:2")
    play.reach(20)
    breach(play)
    play.settle()
    writes, notices = len(play.world.journal.writes), len(play.world.journal.notices)
    for _ in range(30):
        play.world.apply(play.spec("web:2"))
        play.world.run(60)

    assert (writes, notices) == (len(play.world.journal.writes), len(play.world.journal.notices))


def test_h16_the_present_weight_is_no_longer_a_step() -> None:
    """After an edit of the steps it goes on at the next one that is not below, and never jumps past it."""
    play = worlds.play(16)
    play.ship("web:2")
    play.reach(50)
    steps = [specs.weight(10), specs.weight(60), specs.weight(90)]
    play.world.edit(strategy={"canary": {"steps": steps}})
    play.usual["steps"] = tuple(steps)
    play.reach(60)
    play.reach(90)
    assert play.settle() == "Healthy"


@pytest.mark.parametrize("paused", [False, True])
def test_h16_an_edit_of_the_steps_proves_nothing(*, paused: bool) -> None:
    """Without its evidence the present weight is not left, whatever the new steps are; nor while paused."""
    play = worlds.play(16)
    play.ship("web:2")
    play.reach(20)
    play.world.edit(paused=paused, strategy={"canary": {"steps": []}})
    play.world.run(5)
    weight = play.world.status.weight
    assert weight is not None
    assert 20 == weight.desired


@pytest.mark.parametrize("what", ["replicas", "template"])
def test_h18_somebody_edits_a_deployment(what: str) -> None:
    """Replicas and template of our Deployment are put back within seconds, and an Event says who did it."""

    def change(thing: Json) -> None:
        if what == "replicas":
            thing["spec"]["replicas"] = 3
        else:
            thing["spec"]["template"]["spec"]["containers"][0]["image"] = "web:hacked"

    play = worlds.play(18)
    play.world.meddle(play.stable, change)
    play.world.run(5)
    thing = play.world.deployment(play.stable)
    assert thing is not None
    assert 10 == thing["spec"]["replicas"]
    assert "web:1" == thing["spec"]["template"]["spec"]["containers"][0]["image"]
    said = [notice.message for _, notice in play.world.journal.notices if notice.reason.endswith("Repaired")]
    assert said
    assert said[0].startswith("another-client")
    assert play.settle() == "Healthy"


@pytest.mark.parametrize("orphan", [False, True])
def test_h19_deleted_at_weight_20(*, orphan: bool) -> None:
    """A deletion takes the new version back and never ships it; orphans keep serving."""
    play = worlds.play(19)
    canary, stable = play.ship("web:2"), play.stable
    play.reach(20)
    play.world.delete(orphan=orphan)
    assert play.world.run_until(lambda: play.world.rollout is None, 300), play.world.account()
    play.world.run(30)
    assert (0, 0) == play.world.pods_of(canary)
    assert ((10, 10) if orphan else (0, 0)) == play.world.pods_of(stable)


def test_h21_an_autoscaler_moves_replicas_throughout() -> None:
    """Users get what the autoscaler asks for at every moment, and a breach in the middle goes back at once."""
    play = worlds.play(21)
    play.ship("web:2")
    for replicas in (14, 9, 16, 12, 20, 11):
        play.world.edit(replicas=replicas)
        play.world.run(45)
    breach(play)
    assert play.settle() == "RolledBack"
    assert (11, 11) == play.world.pods_of(play.stable)


@pytest.mark.parametrize(
    "trouble",
    [fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE, fault_injection.Trouble.LOST_ANSWER],
)
def test_h24_calls_fail_in_storms(trouble: fault_injection.Trouble) -> None:
    """A third of all calls failing for the whole canary, and a blackout of 30 s, change nothing but its length."""
    play = worlds.play(24)
    world = play.world
    storm, out = (
        fault_injection.at_random(world.dice, 0.3, trouble),
        fault_injection.between(world.now + 60, world.now + 90, trouble),
    )
    world.plan = lambda call: out(call) or storm(call)
    canary = play.ship("web:2")
    play.settle()
    assert canary == play.stable
    assert [] == [entry.outcome for entry in world.status.history if entry.outcome is not Ending.PROMOTED]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_h27_the_clock_jumps_during_a_pause(jump: float) -> None:
    """A clock set back begins the pause anew, one set forward does not end it; neither hangs or skips evidence."""
    play = worlds.play(27, steps=(specs.weight(20), specs.pause("5m"), specs.weight(60)))
    play.world.script.default = Outcome.NO_DATA  # before the canary there was nothing to measure
    play.world.script.say(0.0, play.world.now)
    canary = play.ship("web:2")
    play.reach(20)
    assert play.world.run_until(lambda: str(play.world.phase) == "Paused", 600)
    play.world.around.clock_skew = jump
    play.world.run(400)
    weight = play.world.status.weight
    assert weight is not None
    assert 20 == weight.desired
    play.world.around.clock_skew = 0.0
    began = play.world.now
    assert play.settle() == "Healthy"
    assert canary == play.stable
    assert play.world.now - began < 3600
