"""What a status becomes by what was observed, before any rule is asked."""

import pytest

from headgate.api import spec
from headgate.api import status as api
from headgate.core.model import Identity, Target
from headgate.core.rollout import refresh
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, World, metric, policy, policy_hash, policy_of

WATCHED = policy(20, "2m", 50, "pause", 80, metrics=(metric(), metric("latency")))


def in_flight(index: int = 2, since: float | None = 60) -> World:
    """Return a world at a step of the watched plan with evidence for both metrics."""
    canary = {1: 2, 2: 2, 3: 5, 4: 5, 5: 8, 6: 10}[index]
    world = World().stable(10 - canary).canary(canary).ruled(WATCHED).at_step(index, since=since)
    return world.knows(passes=3).knows("latency", passes=2, failures=1)


def opened(world: World) -> api.RolloutStatus:
    """Return the status as the rules meet it."""
    return refresh.opened(world.observe()).status


@pytest.mark.parametrize("jump", [60, 3600])
def test_a_clock_that_was_set_back(jump: int) -> None:
    """H27: times that lie in the future become now: waits begin anew, and failures go on being seen."""
    world = in_flight().but(now=NOON - jump, clock_set_back=True)
    canary = world.status.canary
    assert canary is not None
    world = world.with_status(canary=canary.model_copy(update={"analysis_from": NOON}))
    status = opened(world.knows(last_tick=NOON - 20, last_judged=NOON - 20, since=NOON - 80))

    now = NOON - jump
    assert status.step is not None
    assert status.weight is not None
    assert (status.step.since, status.weight.since) == (min(NOON - 60, now), min(NOON - 60, now))
    assert status.canary is not None
    assert status.canary.analysis_from == now
    known = {state.name: state for state in status.analysis}["errors"]
    assert max(known.last_tick, known.last_judged or 0, known.since) <= now
    assert status.canary.progress is not None
    assert status.canary.progress.since <= now


def test_a_pause_after_a_clock_was_set_back() -> None:
    """H27: a pause neither hangs for the hour of the jump nor ends early: it begins again."""
    decision = decide(in_flight().but(now=NOON - 3600, clock_set_back=True).observe())

    assert answers.ready(decision)[0] == "PausedForTime"
    assert decision.recheck_at is not None
    assert decision.recheck_at <= NOON - 3600 + 120
    assert decision.write_status


def test_a_clock_that_was_set_forward() -> None:
    """H27: a pause ends at once by a jump that no process saw; the evidence holds until the ticks are read."""
    decision = decide(in_flight().but(now=NOON + 3600).observe())

    assert (decision.rule, answers.step(decision)) == ("unproved", 2)


def test_times_of_now_stay() -> None:
    """A clock that was started a moment ago, rounded up to the next second, is not in the future."""
    world = in_flight().but(now=NOON + 0.3).at_step(2, since=-0.7)
    assert world.status.step is not None

    assert opened(world).step == world.status.step


@pytest.mark.parametrize(
    ("identity", "kept"), [(Identity.KNOWN, False), (Identity.UNKNOWN, True), (Identity.REFUSED, True)]
)
def test_the_identity_of_the_template_is_remembered(identity: Identity, *, kept: bool) -> None:
    """What the API server said of a template is kept until it says something else."""
    before = api.TemplateStatus(hash="old", revision_hash="old")
    world = World().stable().with_status(template=before).but(target=Target(identity, B), written="raw")
    expected = before if kept else api.TemplateStatus(hash="raw", revision_hash=B)

    assert opened(world).template == expected


def test_an_equal_template_is_no_new_revision() -> None:
    """H22: a template written in another way that means the stable revision changes nothing but the memory of it."""
    decision = decide(World().stable().but(written="other").observe())

    assert decision.status.phase is api.Phase.HEALTHY
    assert decision.actions == ()
    assert decision.status.template == api.TemplateStatus(hash="other", revision_hash=A)


@pytest.mark.parametrize(
    ("to", "index", "weight", "clock"),
    [
        (policy(20, "2m", 60), 2, 20, "runs"),
        (policy(20, "2m"), 2, 20, "runs"),
        (policy(20, "5m", 50), 1, 20, "anew"),
        (policy(10, 20, 30), 2, 20, "runs"),
        (policy(10, 30, 60), 1, 20, "anew"),
        (policy(30, 60), 0, 20, "anew"),
        (policy(), 0, 20, "anew"),
    ],
)
def test_steps_that_are_edited(to: spec.Policy, index: int, weight: int, clock: str) -> None:
    """H16: a rollout goes on at its step where nothing before changed; no edit raises the weight by itself."""
    status = opened(in_flight().edited(to))
    assert status.step is not None
    assert status.weight is not None
    assert (status.step.index, status.weight.desired) == (index, weight)
    assert status.step.since == (NOON - 60 if clock == "runs" else None)
    assert status.weight.since == (NOON - 60 if weight == 20 else None)
    of = len(to.strategy.canary.steps) + 1 if to.strategy.canary else 0
    assert (status.step.of, status.step.text) == (of, f"{index}/{of}")
    assert status.policy == policy_hash(to)


def test_an_edit_takes_back_a_promote() -> None:
    """A promote was for the pause that it named: at another step it is forgotten."""
    world = in_flight(4).at_step(4, since=60, promoted=True)
    status = opened(world.edited(policy(50, "pause")))

    assert status.step is not None
    assert (status.step.index, status.step.promoted) == (1, False)


def test_metrics_that_are_edited() -> None:
    """A metric that stays as it was goes on; one that is edited or new begins anew at once."""
    to = policy(20, "2m", 50, "pause", 80, metrics=(metric("latency"), metric(passesToAdvance=1), metric("new")))
    states = {state.name: state for state in opened(in_flight().edited(to)).analysis}

    assert [(name, states[name].passes, states[name].failures) for name in states] == [
        ("latency", 2, 1),
        ("errors", 0, 0),
        ("new", 0, 0),
    ]
    assert states["new"].last_tick == NOON


def test_an_edit_to_other_weights_keeps_the_passes() -> None:
    """An edit that takes the present weight out of the steps leaves it, and its passes, as they are."""
    to = policy(30, metrics=WATCHED.analysis.metrics)

    assert [(state.passes, state.failures) for state in opened(in_flight().edited(to)).analysis] == [(3, 0), (2, 1)]


@pytest.mark.parametrize("steps", [(), (10,), (20, 60), (10, 20, 30, 40, 50, 60, 70)])
@pytest.mark.parametrize("index", [1, 2, 3, 4, 5, 6])
def test_an_edit_whose_past_is_lost(index: int, steps: tuple[int, ...]) -> None:
    """Where the accepted policy cannot be read, an edit still leads to the next weight, and never to a lower one."""
    world = in_flight(index).but(accepted=None).edited(policy(*steps, metrics=(metric("new"),)))
    status = opened(world)

    assert status.weight is not None
    assert world.status.weight is not None
    assert status.weight.desired >= world.status.weight.desired
    assert decide(world.observe()).status.canary is not None


@pytest.mark.parametrize("way", ["invalid", "leaving", "at rest", "first"])
def test_edits_that_move_nothing(way: str) -> None:
    """An invalid policy is not accepted; one that comes while nothing is at a step is, and moves nothing."""
    worlds = {
        "invalid": in_flight().but(invalid="wrong"),
        "leaving": in_flight().leaving().edited(policy(30)),
        "at rest": World().stable().edited(policy(30)),
        "first": World().first().edited(policy(30)),
    }
    world = worlds[way]
    status = opened(world)

    assert (status.step, status.weight) == (world.status.step, world.status.weight)
    assert status.policy == (policy_hash(WATCHED) if way == "invalid" else policy_hash(policy(30)))


@pytest.mark.parametrize(
    ("known", "wanted", "ready", "expected"),
    [
        (None, 3, 1, (3, 1, NOON - 44)),
        ((3, 1, NOON - 90), 3, 1, (3, 1, NOON - 90)),
        ((3, 1, NOON - 90), 3, 2, (3, 2, NOON)),
        ((3, 2, NOON - 90), 3, 1, (3, 2, NOON - 90)),
        ((3, 3, NOON - 90), 3, 2, (3, 2, NOON)),
        ((3, 3, NOON - 90), 3, 3, (3, 3, NOON - 90)),
        ((3, 1, NOON - 90), 5, 1, (5, 1, NOON)),
        ((5, 1, NOON - 90), 3, 1, (3, 1, NOON - 90)),
        ((5, 5, NOON - 90), 3, 3, (3, 3, NOON - 90)),
    ],
)
def test_progress(known: tuple[int, int, int] | None, wanted: int, ready: int, expected: tuple[int, int, int]) -> None:
    """Progress is more ready pods than ever in this scale-up, or a new scale-up; the deadline runs from it."""
    world = World().stable().canary(wanted, ready)
    assert world.status.canary is not None
    progress = None if known is None else api.Progress(desired=known[0], ready=known[1], since=known[2])
    world = world.with_status(canary=world.status.canary.model_copy(update={"progress": progress}))
    canary = opened(world).canary

    assert canary is not None
    assert canary.progress is not None
    assert (canary.progress.desired, canary.progress.ready, canary.progress.since) == expected
    assert canary.ready == ready


def test_pods_are_counted() -> None:
    """The status counts the pods of all revisions, and none for a Deployment that is gone."""
    world = World().stable(8).canary(2).deployment("ddd", 0, pods=1)
    assert opened(world).replicas == 11
    gone = opened(world.but(deployments={A: world.deployments[A]}))
    assert gone.canary is not None
    assert (gone.canary.ready, gone.replicas) == (0, 8)


@pytest.mark.parametrize(
    ("index", "paused", "promoted", "floor", "replicas", "expected"),
    [
        (2, False, False, 10, 15, 15),
        (2, False, False, 15, 10, 15),
        (2, False, False, None, 10, 10),
        (2, True, False, 15, 10, 10),
        (4, False, False, 15, 10, 10),
        (4, False, True, 15, 10, 15),
        (4, False, False, 10, 15, 15),
    ],
)
def test_the_floor(
    index: int, floor: int | None, replicas: int, expected: int, *, paused: bool, promoted: bool
) -> None:
    """H4, H21: scale-ups count at once, scale-downs wait until the end, except while only people can end the wait."""
    world = in_flight(index).at_step(index, since=60, promoted=promoted).with_status(min_replicas=floor)
    decision = decide(world.but(replicas=replicas, paused=paused).observe())

    assert decision.status.min_replicas == expected
    assert decision.status.ready.endswith(f"/{expected}")


@pytest.mark.parametrize(("paused", "index"), [(True, 2), (False, 4)])
def test_scaling_happens_while_paused(index: int, *, paused: bool) -> None:
    """H4: a paused rollout is scaled up and down, both sides in the ratio of its weight; stable is ahead."""
    world = in_flight(index).but(paused=paused, replicas=20)
    assert answers.sizes(decide(world.observe())) == {2: {A: 18}, 4: {A: 15}}[index]
    up, _ = aftermath.settled(world)
    wanted = {key: facts.replicas for key, facts in up.deployments.items()}
    assert wanted == {2: {A: 16, B: 4}, 4: {A: 10, B: 10}}[index]
    down = decide(in_flight(index).but(paused=paused, replicas=5).observe())
    assert {2: {A: 4, B: 1}, 4: {A: 3, B: 3}}[index].items() >= answers.sizes(down).items()
    assert answers.sizes(down)


def test_the_floor_holds_while_a_paused_rollout_goes_back() -> None:
    """A rollback in the middle of a pause makes stable as large as it has to be, not smaller."""
    world = in_flight(4).but(replicas=5).leaving()
    decision = decide(world.observe())

    assert decision.status.min_replicas == 10
    assert answers.sizes(decision)[A] == 10


def test_absent_replicas_in_flight() -> None:
    """Where spec.replicas is absent, a rollout keeps the number that it began with."""
    decision = decide(in_flight().but(replicas=None).observe())

    assert (decision.status.min_replicas, decision.status.ready, answers.sizes(decision)) == (10, "10/10", {})


@pytest.mark.parametrize("way", ["leaving", "policy lost", "rest"])
def test_when_nothing_is_judged(way: str) -> None:
    """A revision that is going, or whose metrics are not known, gets no further verdicts."""
    worlds = {
        "leaving": in_flight().leaving(),
        "policy lost": in_flight().but(invalid="wrong", accepted=None),
        "rest": World().stable().knows(),
    }
    world = worlds[way]

    assert opened(world.reads(0.5, 0.5, 0.5, first=NOON)).analysis == world.status.analysis


def test_a_missing_deployment_keeps_its_progress() -> None:
    """A Deployment that somebody deleted is no reason to begin its deadline anew, nor to end it."""
    world = in_flight()
    gone = opened(world.but(deployments={A: world.deployments[A]}))
    assert world.status.canary is not None
    assert gone.canary is not None
    assert gone.canary.progress == world.status.canary.progress


@pytest.mark.parametrize(
    ("ready", "age", "verdict"),
    [
        (9, 60, api.Outcome.FAILED),
        (9, 59, api.Outcome.NO_DATA),
        (0, 60, api.Outcome.NO_DATA),
    ],
)
def test_a_pod_that_never_comes_hides_no_errors(ready: int, age: int, verdict: api.Outcome) -> None:
    """H10: the users of a recreate have no pods but the new ones; those are judged from the last one that came on."""
    progress = api.Progress(desired=10, ready=ready, since=NOON - age)
    world = World().stable(0).canary(10, ready).ruled(policy_of((metric(),), recreate={})).at_step(1, since=None)
    canary = world.status.canary
    assert canary is not None
    world = world.with_status(canary=canary.model_copy(update={"progress": progress})).but(present={B: 10})
    (state,) = opened(world.knows(last_tick=NOON - 10).reads(0.5, first=NOON)).analysis

    assert verdict is state.verdict
