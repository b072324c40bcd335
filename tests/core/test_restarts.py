"""The restart of all pods: what is said of it, what goes before it, and when it has ended."""

import dataclasses
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import AutoscalerFacts, Decision, PodFacts, PodTrouble
from headgate.core.model.actions import EvictPod, RemoveCommand, ScaleDeployment
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers, drilling, earlier, ways
from tests.core.worlds import NOON, A, B, World, policy, policy_of

OLD, NEW = NOON - 500, NOON - 20
UNTIL = "2027-01-15T07:58:20Z"


def pods(old: int = 0, new: int = 0, starting: int = 0) -> tuple[PodFacts, ...]:
    """Return pods from before a restart that began 100 s ago, and from after it."""
    kinds = (("old", old, OLD, OLD), ("new", new, NEW, NEW), ("starting", starting, NEW, None))
    return tuple(
        PodFacts(f"{kind}-{number}", f"uid-{kind}-{number}", created, since, leaving=False)
        for kind, count, created, since in kinds
        for number in range(count)
    )


def restarting(found: Iterable[PodFacts] | None, wanted: int = 13, ready: int | None = None, **more: Any) -> World:
    """Return a world whose stable revision is being restarted for 100 s."""
    restart = api.Restart(since=NOON - 100, asked="now", pods=10, remaining=10, **more)
    world = World().stable(wanted, ready).but(pods=tuple(found) if found is not None else None)
    return world.with_status(restart=restart)


def evicted(decision: Decision) -> list[str]:
    """Return the names of the pods that are evicted."""
    return [action.name for action in decision.actions if isinstance(action, EvictPod)]


def stands(decision: Decision) -> tuple[str, str]:
    """Return phase and reason."""
    return str(decision.status.phase), answers.ready(decision)[0]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["now", "2027-01-15T08:00:00Z", "a certificate was renewed"])
def test_any_word_begins_a_restart(value: str) -> None:
    """From now on all pods that are there are old; the word is kept for people, and the command is consumed."""
    decision = decide(World().stable().told(restart=value).observe())

    assert decision.status.restart == api.Restart(since=NOON, asked=value, pods=10, remaining=10)
    assert answers.said(decision, "RestartRequested").startswith("pods that were created until 2027-01-15T08:00:00Z")
    assert RemoveCommand(names.RESTART, value) in decision.actions
    assert ("Progressing", "Restarting") == stands(decision)
    assert NOON + 1 == decision.recheck_at
    assert "restart: pods are being counted" == answers.ready(decision)[1]


def test_the_command_is_heard_once() -> None:
    """A crash before the annotation is removed does not make pods old that have just come."""
    world = World().stable().told(restart="now")
    later = aftermath.after(world, decide(world.observe())).told(restart="now")
    fresh = tuple(dataclasses.replace(pod, created=NOON + 3) for pod in pods(new=10))
    decision = decide(later.but(pods=fresh).observe())

    assert "RestartRequested" not in answers.reasons(decision)
    assert decision.status.restart is None


def test_a_second_command_begins_anew() -> None:
    """Pods that came in the first restart are old in the second."""
    decision = decide(restarting(pods(old=5, new=8)).told(restart="again").observe())

    assert decision.status.restart is not None
    assert (NOON, "again", 13) == (
        decision.status.restart.since,
        decision.status.restart.asked,
        decision.status.restart.remaining,
    )


def test_a_clock_that_is_ahead_makes_no_new_pod_an_old_one() -> None:
    """What the first look finds is old, whatever the operator's clock said when the command came."""
    world = restarting(pods(old=10), 10).with_status(restart=api.Restart(since=NOON - 5, asked="now", pods=10))
    first = decide(world.observe())
    assert first.status.restart is not None
    assert (OLD, NOON - 5) == (first.status.restart.until, first.status.restart.since)

    later = decide(restarting(pods(old=7, new=3, starting=3)).with_status(restart=first.status.restart).observe())
    assert later.status.restart is not None
    assert (7, OLD) == (later.status.restart.remaining, later.status.restart.until)
    assert all(name.startswith("old") for name in evicted(later))


@pytest.mark.parametrize(
    ("world", "value", "why"),
    [
        (World().first(10, 4), "now", "the first revision is starting: its pods are new"),
        (World().stable(), " ", "any word or time would match, such as headgate.dev/restart=now"),
    ],
)
def test_what_does_not_fit(world: World, value: str, why: str) -> None:
    """A command that makes no sense changes nothing, and an Event says why."""
    decision = decide(world.told(restart=value).observe())

    assert answers.said(decision, "CommandMismatch").endswith(f"had no effect: {why}")
    assert decision.status.restart is None


# --- its course -------------------------------------------------------------------------------------------------------


def test_surge_first_then_evictions_then_back() -> None:
    """The template is untouched all the time; the status says how many old pods are left."""
    first = decide(restarting(pods(old=10), 10).observe())
    assert (ScaleDeployment(A, 13, 10),) == first.actions
    assert f"restart: 10 of 10 pods left from before {UNTIL}; 10 of 13 pods ready" == answers.ready(first)[1]

    some = decide(restarting(pods(old=7, new=6)).observe())
    assert ["old-0", "old-1", "old-2"] == evicted(some)
    assert some.status.restart is not None
    assert (7, "13/10") == (some.status.restart.remaining, some.status.ready)
    assert NOON + 5 == some.recheck_at

    back = decide(restarting(pods(new=13)).observe())
    assert (ScaleDeployment(A, 10, 13),) == back.actions
    assert "restart: all pods are new; 13 of 10 pods ready" == answers.ready(back)[1]

    end = decide(restarting(pods(new=10), 10).observe())
    assert ("Healthy", "Healthy") == stands(end)
    assert end.status.restart is None
    assert f"no pod is left that was created until {UNTIL}; it took 1m40s" == answers.said(end, "Restarted")


def test_fewer_old_pods_are_a_write() -> None:
    """How far it has come is told each time that old pods have gone; which new ones are ready, with the next write."""
    world = restarting(pods(old=7, new=6))
    said = aftermath.after(world, decide(world.observe()), seconds=1)

    assert not decide(said.but(pods=pods(old=7, new=5, starting=1)).observe()).write_status
    assert decide(said.but(pods=pods(old=4, new=9)).observe()).write_status


def test_pods_that_do_not_come_are_told() -> None:
    """In the pod's words; and after the progress deadline as Degraded. Nothing more is taken away."""
    trouble = PodTrouble("web-x: Unschedulable: 0/3 nodes are available", hopeless=False, unschedulable=True)
    world = restarting(pods(old=10, starting=3), 13, 10).but(trouble=trouble)
    decision = decide(world.observe())
    assert answers.ready(decision)[1].endswith(f"10 of 13 pods ready: {trouble.message}")
    assert evicted(decision) == []

    assert world.status.stable is not None
    stuck = api.Progress(desired=13, ready=10, since=NOON - 600)
    late = decide(world.with_status(stable=world.status.stable.model_copy(update={"progress": stuck})).observe())
    assert ("Degraded", "PodsNotReady") == stands(late)
    assert answers.ready(late)[1].startswith("no progress for 10m: restart: 10 of 10 pods left")
    bare = decide(world.with_status(stable=world.status.stable.model_copy(update={"progress": None})).observe())
    assert ("Progressing", "Restarting") == stands(bare)


@pytest.mark.parametrize(
    ("refusals", "words"),
    [
        (
            ("Pod old-0: Cannot evict pod. The disruption budget web needs 10",),
            "The disruption budget web needs 10; to",
        ),
        (("Pod old-0: no", "Pod old-1: no", "Pod old-2: no"), "Pod old-0: no; and 2 more; to stop"),
    ],
)
def test_a_budget_that_says_no_is_told_and_asked_again(refusals: tuple[str, ...], words: str) -> None:
    """It is never bypassed: the pods stay, the words are the server's, and how to stop it is said."""
    decision = decide(restarting(pods(old=7, new=6)).but(refusals=refusals).observe())

    assert ("Holding", "RestartBlocked") == stands(decision)
    assert words in answers.ready(decision)[1]
    assert answers.ready(decision)[1].endswith("kubectl annotate rollouts.headgate.dev web headgate.dev/abort=now")
    assert ["old-0", "old-1", "old-2"] == evicted(decision)
    assert NOON + 5 == decision.recheck_at
    assert "RestartBlocked" in answers.reasons(decision)


def test_without_replicas_the_surge_is_no_new_size() -> None:
    """Where spec.replicas is absent, as many are wanted as when the restart began."""
    decision = decide(restarting(pods(old=7, new=6)).but(replicas=None).observe())
    assert answers.sizes(decision) == {}
    assert {A: 10} == answers.sizes(decide(restarting(pods(new=13)).but(replicas=None).observe()))


def test_scaling_goes_on() -> None:
    """More replicas count at once, fewer too; no more old pods go than the new size can spare."""
    assert {A: 25} == answers.sizes(decide(restarting(pods(old=7, new=6)).but(replicas=20).observe()))
    fewer = decide(restarting(pods(old=7, new=6)).but(replicas=6).observe())
    assert {A: 8} == answers.sizes(fewer)
    assert 2 == len(evicted(fewer))
    assert decide(restarting((), 0).but(replicas=0).observe()).status.restart is None
    nothing = restarting(None, 0).but(replicas=0, deployments={})
    assert decide(nothing.observe()).status.restart is None
    lost = decide(restarting(None).but(deployments={}).observe())
    assert {A: 10} == answers.sizes(lost)


def test_recreate_says_that_downtime_is_meant() -> None:
    """All pods go, terminating ones included, before the first new one starts."""
    world = restarting(pods(old=3), 10).ruled(policy_of(recreate={}))
    going = decide(world.observe())
    assert {A: 0} == answers.sizes(going)
    assert "restart, downtime is meant: 3 old pods left, terminating ones included" in answers.ready(going)[1]
    coming = decide(world.deployment(A, 10, 2).but(pods=pods(new=2, starting=8)).observe())
    assert "restart, downtime is meant: 2 of 10 new pods ready" == answers.ready(coming)[1]


# --- what goes first --------------------------------------------------------------------------------------------------


def test_a_pause_holds_it() -> None:
    """No pod is taken away; those that came stay."""
    decision = decide(restarting(pods(old=7, new=6)).but(paused=True).observe())

    assert ("Paused", "Paused") == stands(decision)
    assert decision.actions == ()
    assert answers.ready(decision)[1].endswith("; spec.paused is true" + answers.GO_ON)


def test_a_new_version_goes_first() -> None:
    """It begins in the midst of a restart, which follows when it has ended."""
    decision = decide(restarting(pods(old=7, new=6)).wants(B).recorded(B).ruled(policy(20, "pause")).observe())
    assert decision.status.canary is not None
    assert evicted(decision) == []
    assert answers.ready(decision)[1].endswith("; a restart of all pods follows")

    held = decide(restarting(pods(old=7, new=6)).wants(B).recorded(B).but(paused=True).observe())
    assert ("Paused", "Paused") == stands(held)
    assert (evicted(held), answers.sizes(held)) == ([], {})


@pytest.mark.parametrize("refusals", [(), ("Pod old-0: Cannot evict pod as it would violate the budget",)])
def test_so_does_an_earlier_version(refusals: tuple[str, ...]) -> None:
    """What people ask to go back to waits for no restart, which a budget may hold up for ever."""
    restart = api.Restart(since=NOON - 100, asked="now", pods=10, remaining=10)
    world = earlier.second(earlier.roomy()).but(pods=pods(old=10), refusals=refusals).with_status(restart=restart)
    decision = decide(world.told(rollback_to="1").observe())

    assert decision.status.canary is not None
    assert (decision.status.canary.hash, decision.status.canary.is_rollback) == (A, True)
    assert evicted(decision) == []
    assert answers.ready(decision)[1].endswith("; a restart of all pods follows")


def test_a_drill_ends_for_it() -> None:
    """A rehearsal holds nobody up: it is called off at once, unmeasured, and that is no alarm."""
    decision = decide(drilling.holding().told(restart="now").observe())
    canary = decision.status.canary

    assert canary is not None
    assert canary.abort is not None
    assert ("Withdrawn", "RestartWanted") == (canary.abort.ending, canary.abort.reason)
    assert canary.abort.by == f"annotation {names.RESTART}"
    assert answers.said(decision, "RestartRequested").endswith("; the drill that is in flight ends first")
    assert not any(notice.warning for notice in decision.notices)


def test_memory_does_not_feed_on_it() -> None:
    """H4: the pods that start first are extra pods; what an autoscaler makes of their memory waits until they go."""
    found = AutoscalerFacts("web", "Rollout", "web", memory=True, asks=10, by_memory=True, memory_load=Fraction("0.85"))
    world = restarting(pods(old=7, new=6)).but(autoscalers=(found,))
    before = decide(world.observe())
    assert before.status.min_replicas == 10

    more = dataclasses.replace(found, asks=12)
    grown = decide(world.but(status=before.status, replicas=12, autoscalers=(more,)).observe())
    assert (grown.status.ready, grown.status.min_replicas) == ("13/10", 10)
    assert answers.condition(grown, "ScalingHeld") is not None


def test_asked_for_in_flight_it_waits() -> None:
    """The rollout goes first, and so does what is still warm; both are said."""
    flight = decide(World().stable(8).canary(2).at_step(2, since=10).told(restart="now").observe())
    assert flight.status.restart is not None
    assert answers.said(flight, "RestartRequested").endswith("; the rollout that is in flight goes first")
    assert answers.ready(flight)[1].endswith("; a restart of all pods follows")

    later = decide(ways.warm(until=NOON + 60).told(restart="now").observe())
    assert later.status.previous is not None
    assert later.status.restart is not None
    assert ", which is still warm, goes first" in answers.said(later, "RestartRequested")
    assert answers.ready(later)[1].endswith("; a restart of all pods follows")
    assert evicted(later) == []


def test_what_was_taken_back_does_not_hold_it_up() -> None:
    """The spec wants a rejected version; what serves instead is restarted."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="bad", at=NOON - 500)
    world = restarting(pods(old=7, new=6)).wants(B).recorded(B).with_status(rejected=(entry,))

    assert ("Progressing", "Restarting") == stands(decide(world.observe()))
    assert ("RolledBack", "MetricFailed") == stands(decide(world.deployment(A, 10).but(pods=pods(new=10)).observe()))


def test_a_deletion_ends_it() -> None:
    """A Rollout that goes has nothing to restart."""
    decision = decide(restarting(pods(old=7, new=6)).but(deleting=True, finalizers=("somebody",)).observe())

    assert ("released", []) == (decision.rule, evicted(decision))
    assert "restart" not in answers.ready(decision)[1]


def test_a_spec_that_makes_no_sense_does_not_stop_it() -> None:
    """The last accepted rules go on; that the spec is wrong is said first."""
    decision = decide(restarting(pods(old=7, new=6)).but(invalid="wrong").observe())

    assert ("Holding", "InvalidSpec") == stands(decision)
    assert 3 == len(evicted(decision))
    assert NOON + 5 == decision.recheck_at

    begun = decide(World().stable().but(invalid="wrong").told(restart="now").observe())
    assert NOON + 1 == begun.recheck_at


# --- its end ----------------------------------------------------------------------------------------------------------


def test_abort_stops_it() -> None:
    """Old pods that are left stay; what is too many goes, and then the Rollout is as before."""
    world = restarting(pods(old=7, new=6)).told(abort="now")
    decision = decide(world.observe())
    assert "the restart was stopped by command; 10 old pods stay" == answers.said(decision, "RestartStopped")
    assert ({A: 10}, []) == (answers.sizes(decision), evicted(decision))
    assert "restart stopped: 13 pods ready, going to 10" == answers.ready(decision)[1]

    again = decide(aftermath.after(world, decision).but(pods=pods(old=6, new=4)).observe())
    assert again.status.restart is None
    assert "Restarted" not in answers.reasons(again)
    twice = decide(restarting(pods(old=7, new=6), stopped=True).told(abort="now").observe())
    assert "CommandMismatch" in answers.reasons(twice)


@pytest.mark.parametrize("world", [World().stable(), restarting(pods(old=10)).told(abort=A)])
def test_abort_of_something_else(world: World) -> None:
    """Without a restart there is nothing to stop, and a revision is no restart."""
    decision = decide(world.but(commands={names.ABORT: A}).observe())

    assert "CommandMismatch" in answers.reasons(decision)


def test_abort_in_flight_is_about_the_rollout() -> None:
    """The canary is taken back; the restart that waits stays."""
    world = World().stable(8).canary(2).at_step(2, since=10).told(abort="now")
    waiting = world.with_status(restart=api.Restart(since=NOON - 5, pods=10))
    decision = decide(waiting.observe())

    assert api.Ending.ABORTED is answers.ending(decision)
    assert decision.status.restart is not None


def test_a_clock_set_back_makes_no_pod_old_for_ever() -> None:
    """A restart from the future would replace pods again and again."""
    world = restarting(pods(new=10), 10).but(clock_set_back=True)
    future = api.Restart(since=NOON + 3600, pods=10)
    decision = decide(world.with_status(restart=future).observe())

    assert decision.status.restart is None or decision.status.restart.since <= NOON


@pytest.mark.parametrize(("idle", "going", "again"), [(90, 20, 0.5), (15, 15, 5.0)])
def test_what_one_pass_leaves_is_looked_at_soon(idle: int, going: int, again: float) -> None:
    """Where more pods may go than one pass takes, the next one follows in half a second; else in five."""
    found = tuple(PodFacts(f"old-{number}", f"uid-{number}", OLD, None, leaving=False) for number in range(idle))
    loose = policy(20, unavailable="100%")
    decision = decide(restarting(found, 100, 0).but(replicas=100, spec_policy=loose).observe())

    assert going == len(evicted(decision))
    assert NOON + again == decision.recheck_at
