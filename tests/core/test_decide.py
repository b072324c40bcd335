"""The chain of rules: its order is a contract, and what holds of every decision."""

from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import Identity, Observation, PodTrouble, Target
from headgate.core.model.actions import RemoveCommand
from headgate.core.rollout import decide as module
from headgate.core.rollout import outcomes, pod_progress, refresh, state
from headgate.core.rollout.decide import decide
from headgate.core.rollout.rules import at_rest as rules_at_rest
from headgate.core.rollout.rules import first_revision, progress, status_recovery
from tests.core import aftermath, answers
from tests.core.worlds import NOON, B, C, World, metric, policy

WATCHED = policy(20, "2m", 50, metrics=(metric(),))


def in_flight() -> World:
    """Return a world at 20 % whose pods are as wanted, in a pause, with all the evidence that is needed."""
    return World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=60).knows(passes=3)


def test_the_chains_in_order() -> None:
    """What goes back is asked before all that goes forward, and what is nearer to users' harm is asked earlier."""
    backward = "released aborting deleted recorded superseded breached deprived rebuffed hopeless deadline_exceeded"
    backward = f"{backward} put_back breached_after fallen"
    forwards = "unsound refused unroutable contested autoscaled recreating waiting paused pausing unproved settling"
    forwards = f"unread {forwards} advance complete"
    at_rest = (
        "moving retimed cooled dated restarted due unsound restarting settled rejected held_back autoscaled unroutable"
    )
    at_rest = f"unread {at_rest} unseen draining outdated taken start"
    for world, expected in (
        (World(), f"{backward} unread recovered first"),
        (World().stable(), f"{backward} {at_rest}"),
        (in_flight(), f"{backward} {forwards}"),
    ):
        rules = module.rules_for(refresh.opened(world.observe()))
        assert expected.split() == [rule.__name__ for rule in rules]


# Each beats those after it: its rule is asked earlier.
FACTS: tuple[tuple[str, Callable[[World], World]], ...] = (
    ("Superseded", lambda world: world.wants(C)),
    ("MetricFailed", lambda world: world.knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)),
)


@pytest.mark.parametrize("first", range(len(FACTS)))
def test_of_several_verdicts_the_earlier_rule_is_heard(first: int) -> None:
    """Where several facts ask for the same way back, the one that is asked first gives the reason."""
    world = in_flight()
    for _, hold in FACTS[first:]:
        world = hold(world)
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None
    assert decision.status.canary.abort.reason == FACTS[first][0]


@pytest.mark.parametrize(("failures", "reason"), [(0, "Rejected"), (2, "MetricFailed")])
def test_a_verdict_on_record_beats_a_newer_template(failures: int, reason: str) -> None:
    """What was rejected stays so; why, the measurements still know, unless they have gone."""
    world = in_flight().deployment(B, 2, rejected=f"{B}/{NOON - 1000}").wants(C)
    decision = decide(world.knows(failures=failures, value="0.5", verdict=api.Outcome.FAILED).observe())

    assert [reason] == [entry.reason for entry in decision.status.rejected]


HINDRANCES: dict[str, Callable[[World], World]] = {
    "nothing": lambda world: world,
    "the spec is invalid": lambda world: world.but(invalid="spec.strategy: wrong"),
    "the spec is invalid and its record lost": lambda world: world.but(invalid="wrong", accepted=None, policies={}),
    "the template is refused": lambda world: world.but(target=Target(Identity.REFUSED, message="no")),
    "the template is unknown": lambda world: world.but(target=Target(Identity.UNKNOWN, message="timeout")),
    "writes are refused": lambda world: world.but(refusals=("quota",)),
    "a foreign object is in the way": lambda world: world.but(foreign=("Deployment web-x is not ours",)),
    "it is paused": lambda world: world.but(paused=True),
    "promote-full was given": lambda world: world.with_status(
        canary=world.status.canary and world.status.canary.model_copy(update={"promote_full": True})
    ),
    "promote-full is given with it": lambda world: world.but(
        commands={**world.commands, "headgate.dev/promote-full": B}
    ),
    "a stable pod is away": lambda world: world.deployment("bbbbbbbbbb", 8, 7),
    "canary pods crash": lambda world: world.deployment(B, 2, 0).but(trouble=PodTrouble("crash", hopeless=True)),
    "it is being scaled": lambda world: world.but(replicas=20),
    "metrics are dead": lambda world: world.reads(problem="connection refused"),
    "the policy was edited": lambda world: world.edited(policy(10, 90, metrics=(metric(),))),
    "the old policy is lost and the new one shorter": lambda world: world.but(accepted=None).edited(policy()),
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_nothing_stands_in_the_way_of_an_abort(hindrance: str) -> None:
    """H1, H3, H4, H5, H6, H10: whatever else is the matter, an abort makes stable whole and the decision is urgent."""
    decision = decide(HINDRANCES[hindrance](in_flight().told(abort="now")).observe())

    assert answers.ending(decision) is api.Ending.ABORTED
    assert decision.urgent
    assert decision.write_status
    assert answers.sizes(decision)["bbbbbbbbbb"] >= 10
    assert answers.weight(decision) == 0


@pytest.mark.parametrize("hindrance", [name for name in HINDRANCES if "policy" not in name and "lost" not in name])
def test_nothing_stands_in_the_way_of_a_breach(hindrance: str) -> None:
    """H3, H4, H6, H10: a metric that fails often enough is judged by what was last accepted, whatever is the matter."""
    breached = in_flight().knows(failures=2, verdict=api.Outcome.FAILED, value="0.5")
    decision = decide(HINDRANCES[hindrance](breached).observe())

    assert answers.ending(decision) is api.Ending.ROLLED_BACK
    assert decision.urgent
    assert answers.sizes(decision)["bbbbbbbbbb"] >= 10


def test_what_holds_a_rollout_in_order() -> None:
    """Of several things in the way of the next step, the most fundamental one is told; taken away, the next one is."""
    world = in_flight().knows(passes=0).at_step(2, since=60).but(paused=True, refusals=("quota",), invalid="wrong")
    world = world.deployment(B, 2, 1)
    told = []
    for change in (
        {},
        {"invalid": ""},
        {"refusals": ()},
        {"deployments": in_flight().deployments},
        {"paused": False},
        {"now": NOON + 70, "status": world.at_step(3, since=5).status},
    ):
        world = world.but(**change)
        decision = decide(world.observe())
        told.append((decision.rule, decision.status.phase))
    phase = api.Phase
    assert told == [
        ("unsound", phase.HOLDING),
        ("refused", phase.HOLDING),
        ("waiting", phase.PROGRESSING),
        ("paused", phase.PAUSED),
        ("pausing", phase.PAUSED),
        ("waiting", phase.PROGRESSING),
    ]


WORLDS: dict[str, Callable[[], World]] = {
    "new": World,
    "first": lambda: World().first(ready=3),
    "healthy": lambda: World().stable(),
    "in flight": in_flight,
    "leaving": lambda: in_flight().leaving(),
    "wanted": lambda: World().stable().wants(B),
    "deleted": lambda: in_flight().but(deleting=True, finalizers=(names.FINALIZER, "foregroundDeletion")),
    "scaled": lambda: World().stable().but(replicas=12),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_observation_gives_the_same_decision(name: str) -> None:
    """Nothing but the Observation goes into a decision."""
    observation: Observation = WORLDS[name]().observe()

    assert decide(observation) == decide(observation)


@pytest.mark.parametrize("name", WORLDS)
def test_a_decision_never_looks_back(name: str) -> None:
    """No decision asks to be looked at again in the past, nor at once: that would be a loop."""
    recheck_at = decide(WORLDS[name]().observe()).recheck_at

    assert recheck_at is None or recheck_at > NOON


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_settles(name: str) -> None:
    """Left alone with healthy pods, every world comes to rest: no writes, no Events, and nothing hidden in a wait."""
    world, _ = aftermath.settled(WORLDS[name]())
    decision = decide(world.but(now=world.now + 3600 * (world.status.canary is None)).observe())

    assert (decision.actions, decision.records, decision.notices, decision.write_status) == ((), (), (), False)


def test_a_whole_canary() -> None:
    """From apply to Healthy: step by step, with as many pods as the weight means, one change after another."""
    world = World().stable().ruled(policy(20, "2m", 50)).wants(B)
    seen = []
    for _ in range(30):
        decision = decide(world.observe())
        seen.append((answers.step(decision), world.deployments["bbbbbbbbbb"].replicas, answers.sizes(decision)))
        world = aftermath.after(world, decision, 30)
    stepped = [entry for entry in seen if entry[2]]
    assert stepped == [
        (1, 10, {B: 2}),
        (1, 10, {"bbbbbbbbbb": 8}),
        (3, 8, {B: 5}),
        (3, 8, {"bbbbbbbbbb": 5}),
        (4, 5, {B: 8}),
        (4, 5, {"bbbbbbbbbb": 2}),
        (4, 2, {B: 10}),
        (4, 2, {"bbbbbbbbbb": 0}),
    ]
    assert world.status.stable is not None
    assert world.status.stable.hash == B
    assert [(entry.hash, entry.outcome) for entry in world.status.history] == [(B, api.Ending.PROMOTED)]
    assert world.finalizers == ()


def test_a_rollout_of_no_replicas_takes_one_pass() -> None:
    """Fifty steps of no pods are over in one decision, and nothing is created for them."""
    world = World().but(replicas=0).stable(0).ruled(policy(*range(1, 51))).wants(B)
    decision = decide(world.observe())

    assert decision.status.stable is not None
    assert decision.status.stable.hash == B
    assert answers.sizes(decision) == {}
    assert decision.status.phase is api.Phase.HEALTHY


def test_rules_that_never_rest_are_a_bug_that_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that moves for ever is stopped and told, not run for ever."""

    def restless(at: state.Situation) -> outcomes.Move:
        return outcomes.Move(at.status)

    monkeypatch.setattr(module, "RESTING", (restless,))
    with pytest.raises(AssertionError, match="did not come to rest in 150 rounds"):
        decide(World().stable().observe())


def test_a_chain_without_an_answer_is_a_bug_that_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chain ends in a rule that always answers; one that does not is told."""
    monkeypatch.setattr(module, "RESTING", (rules_at_rest.rejected,))
    with pytest.raises(AssertionError, match="no rule matched"):
        decide(World().stable().observe())


@pytest.mark.parametrize("rule", [*module.BACKWARD, *module.FORWARD], ids=lambda rule: rule.__name__)
def test_rules_of_a_flight_are_silent_at_rest(rule: module.Rule) -> None:
    """A rule that is about a canary beside a stable revision says nothing where there is none."""
    at_rest = refresh.opened(World().stable().observe())
    first = refresh.opened(World().first().observe())

    if rule is not progress.waiting:
        assert rule(at_rest) is None
        assert rule(first) is None
    assert pod_progress.patience_ends(at_rest) == ()


@pytest.mark.parametrize(
    "rule", [status_recovery.recovered, first_revision.first, rules_at_rest.settled], ids=lambda rule: rule.__name__
)
def test_rules_of_rest_are_silent_elsewhere(rule: module.Rule) -> None:
    """A rule about a stable revision, or about the want of one, says nothing where the other holds."""
    elsewhere = World() if rule is rules_at_rest.settled else World().stable()

    assert rule(refresh.opened(elsewhere.observe())) is None


def test_an_urgent_decision_removes_no_command_that_is_not_in_the_status() -> None:
    """Where the status may not be written, a command that was just heard stays until it is: nothing is lost."""
    heard = in_flight().told(abort="now", retry=C)
    first = decide(heard.observe())
    second = decide(aftermath.after(heard, first, ready=False).observe())

    assert [action for action in first.actions if isinstance(action, RemoveCommand)] == []
    removed = [action.annotation for action in second.actions if isinstance(action, RemoveCommand)]
    assert removed == ["headgate.dev/abort", "headgate.dev/retry"]
