"""Drills: what starts one, what it does, and what it leaves behind."""

import dataclasses
from collections.abc import Callable
from typing import Final

import pytest

from headgate.api import names, spec
from headgate.api import status as api
from headgate.api.traffic import Traffic
from headgate.core import model
from headgate.core.model import actions
from headgate.core.revisions import manifests
from headgate.core.rollout.decide import decide
from headgate.core.rollout.rules import drills
from tests.core import aftermath, answers, ways
from tests.core.drilling import DRILL, SCHEDULED, drilling, holding, leaving, resting, routed, told
from tests.core.worlds import PLAN, A, B, World, policy, policy_of

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


UNKNOWN: Final = model.Target(model.Identity.UNKNOWN)
OBSTACLES: Final[tuple[tuple[str, Callable[[], World], str, str], ...]] = (
    ("another hash", resting, B, f"stable is {A}; headgate.dev/drill={A} or headgate.dev/drill=now would match"),
    ("first revision", lambda: World().first(), "now", "there is no stable revision yet"),
    ("in flight", lambda: World().stable(8).canary(2), "now", f"revision {B} is in flight"),
    ("drilling", drilling, A, f"a drill {DRILL} is in flight"),
    ("recreate", lambda: resting(policy_of(recreate={})), "now", "a drill must not harm users"),
    ("one switch for all", lambda: resting().ruled(_blue_green()), "now", "a drill must not harm users"),
    ("deleted", lambda: resting().but(deleting=True, finalizers=("other",)), "now", "the Rollout is being deleted"),
    ("paused", lambda: resting().but(paused=True), "now", "spec.paused is true"),
    ("no replicas", lambda: resting().but(replicas=0), "now", "there are no pods: replicas is 0"),
    ("warm", ways.warm, "now", "revision 1 is still warm"),
    ("lost", lambda: resting().but(templates={}, target=UNKNOWN), "now", "the template of revision 1 is not on record"),
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
    assert told_of == ["DrillStarted", "DrillEnds", "DrillSucceeded", "DrillEnded"]
    assert set(phases) == {api.Phase.DRILLING, api.Phase.HEALTHY}

    (entry,) = world.status.history
    assert (entry.revision, entry.hash, entry.outcome) == (1, A, api.Ending.DRILLED)
    assert entry.by == "annotation headgate.dev/drill"
    assert entry.drill is not None
    assert entry.drill.within_target
    assert entry.message == f"all traffic was back {entry.drill.rollback_seconds:g} s after the breach, allowed is 30s"
    assert (world.status.rejected, world.status.canary, set(world.deployments)) == ((), None, {A})
    rehearsed = answers.condition(decide(world.observe()), "DrillSucceeded")
    assert rehearsed is not None
    assert (rehearsed.status, rehearsed.reason) == ("True", "DrillSucceeded")


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
    assert canary.drill.injected_at == holding().now
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
    for left in (
        world.deployment(DRILL, 1, drill=True),
        world.deployment(DRILL, 0, 0, pods=1, drill=True),
        world.deployment(DRILL, 0, settled=False, drill=True),
    ):
        assert {"DrillSucceeded", "DrillFailed"}.isdisjoint(answers.reasons(decide(left.observe())))
    gone = decide(world.deployment(DRILL, 0, drill=True).observe())
    assert gone.status.history[0].drill is not None
    assert gone.status.history[0].drill.rollback_seconds == 5


def test_behind_a_route_it_is_back_when_the_gateways_agree() -> None:
    """With a route, it is over once every Gateway has accepted it; the drain is not waited for."""
    world = routed()
    first = decide(world.observe())
    assert [action.percent for action in first.actions if isinstance(action, actions.SetWeights)] == [0]
    later = world.but(now=world.now + 1.25, status=first.status)

    there = later.traffic or ways.facts()
    unanswered = ways.route(ways.rule(100, 0), parents=(ways.parent(current=False),))
    seen = dataclasses.replace(there, routes={("HTTPRoute", "web"): unanswered})
    waits = decide(later.but(traffic=seen).observe()).status.canary
    assert waits is not None
    assert waits.drill is not None
    assert waits.drill.rollback_seconds is None

    seen = dataclasses.replace(there, routes={("HTTPRoute", "web"): ways.route()})
    accepted = decide(later.but(traffic=seen).observe())
    assert accepted.status.canary is not None
    assert accepted.status.canary.drill is not None
    assert (accepted.status.canary.drill.rollback_seconds, accepted.status.canary.drill.within_target) == (1.25, True)
    assert accepted.write_status
    again = decide(later.but(traffic=seen, now=later.now + 5, status=accepted.status).observe())
    assert again.status.canary is not None
    assert again.status.canary.drill == accepted.status.canary.drill


def test_too_slow() -> None:
    """Longer than is allowed: a Warning, and a condition until a drill is in time."""
    world = leaving(SCHEDULED).deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.but(now=world.now + 40.5).observe())
    (notice,) = [notice for notice in decision.notices if notice.reason == "DrillFailed"]
    assert notice.warning
    assert notice.message == "drill of revision 1: all traffic was back 45.5 s after the breach, allowed is 30s"
    rehearsed = answers.condition(decision, "DrillSucceeded")
    assert rehearsed is not None
    assert (rehearsed.status, rehearsed.reason) == ("False", "DrillFailed")
    assert rehearsed.message.endswith("Z: all traffic was back 45.5 s after the breach, allowed is 30s")


def test_a_clock_that_was_set_back() -> None:
    """A time that would be less than nothing is nothing."""
    world = leaving().deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.but(now=world.now - 60, clock_set_back=True).observe())
    assert decision.status.history[0].drill is not None
    assert decision.status.history[0].drill.rollback_seconds == 0
