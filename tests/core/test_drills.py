"""Drills: what starts one, what it does, what ends it, and what it leaves behind."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import pytest

from headgate.api import names, spec
from headgate.api import status as api
from headgate.api.drill import Drill
from headgate.api.traffic import Traffic
from headgate.core import actions, drills, manifests, model, revisions, schedules
from headgate.core.decide import decide
from tests.core import aftermath, answers, ways
from tests.core.worlds import NOON, PLAN, A, B, World, metric, policy, policy_of

DRILL: Final = revisions.drill_hash(A)
EVERY_MINUTE: Final = Drill.model_validate({"schedule": "* * * * *", "within": "30s"})
SCHEDULED: Final = PLAN.model_copy(update={"drill": EVERY_MINUTE})
WATCHED: Final = policy(20, "pause", 50, metrics=(metric(),))


def resting(by: spec.Policy = PLAN) -> World:
    """Return a world at rest."""
    world, _ = aftermath.settled(World().stable().ruled(by))
    return world


def told(world: World | None = None, value: str = "now") -> World:
    """Return a world in which somebody asked for a drill."""
    return (world or resting()).told(drill=value)


def drilling(by: spec.Policy = PLAN, **pods: Any) -> World:
    """Return a world in which a drill is on its way, its two pods ready unless said otherwise."""
    world = told(resting(by))
    world = aftermath.after(world, decide(world.observe()))
    world = world.deployment(A, 8).deployment(DRILL, 2, **{"drill": True, **pods})
    return world.but(now=world.now + 10)


def holding(by: spec.Policy = PLAN) -> World:
    """Return a world in which a drill's weight holds since this very second."""
    world = drilling(by)
    return world.with_status(weight=api.Weight(desired=20, since=int(world.now)))


def leaving(by: spec.Policy = PLAN) -> World:
    """Return a world in which the breach was put into the verdict five seconds ago."""
    world = holding(by)
    return aftermath.after(world, decide(world.observe()))


def routed() -> World:
    """Return the same with a router: the weight is 20 % and in effect, and the breach is to come."""
    world = drilling().deployment(A, 10)
    world = ways.routed(world, 20, 50, ways=ways.at_weight(20, 2).facts, remembered=ways.known(20))
    seen = ways.facts(canary=ways.service(ways.CANARY, DRILL, {DRILL: 2}), route=ways.route(ways.rule(80, 20)))
    return world.but(traffic=seen).with_status(weight=api.Weight(desired=20, since=int(world.now)))


# --- the start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [A, "now", f" {A}\n"])
def test_a_drill_starts_by_command(value: str) -> None:
    """A canary of the stable template starts, under a hash of its own, with the strategy's first weight."""
    world = told(value=value)
    decision = decide(world.observe())
    canary = decision.status.canary
    assert canary is not None
    assert canary.drill is not None

    assert (canary.hash, canary.revision, canary.drill.of, canary.drill.within_seconds) == (DRILL, 1, A, 60)
    assert (answers.weight(decision), decision.status.phase) == (20, api.Phase.DRILLING)
    assert actions.CreateDeployment(DRILL, 1, 2, A) in decision.actions
    assert answers.said(decision, "DrillStarted") == (
        f"drill of revision 1 ({DRILL}): weight 20 %, by annotation headgate.dev/drill"
    )
    assert isinstance(decision.actions[-1], actions.RemoveCommand)


def test_its_pods_are_marked() -> None:
    """Deployment and pods of a drill bear a label that says so, and the template is not touched otherwise."""
    rollout = World().observe().rollout
    plain = manifests.deployment(rollout, rollout.template, DRILL, 1, 2, 0)
    marked = manifests.drilled(plain)

    assert marked["metadata"]["labels"].pop(names.DRILL) == "true"
    assert marked["spec"]["template"]["metadata"]["labels"].pop(names.DRILL) == "true"
    assert marked == plain


@pytest.mark.parametrize(
    ("by", "percent"),
    [
        (PLAN, 20),
        (policy(0, 5, 80), 5),
        (policy(), 10),
        (policy_of(rollingUpdate={}), 10),
        (policy_of(blueGreen={}, traffic=ways.TRAFFIC), 10),
    ],
)
def test_how_much_it_gets(by: spec.Policy, percent: int) -> None:
    """A drill gets what the first step gives that gives a part; where none does, a tenth."""
    assert drills.percent(by) == percent


def _blue_green() -> spec.Policy:
    services = Traffic.model_validate({"stableService": "web", "canaryService": "web-canary"})
    return policy_of(blueGreen={}, traffic=services)


OBSTACLES: Final[tuple[tuple[str, Callable[[], World], str, str], ...]] = (
    ("another hash", resting, B, f"stable is {A}; headgate.dev/drill={A} or headgate.dev/drill=now would match"),
    ("first revision", lambda: World().first(), "now", "there is no stable revision yet"),
    ("in flight", lambda: World().stable(8).canary(2), "now", f"revision {B} is in flight"),
    ("drilling", drilling, A, f"a drill {DRILL} is in flight"),
    ("recreate", lambda: resting(policy_of(recreate={})), "now", "a drill must harm nobody"),
    ("one switch for all", lambda: resting().ruled(_blue_green()), "now", "a drill must harm nobody"),
    ("deleted", lambda: resting().but(deleting=True, finalizers=("other",)), "now", "the Rollout is being deleted"),
    ("paused", lambda: resting().but(paused=True), "now", "spec.paused is true"),
    ("no replicas", lambda: resting().but(replicas=0), "now", "there are no pods: replicas is 0"),
    ("warm", ways.warm, "now", "revision 1 is still warm"),
    ("lost", lambda: resting().but(templates={}, written=B), "now", "the template of revision 1 is not on record"),
    ("wants another", lambda: resting().wants(B), "now", "the spec wants another revision than the one that is stable"),
    ("invalid", lambda: resting().but(invalid="spec.x: wrong"), "now", "it is not at rest: spec.x: wrong"),
    ("refused", lambda: resting().but(refusals=("no",)), "now", "it is not at rest: no"),
    ("pods missing", lambda: resting().deployment(A, 10, 9), "now", "it is not at rest: 9 of 10 stable pods ready"),
)


@pytest.mark.parametrize(("world", "value", "why"), [row[1:] for row in OBSTACLES], ids=[row[0] for row in OBSTACLES])
def test_what_is_in_the_way(world: Callable[[], World], value: str, why: str) -> None:
    """A drill starts only at rest and where it harms nobody; a command that cannot be followed says why, once."""
    asked = told(world(), value)
    decision = decide(asked.observe())

    assert why in answers.said(decision, "CommandMismatch")
    assert "DrillStarted" not in answers.reasons(decision)


def test_nothing_is_promoted_by_a_drill() -> None:
    """The commands that lead on do not match a drill, and abort does."""
    for command in ({"promote": f"{DRILL}/1"}, {"promote_full": DRILL}):
        decision = decide(drilling().told(**command).observe())
        assert answers.said(decision, "CommandMismatch").endswith(
            f"in flight is a drill, which nothing promotes; headgate.dev/abort={DRILL} ends it"
        )
    decision = decide(drilling().told(abort=DRILL).observe())
    assert answers.ending(decision) is api.Ending.ABORTED
    assert decision.status.rejected == ()


# --- on its way and back ----------------------------------------------------------------------------------------------


def test_a_drill_from_beginning_to_end() -> None:
    """It takes its weight, is breached, goes, and leaves a record and nothing else; all the time the spec is served."""
    world, told_of = told(resting(SCHEDULED)), []
    phases = []
    for _ in range(20):
        decision = decide(world.observe())
        told_of += answers.reasons(decision)
        phases.append(decision.status.phase)
        ready = answers.condition(decision, "Ready")
        assert ready is not None
        assert ready.status == "True"
        assert answers.condition(decision, "Reconciling") is None
        world = aftermath.after(world, decision, 1)
        marked = {hash_: dataclasses.replace(facts, drill=hash_ == DRILL) for hash_, facts in world.deployments.items()}
        world = world.but(deployments=marked)
    assert told_of == ["DrillStarted", "DrillEnds", "DrillKept", "DrillEnded"]
    assert set(phases) == {api.Phase.DRILLING, api.Phase.HEALTHY}

    (entry,) = world.status.history
    assert (entry.revision, entry.hash, entry.outcome) == (1, A, api.Ending.DRILLED)
    assert entry.by == "annotation headgate.dev/drill"
    assert entry.drill is not None
    assert entry.drill.kept
    assert entry.message == f"all traffic was back {entry.drill.took_seconds:g} s after the breach; 30s are allowed"
    assert (world.status.rejected, world.status.canary, set(world.deployments)) == ((), None, {A})
    rehearsed = answers.condition(decide(world.observe()), "Rehearsed")
    assert rehearsed is not None
    assert (rehearsed.status, rehearsed.reason) == ("True", "DrillKept")


def test_the_breach_comes_when_the_weight_holds() -> None:
    """Not before it has settled, and then at once; what follows is as urgent as any way back."""
    early = holding()
    early = early.with_status(
        weight=api.Weight(desired=20, since=int(early.now) + 1),
        step=api.StepStatus(index=1, of=1, text="drill", since=int(early.now)),
    )
    first = decide(early.observe())
    assert (first.rule, first.recheck_at) == ("holding", early.now + 1)
    assert answers.ready(first) == ("Drilling", "drill of revision 1: its weight settles")

    decision = decide(holding().observe())
    canary = decision.status.canary
    assert canary is not None
    assert canary.drill is not None
    assert (answers.ending(decision), decision.urgent) == (api.Ending.DRILLED, True)
    assert canary.drill.breached == holding().now
    assert answers.sizes(decision) == {A: 10}
    assert (
        answers.said(decision, "DrillEnds") == "drill of revision 1: a breach was put into the verdict, at weight 20 %"
    )


def test_what_it_waits_for_is_told() -> None:
    """On its way it waits for what any canary waits for, and says that it is a drill."""
    decision = decide(drilling(ready=1).deployment(A, 10).observe())
    assert answers.ready(decision) == ("WaitingForPods", "drill of revision 1: 1 of 2 canary pods ready")
    assert decision.status.phase is api.Phase.DRILLING


def test_by_pod_ratio_it_is_back_when_its_pods_are_gone() -> None:
    """Without a route, users reach a pod until it goes: that is what the time is measured by."""
    world = leaving().deployment(A, 10)
    for facts in ({"wanted": 1}, {"wanted": 0, "pods": 1}, {"wanted": 0, "settled": False}):
        wanted = int(facts.pop("wanted"))
        decision = decide(world.deployment(DRILL, wanted, drill=True, **facts).observe())
        assert decision.status.canary is None or decision.status.canary.drill.took_seconds is None  # type: ignore[union-attr]
    gone = decide(world.deployment(DRILL, 0, drill=True).observe())
    assert gone.status.history[0].drill is not None
    assert gone.status.history[0].drill.took_seconds == 5


def test_behind_a_route_it_is_back_when_the_gateways_agree() -> None:
    """With a route, it is over once every Gateway has accepted it; the drain is not waited for."""
    world = routed()
    first = decide(world.observe())
    assert [action.percent for action in first.actions if isinstance(action, actions.SetWeights)] == [0]
    later = world.but(now=world.now + 1.25, status=first.status)

    unanswered = ways.route(ways.rule(100, 0), parents=(ways.parent(current=False),))
    seen = dataclasses.replace(later.traffic, routes={("HTTPRoute", "web"): unanswered})  # type: ignore[type-var]
    waits = decide(later.but(traffic=seen).observe()).status.canary
    assert waits is not None
    assert waits.drill is not None
    assert waits.drill.took_seconds is None

    seen = dataclasses.replace(later.traffic, routes={("HTTPRoute", "web"): ways.route()})  # type: ignore[type-var]
    accepted = decide(later.but(traffic=seen).observe())
    assert accepted.status.canary is not None
    assert accepted.status.canary.drill is not None
    assert (accepted.status.canary.drill.took_seconds, accepted.status.canary.drill.kept) == (1.25, True)
    assert accepted.write_status
    again = decide(later.but(traffic=seen, now=later.now + 5, status=accepted.status).observe())
    assert again.status.canary is not None
    assert again.status.canary.drill == accepted.status.canary.drill


def test_too_slow() -> None:
    """Longer than is allowed: a Warning, and a condition until a drill is in time."""
    world = leaving(SCHEDULED).deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.but(now=world.now + 40.5).observe())
    (notice,) = [notice for notice in decision.notices if notice.reason == "DrillMissed"]
    assert notice.warning
    assert notice.message == "drill of revision 1: all traffic was back 45.5 s after the breach; 30s are allowed"
    rehearsed = answers.condition(decision, "Rehearsed")
    assert rehearsed is not None
    assert (rehearsed.status, rehearsed.reason) == ("False", "DrillMissed")


def test_a_clock_that_was_set_back() -> None:
    """A time that would be less than nothing is nothing."""
    world = leaving().deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.but(now=world.now - 60, clock_set_back=True).observe())
    assert decision.status.history[0].drill is not None
    assert decision.status.history[0].drill.took_seconds == 0


# --- what ends it -----------------------------------------------------------------------------------------------------


def crashing() -> World:
    """Return a world in which the pods of a drill have not come up for a while."""
    world = told()
    world = aftermath.after(world, decide(world.observe()), ready=False)
    world = aftermath.after(world, decide(world.observe()), 40, ready=False)
    return world.but(trouble=model.PodTrouble("web-x: CrashLoopBackOff", hopeless=True))


def _with_metric(world: World) -> World:
    return world.knows(failures=2, verdict=api.Outcome.FAILED, value="1")


ENDS: Final[tuple[tuple[str, Callable[[], World], api.Ending, str, str], ...]] = (
    ("newer", lambda: drilling().wants(B), api.Ending.WITHDRAWN, "Superseded", "the template was changed"),
    (
        "unknown",
        lambda: drilling().but(target=model.Target(model.Identity.UNKNOWN), written=B),
        api.Ending.WITHDRAWN,
        "Superseded",
        "the template was changed",
    ),
    ("paused", lambda: drilling().but(paused=True), api.Ending.WITHDRAWN, "Paused", "spec.paused is true"),
    ("invalid", lambda: drilling().but(invalid="wrong"), api.Ending.WITHDRAWN, "SpecChanged", "the spec was changed"),
    (
        "another way",
        lambda: drilling().but(policy_waits=True),
        api.Ending.WITHDRAWN,
        "SpecChanged",
        "the spec was changed",
    ),
    (
        "no replicas",
        lambda: drilling().but(replicas=0).with_status(scale_floor=0),
        api.Ending.WITHDRAWN,
        "NoReplicas",
        "there are no pods any more: replicas is 0",
    ),
    ("refused", lambda: drilling().but(refusals=("quota",)), api.Ending.WITHDRAWN, "WriteRefused", "quota"),
    (
        "route gone",
        lambda: routed().but(traffic=ways.facts(route=None)),
        api.Ending.WITHDRAWN,
        "RouteMissing",
        "",
    ),
    (
        "stable pods fail",
        lambda: drilling().deployment(A, 8, 5),
        api.Ending.WITHDRAWN,
        "PodsNotReady",
        "7 pods ready, at least 10 needed",
    ),
    (
        "no weight for long",
        lambda: drilling(ready=2, settled=True).but(now=NOON + 2000).deployment(A, 9),
        api.Ending.WITHDRAWN,
        "DrillTimedOut",
        "it has not had its weight for 10m: ",
    ),
    (
        "crash",
        crashing,
        api.Ending.ROLLED_BACK,
        "PodsCannotStart",
        "the new pods cannot start: 0 of 2 pods ready: web-x: CrashLoopBackOff",
    ),
    (
        "breach",
        lambda: _with_metric(drilling(WATCHED)),
        api.Ending.ROLLED_BACK,
        "MetricFailed",
        "metric errors failed 2 times in a row: 1, allowed is <= 0.01",
    ),
    (
        "deleted",
        lambda: drilling().but(deleting=True),
        api.Ending.DELETED,
        "Deleted",
        "the Rollout is being deleted",
    ),
)


@pytest.mark.parametrize(
    ("world", "ending", "reason", "message"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS]
)
def test_what_ends_it(world: Callable[[], World], ending: api.Ending, reason: str, message: str) -> None:
    """Whatever else there is to do or to see to ends a drill at once, and is never held against the stable version."""
    decision = decide(world().observe())
    canary = decision.status.canary
    assert canary is not None
    assert canary.leaving is not None
    assert canary.drill is not None

    assert (canary.leaving.ending, canary.leaving.reason) == (ending, reason)
    assert canary.leaving.message.startswith(message)
    assert canary.drill.breached is None
    assert (decision.status.rejected, decision.urgent or world().deleting) == ((), True)


def test_users_called_it_off_or_something_is_wrong() -> None:
    """A drill that ends for what somebody wants is no news; one that ends by itself is a Warning."""
    alarming = {
        name: any(notice.warning for notice in decide(world().observe()).notices if notice.reason == "DrillEnds")
        for name, world, *_ in ENDS
    }
    wanted = {"newer", "unknown", "paused", "invalid", "another way", "no replicas", "deleted"}
    assert {name for name, warns in alarming.items() if not warns} == wanted


def test_a_drill_that_was_called_off_is_no_result() -> None:
    """It stands in the history by how it ended, and says nothing of how long going back takes."""
    world = drilling().wants(B)
    world = aftermath.after(world, decide(world.observe())).deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.observe())
    entry = decision.status.history[0]
    assert (entry.outcome, entry.message, entry.hash) == (api.Ending.WITHDRAWN, "the template was changed", A)
    assert entry.drill is not None
    assert entry.drill.kept is None
    assert answers.condition(decision, "Rehearsed") is None
    assert decision.status.canary is not None
    assert decision.status.canary.hash == B


def test_a_drill_leaves_room_in_the_history() -> None:
    """However many drills there are, three of them are kept at most, and no rollout goes for their sake."""
    promoted = api.HistoryEntry(revision=1, hash=A, outcome=api.Ending.PROMOTED, started=NOON, finished=NOON)
    drill = api.Drill(of=A, within_seconds=60)
    earlier = tuple(
        promoted.model_copy(update={"drill": drill, "started": NOON - at, "outcome": api.Ending.DRILLED})
        for at in range(4)
    )
    world = leaving().deployment(A, 10).deployment(DRILL, 0, drill=True)
    world = world.with_status(history=(*earlier, *(promoted,) * 6))
    outcomes = [entry.outcome for entry in decide(world.observe()).status.history]
    assert [outcomes.count(one) for one in (api.Ending.DRILLED, api.Ending.PROMOTED)] == [3, 6]


def test_its_deployment_goes_afterwards() -> None:
    """Nothing of a drill is kept as a revision to go back to, nor taken for one where the status is lost."""
    world = resting().deployment(DRILL, 0, drill=True)
    assert actions.DeleteDeployment(DRILL) in decide(world.observe()).actions
    lost = World().deployment(A, 10).deployment(DRILL, 10, drill=True).but(status=api.RolloutStatus())
    found = decide(lost.observe()).status.stable
    assert found is not None
    assert found.hash == A


def test_an_edit_of_the_steps_leaves_a_drill_where_it_is() -> None:
    """A drill is at no step of the strategy, so that other steps are nothing to it."""
    decision = decide(drilling(ready=1).deployment(A, 10).edited(policy(5, 50)).observe())
    assert decision.status.step is not None
    assert (decision.status.step.text, answers.weight(decision)) == ("drill", 20)


# --- the schedule -----------------------------------------------------------------------------------------------------


def scheduled(due: int, **changes: Any) -> World:
    """Return a world whose next drill is due at *due*, as the status remembers, and in a minute from now again."""
    known = api.DrillSchedule(schedule="* * * * * UTC", next=due)
    world = resting(SCHEDULED).with_status(drill=known)
    return world.but(**{"next_drill": int(world.now) // 60 * 60 + 60, **changes})


def test_a_schedule_counts_from_when_it_is_seen() -> None:
    """A new schedule, or another one, looks ahead only; without one there is nothing to look for."""
    world = resting(SCHEDULED)
    world = world.but(next_drill=int(world.now) + 60)
    decision = decide(world.observe())
    assert decision.status.drill == api.DrillSchedule(schedule="* * * * * UTC", next=int(world.now) + 60)
    assert decision.write_status
    assert decision.recheck_at is not None
    assert decision.recheck_at <= world.now + 60

    other = world.with_status(drill=api.DrillSchedule(schedule="0 4 * * * UTC", next=NOON - 100))
    assert decide(other.observe()).status.drill == decision.status.drill
    without = resting().with_status(drill=decision.status.drill)
    assert decide(without.observe()).status.drill is None
    invalid = world.but(next_drill=None)
    assert decide(invalid.observe()).status.drill is None


def test_a_clock_set_back_brings_the_next_one_nearer() -> None:
    """What is stored may lie far ahead of what the schedule says; the schedule wins."""
    world = scheduled(NOON + 90_000)
    assert decide(world.observe()).status.drill == api.DrillSchedule(
        schedule="* * * * * UTC", next=world.next_drill or 0
    )


def test_one_that_is_due_starts() -> None:
    """It starts when it is due, and the one after it is looked for."""
    due = int(resting(SCHEDULED).now) - 5
    world = scheduled(due)
    decision = decide(world.observe())
    assert decision.status.canary is not None
    assert decision.status.canary.drill is not None
    assert (decision.status.canary.drill.by, decision.status.canary.drill.within_seconds) == ("spec.drill.schedule", 30)
    assert decision.status.drill is not None
    assert decision.status.drill.next == world.next_drill


def test_one_that_cannot_start_waits_for_a_while() -> None:
    """While something is in the way, a due drill waits; after ten minutes it is skipped, with a Warning, once."""
    now = int(resting(SCHEDULED).now)
    waits = decide(scheduled(now - 5, paused=True).observe())
    assert (waits.status.canary, "DrillSkipped" in answers.reasons(waits)) == (None, False)
    assert waits.recheck_at is not None
    assert waits.recheck_at <= now - 5 + schedules.LATE_SECONDS + 1

    late = decide(scheduled(now - 700, paused=True).observe())
    assert answers.said(late, "DrillSkipped").endswith("did not start within 10m: spec.paused is true")
    assert late.status.drill is not None
    assert late.status.drill.next > now
    missed = decide(scheduled(now - 700).observe())
    assert answers.said(missed, "DrillSkipped").endswith("did not start within 10m: nobody was there to start it")
    assert missed.status.canary is None


def test_nothing_is_made_up_for() -> None:
    """What came due while a drill was in flight is passed over when it ends."""
    world = leaving(SCHEDULED).deployment(A, 10).deployment(DRILL, 0, drill=True)
    due = api.DrillSchedule(schedule="* * * * * UTC", next=int(world.now) - 10)
    world = world.with_status(drill=due).but(next_drill=int(world.now) + 50)
    decision = decide(world.observe())
    assert decision.status.canary is None
    assert decision.status.drill is not None
    assert decision.status.drill.next == int(world.now) + 50


def test_nothing_is_due_before_there_is_a_stable_revision() -> None:
    """While the first revision starts, a schedule only looks ahead."""
    world = World().first().ruled(SCHEDULED).but(next_drill=NOON + 30)
    known = api.DrillSchedule(schedule="* * * * * UTC", next=NOON - 30)
    decision = decide(world.with_status(drill=known).observe())
    assert decision.status.drill == known
