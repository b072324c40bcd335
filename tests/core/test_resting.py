"""Without a canary beside a stable revision: the first one, a start, rejection, rest."""

import dataclasses

import pytest

from headgate.api import status as api
from headgate.core.model import PodTrouble
from headgate.core.model.actions import CreateDeployment, RecordPolicy, RecordTemplate
from headgate.core.rollout.decide import decide
from headgate.core.rollout.rules import at_rest
from headgate.core.rollout.state import Situation
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, C, World, metric, policy, policy_hash


def new(**changes: object) -> World:
    """Return a world in which a Rollout was just applied."""
    return World(accepted=None, status=api.RolloutStatus()).but(**changes)


def test_the_first_revision() -> None:
    """A new Rollout records its template and policy, creates its pods at once, and says what it waits for."""
    decision = decide(new().observe())

    assert decision.records == (RecordTemplate(A, 1), RecordPolicy(policy_hash(new().spec_policy)))
    assert decision.actions == (CreateDeployment(A, 1, 10),)
    assert answers.ready(decision) == ("FirstRevision", "first revision: 0 of 10 pods ready")
    assert decision.status.phase is api.Phase.PENDING
    assert answers.reasons(decision) == ["RolloutStarted"]
    assert decision.status.canary is not None
    assert decision.status.canary.images == (f"web:{A}",)
    available = answers.condition(decision, "Available")
    assert available is not None
    assert available.status == "False"


@pytest.mark.parametrize(("replicas", "size"), [(None, 1), (3, 3)])
def test_how_many_pods_at_first(replicas: int | None, size: int) -> None:
    """Without a number of replicas there is one pod at first."""
    assert answers.sizes(decide(new(replicas=replicas).observe())) == {A: size}


def test_the_first_revision_is_stable_once_all_its_pods_are_ready() -> None:
    """All pods ready make the first revision stable, whatever the steps say."""
    assert decide(World().first(10, 9).observe()).status.stable is None
    decision = decide(World().first(10, 10).observe())
    assert decision.status.stable is not None
    assert decision.status.phase is api.Phase.HEALTHY
    assert [(entry.outcome, entry.reason) for entry in decision.status.history] == [
        (api.Ending.PROMOTED, "FirstRevision")
    ]
    assert answers.said(decision, "Promoted") == "revision 1 is stable: it is the first"


def test_the_first_revision_is_scaled() -> None:
    """The first revision follows spec.replicas, and is not done before it has them."""
    decision = decide(World().but(replicas=12).first(10, 10).observe())

    assert answers.sizes(decision) == {A: 12}
    assert decision.status.stable is None


@pytest.mark.parametrize(("age", "phase"), [(599, api.Phase.PENDING), (600, api.Phase.DEGRADED)])
def test_a_first_revision_that_does_not_start(age: float, phase: api.Phase) -> None:
    """There is nothing to go back to: past the deadline it is told with the pods' words, and pods are still awaited."""
    world = World().first(10, 4, age=age).but(trouble=PodTrouble("web-x: crash", hopeless=True))
    decision = decide(world.observe())

    assert decision.status.phase is phase
    message = "first revision: 4 of 10 pods ready: web-x: crash"
    late = f"no progress for 10m, and nothing to go back to; {message}; apply another template: it is tried at once"
    assert answers.ready(decision)[1] == (late if phase is api.Phase.DEGRADED else message)
    assert (answers.condition(decision, "Stalled") is not None) == (phase is api.Phase.DEGRADED)
    assert decision.recheck_at == (None if phase is api.Phase.DEGRADED else NOON + 1)
    assert decide(world.deployment(A, 10).but(trouble=None).observe()).status.stable is not None


def test_an_invalid_spec_holds_the_first_revision() -> None:
    """A spec that became invalid while the first revision starts is told; its pods go on."""
    decision = decide(World().first(10, 4).but(invalid="wrong").observe())

    assert answers.ready(decision) == ("InvalidSpec", "wrong")
    assert answers.sizes(decision) == {}


def test_a_first_revision_that_is_replaced() -> None:
    """A template changed before the first revision was ready starts the other one as the first, not as a canary."""
    world = World().first(10, 3).wants(B)
    decision = decide(world.observe())
    assert decision.status.stable is None
    assert decision.status.canary is not None
    assert (decision.status.canary.hash, decision.status.canary.revision) == (B, 2)
    assert [(entry.hash, entry.outcome) for entry in decision.status.history] == [(A, api.Ending.SUPERSEDED)]
    assert answers.sizes(decision) == {B: 10}

    end, _ = aftermath.settled(world)
    assert end.status.stable is not None
    assert end.status.stable.hash == B
    assert end.deployments[A].replicas == 0


def test_pods_of_a_replaced_first_revision_stay_while_they_serve() -> None:
    """Ready pods of the revision that was replaced go once the other one carries everybody; others go at once."""
    world = World().first(10, 3).wants(B)
    replaced = aftermath.after(world, decide(world.observe()), ready=False)
    assert answers.sizes(decide(replaced.observe())) == {}
    useless = replaced.deployment(A, 10, 0)
    assert answers.sizes(decide(useless.observe())) == {A: 0}


def test_recovered() -> None:
    """A Rollout whose status was lost, or that adopts orphans, takes what serves as stable; no pod is touched."""
    world = new().deployment(A, 10, owner="").deployment(B, 2).wants(A)
    decision = decide(world.observe())
    assert decision.status.stable is not None
    assert (decision.status.stable.hash, decision.status.stable.revision) == (A, 1)
    assert answers.said(decision, "Recovered") == "revision 1 was found serving with 10 ready pods"
    assert answers.sizes(decision) == {B: 0}


@pytest.mark.parametrize(
    ("deployments", "expected"),
    [
        ({A: (10, 10, ""), B: (2, 2, "")}, A),
        ({A: (4, 4, ""), B: (6, 6, "")}, B),
        ({A: (5, 5, ""), B: (5, 5, "")}, A),
        ({A: (10, 1, ""), B: (10, 2, "")}, B),
        ({A: (4, 4, ""), B: (6, 6, f"{B}/1")}, A),
        ({A: (4, 0, ""), B: (6, 6, f"{B}/1")}, B),
        ({A: (10, 0, "")}, None),
    ],
)
def test_which_revision_is_recovered(deployments: dict[str, tuple[int, int, str]], expected: str | None) -> None:
    """Most ready pods win, the older revision in a tie; one that was taken back only if nothing else serves."""
    world = new()
    for hash_, (wanted, ready, mark) in deployments.items():
        world = world.deployment(hash_, wanted, ready, rejected=mark)
    stable = decide(world.observe()).status.stable

    assert (stable.hash if stable else None) == expected


def test_what_is_being_deleted_is_not_recovered() -> None:
    """A Deployment that is on its way out is no stable revision."""
    assert decide(new().deployment(B, 10, deleting=True).observe()).status.stable is None


def test_rest() -> None:
    """A healthy Rollout says so, with numbers, and wants nothing."""
    world, _ = aftermath.settled(World().stable())
    decision = decide(world.observe())
    assert answers.ready(decision) == ("Healthy", "revision 1 serves with 10 of 10 pods ready")
    assert (decision.recheck_at, decision.write_status, decision.actions, decision.notices) == (None, False, (), ())
    conditions = {known.type: known.status for known in decision.status.conditions}
    assert conditions == {"Available": "True", "Ready": "True"}


@pytest.mark.parametrize(
    ("replicas", "wanted", "size"), [(12, 10, 12), (7, 10, 7), (0, 10, 0), (None, 10, None), (None, 4, None)]
)
def test_scaling_at_rest(replicas: int | None, wanted: int, size: int | None) -> None:
    """At rest stable follows spec.replicas; where that is absent it keeps the size it has."""
    decision = decide(World().stable(wanted).but(replicas=replicas).observe())

    assert answers.sizes(decision) == ({} if size is None else {A: size})
    assert decision.status.ready == f"{wanted}/{wanted if size is None else size}"


def test_a_lost_deployment_comes_back_in_its_size() -> None:
    """Where spec.replicas is absent, a stable Deployment that was deleted is made again as large as it was."""
    world = World().stable(7).but(replicas=None)
    decision = decide(world.but(deployments={}).observe())

    assert answers.sizes(decision) == {A: 7}
    assert answers.said(decision, "DeploymentRecreated") == "the Deployment of revision 1 was gone"


@pytest.mark.parametrize(
    ("age", "phase", "recheck"),
    [(10, api.Phase.PROGRESSING, 20), (599, api.Phase.PROGRESSING, 1), (600, api.Phase.DEGRADED, None)],
)
def test_stable_pods_that_are_away(age: int, phase: api.Phase, recheck: float | None) -> None:
    """Missing stable pods are progress for as long as the deadline lasts, and trouble after it."""
    world = World().stable(10, 7)
    progress = api.Progress(desired=10, ready=7, since=NOON - age)
    assert world.status.stable is not None
    world = world.with_status(stable=world.status.stable.model_copy(update={"progress": progress}))
    decision = decide(world.observe())

    assert decision.status.phase is phase
    assert "7 of 10 stable pods ready" in answers.ready(decision)[1]
    assert decision.recheck_at == (None if recheck is None else NOON + recheck)


def test_surplus_pods_are_awaited_without_a_loop() -> None:
    """Pods that take long to go are waited for until something happens: no pass follows the other."""
    world = World().stable(10)
    facts = dataclasses.replace(world.deployments[A], pods=13)
    decision = decide(world.but(deployments={A: facts}).observe())

    assert decision.status.phase is api.Phase.PROGRESSING
    assert decision.recheck_at is None


def test_a_start() -> None:
    """A new template starts at the first step, with its own analysis, floor, finalizer and record."""
    watched = policy(20, "2m", metrics=(metric(),))
    world = World().stable().ruled(watched).wants(B).with_status(analysis=())
    decision = decide(world.observe())
    assert (answers.step(decision), answers.weight(decision), decision.status.min_replicas) == (1, 20, 10)
    assert [(state.name, state.passes, state.last_tick) for state in decision.status.analysis] == [("errors", 0, NOON)]
    assert [type(record).__name__ for record in decision.records] == ["AddFinalizer", "RecordTemplate"]
    assert answers.sizes(decision) == {B: 2}
    assert decision.status.canary is not None
    assert (decision.status.canary.revision, decision.status.canary.analysis_from) == (2, 0)
    assert answers.reasons(decision) == ["RolloutStarted", "StepStarted"]
    assert answers.said(decision, "RolloutStarted") == f"revision 2 ({B}) is on its way"


@pytest.mark.parametrize("memory", ["history", "deployment"])
def test_a_second_attempt_is_judged_from_its_start(memory: str) -> None:
    """What was measured of an earlier attempt at the same revision does not count for the next one."""
    entry = api.HistoryEntry(revision=2, hash=B, outcome=api.Ending.SUPERSEDED, started=NOON - 60, finished=NOON - 5)
    world = World().stable().wants(B)
    world = world.deployment(B, 0) if memory == "deployment" else world.recorded(B).with_status(history=(entry,))
    canary = decide(world.observe()).status.canary

    assert canary is not None
    assert canary.analysis_from == NOON


def test_numbers_of_revisions() -> None:
    """A known revision keeps its number; a new one gets one more than anything that is known."""
    known = decide(World().stable().recorded(B).wants(B).observe()).status.canary
    assert known is not None
    assert known.revision == 2
    entry = api.HistoryEntry(revision=41, hash=C, outcome=api.Ending.ABORTED, started=NOON - 60, finished=NOON - 5)
    fresh = decide(World().stable().with_status(history=(entry,)).wants(B).observe()).status.canary
    assert fresh is not None
    assert fresh.revision == 42


def test_a_paused_rollout_does_not_start() -> None:
    """spec.paused holds a new version back before anything is created for it."""
    decision = decide(World().stable().wants(B).but(paused=True).observe())

    assert answers.ready(decision) == ("Paused", f"revision {B} waits: spec.paused is true{answers.GO_ON}")
    assert decision.actions == ()
    assert decision.status.canary is None


def test_the_first_revision_starts_though_paused() -> None:
    """spec.paused stops steps; a first revision has none."""
    assert answers.sizes(decide(new(paused=True).observe())) == {A: 10}


def test_a_rejected_template_is_not_tried_again() -> None:
    """H15: the same template applied every minute leads to nothing: no pods, no writes, no Events."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="errors", at=NOON - 500)
    world, _ = aftermath.settled(World().stable().wants(B).with_status(rejected=(entry,)).recorded(B))
    for minute in range(1, 10):
        decision = decide(world.but(now=world.now + 60 * minute).observe())
        assert (decision.actions, decision.records, decision.notices, decision.write_status) == ((), (), (), False)
        assert decision.recheck_at is None
    assert world.status.phase is api.Phase.ROLLED_BACK
    decision = decide(world.observe())
    assert answers.ready(decision) == (
        "MetricFailed",
        "revision 2 was taken back: errors; revision 1 serves" + answers.retried(B),
    )
    stalled = answers.condition(decision, "Stalled")
    assert stalled is not None
    assert stalled.status == "True"


@pytest.mark.parametrize(
    ("ready", "trouble", "said"),
    [
        (10, None, "revision 1 serves"),
        (0, None, "revision 1 has 0 of 10 pods ready"),
        (9, PodTrouble("web-x: OOMKilled", hopeless=False), "revision 1 has 9 of 10 pods ready: web-x: OOMKilled"),
    ],
)
def test_what_serves_after_a_rollback_is_counted(ready: int, trouble: PodTrouble | None, said: str) -> None:
    """After recreate the old pods have only begun to start: nobody reads that they serve before they do."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="errors", at=NOON - 500)
    world = World().stable(10, ready).wants(B).with_status(rejected=(entry,)).recorded(B).but(trouble=trouble)

    assert answers.ready(decide(world.observe()))[1] == f"revision 2 was taken back: errors; {said}{answers.retried(B)}"


def test_scaling_goes_on_after_a_rollback() -> None:
    """A Rollout whose template is rejected still follows spec.replicas."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", at=NOON - 500)
    world = World().stable().wants(B).with_status(rejected=(entry,)).recorded(B)

    assert answers.sizes(decide(world.but(replicas=13).observe())) == {A: 13}


def test_a_changed_template_after_a_rollback_starts() -> None:
    """Changing the template is the way on after a rejection, and the rejection is kept."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", at=NOON - 500)
    decision = decide(World().stable().wants(C).with_status(rejected=(entry,)).observe())

    assert decision.status.canary is not None
    assert (decision.status.canary.hash, decision.status.canary.revision) == (C, 3)
    assert decision.status.rejected == (entry,)


def test_more_replicas_are_no_trouble() -> None:
    """A Rollout that has been healthy for hours and is scaled up is scaling, not degraded, and posts no Warning."""
    for world in (World().stable().but(replicas=12), World().but(replicas=12).first(10, 10, age=5000)):
        decision = decide(world.observe())
        assert decision.status.phase in (api.Phase.PROGRESSING, api.Phase.PENDING)
        assert decision.notices == ()
        assert decision.recheck_at is None


def test_nothing_is_said_of_what_was_not_rejected() -> None:
    """A template that was never taken back is met for the first time, or is the stable one."""
    seen = World().stable(10).observe()

    assert at_rest.met_again(Situation(seen, seen.status)) == ()
