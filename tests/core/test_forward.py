"""The rules that go forward: what they wait for, with numbers, and when they let go."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model import Identity, PodTrouble, Target
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, World, metric, policy

WATCHED = policy(20, "2m", 50, "pause", 80, metrics=(metric(),))


def at(index: int, since: float | None = 300) -> World:
    """Return a world at a step of the watched plan, its pods as that step wants them."""
    canary = {1: 2, 2: 2, 3: 5, 4: 5, 5: 8, 6: 10}[index]
    return World().stable(10 - canary).canary(canary).ruled(WATCHED).at_step(index, since=since).knows(passes=3)


@pytest.mark.parametrize(
    ("changes", "reason", "message", "stalled", "recheck"),
    [
        ({"invalid": "spec.strategy: wrong"}, "InvalidSpec", "spec.strategy: wrong", True, None),
        (
            {"target": Target(Identity.REFUSED, message="no such field")},
            "TemplateRefused",
            "spec.template: the API server refuses it: no such field",
            True,
            60.0,
        ),
        (
            {"target": Target(Identity.UNKNOWN, message="timeout")},
            "TemplateUnknown",
            "whether the template is new is not known: timeout",
            False,
            5.0,
        ),
    ],
)
def test_an_unsound_spec_holds(
    changes: dict[str, object], reason: str, message: str, recheck: float | None, *, stalled: bool
) -> None:
    """H3, H26: a spec that cannot be followed stops going forward, at rest and in flight, and is told once."""
    for world in (World().stable().but(now=NOON), at(2), World()):
        decision = decide(world.but(**changes).observe())
        assert answers.ready(decision) == (reason, message)
        assert decision.status.phase is api.Phase.HOLDING
        assert (answers.condition(decision, "Stalled") is not None) == stalled
        assert answers.said(decision, reason) == message
        assert answers.step(decision) == (2 if world.status.step else None)
        if recheck is not None and world.status.step is None:
            assert decision.recheck_at == NOON + recheck
        again = decide(world.but(**changes, status=decision.status).observe())
        assert reason not in answers.reasons(again)


def test_scaling_goes_on_while_the_spec_is_invalid() -> None:
    """H3: replicas are applied whatever else is wrong with the spec."""
    assert answers.sizes(decide(World().stable().but(invalid="wrong", replicas=12).observe())) == {A: 12}
    assert answers.sizes(decide(at(2).but(invalid="wrong", replicas=20).observe())) == {A: 18}


def test_what_is_refused_holds() -> None:
    """What the API server refuses, or stands in our way, stops the steps and is told in its words."""
    decision = decide(at(2).but(refusals=("quota exceeded",), foreign=("Deployment web-x is not ours",)).observe())

    assert answers.ready(decision) == ("WriteRefused", "Deployment web-x is not ours; quota exceeded")
    assert decision.status.phase is api.Phase.HOLDING
    assert answers.step(decision) == 2


@pytest.mark.parametrize(
    ("stable", "canary", "message"),
    [
        ((10, 10), (0, 0), "0 of 2 canary pods ready"),
        ((10, 10), (2, 1), "1 of 2 canary pods ready"),
        ((10, 10), (1, 1), "1 of 2 canary pods ready"),
        ((10, 10), (2, 2), "10 stable pods, going down to 8"),
        ((8, 8), (3, 3), "3 canary pods, going down to 2"),
        ((7, 7), (2, 2), "7 stable pods, going up to 8"),
    ],
)
def test_waiting_for_pods(stable: tuple[int, int], canary: tuple[int, int], message: str) -> None:
    """While pods are not as the weight wants them, the status says which ones are waited for, in numbers."""
    world = World().stable(10).canary(2).ruled(WATCHED).at_step(1).deployment(A, *stable).deployment(B, *canary)
    decision = decide(world.observe())

    assert answers.ready(decision) == ("WaitingForPods", message)
    assert decision.status.step is not None
    assert decision.status.step.waiting_for == message
    assert decision.status.weight is not None
    assert decision.status.weight.since is None


def test_pods_that_say_why_they_wait() -> None:
    """What keeps pods from starting is told as soon as it is known, and looked for after 5 s, 30 s and the deadline."""
    world = World().stable(10).canary(2, 0, age=2).but(trouble=PodTrouble("web-x: Pending", hopeless=False))
    decision = decide(world.observe())
    assert answers.ready(decision) == ("PodsNotStarting", "0 of 2 canary pods ready: web-x: Pending")
    assert decision.recheck_at == NOON + 3
    assert decide(world.but(now=NOON + 4).observe()).recheck_at == NOON + 28
    assert decide(world.but(now=NOON + 40).observe()).recheck_at == NOON + 58


@pytest.mark.parametrize(("now", "start"), [(NOON, NOON), (NOON + 0.2, NOON + 1)])
def test_the_clock_of_a_step_starts_when_its_pods_are_there(now: float, start: int) -> None:
    """The weight holds, and its pause begins, when the pods are as it wants them: rounded up, never too early."""
    world = World().but(now=now).stable(8).canary(2).at_step(1)
    decision = decide(world.observe())

    assert answers.step(decision) == 2
    assert decision.status.step is not None
    assert decision.status.step.since == start
    assert decision.status.weight is not None
    assert (decision.status.weight.since, decision.status.weight.achieved) == (start, 20)
    assert decision.write_status


def test_a_pause_runs_on_while_a_pod_is_away() -> None:
    """A pod that is lost holds the step, but neither its clock nor the evidence begins anew."""
    world = at(2, since=60).deployment(B, 2, 1)
    decision = decide(world.observe())
    assert decision.rule == "waiting"
    assert decision.status.step is not None
    assert decision.status.step.since == NOON - 60
    assert decision.status.weight is not None
    assert decision.status.weight.since == NOON - 60


@pytest.mark.parametrize(
    ("since", "rule", "recheck"),
    [(0, "pausing", 10.0), (119, "pausing", 1.0), (120, "waiting", 5), (9999, "waiting", 5)],
)
def test_a_pause_for_a_time(since: float, rule: str, recheck: float) -> None:
    """A pause of two minutes ends after two minutes, to the second, and asks to be looked at then."""
    world = at(2, since=since).knows(passes=3)
    decision = decide(world.observe())

    assert decision.rule == rule
    assert decision.recheck_at is not None
    assert decision.recheck_at <= NOON + 10
    if rule == "pausing":
        assert answers.ready(decision)[0] == "PausedForTime"
        assert decision.recheck_at == NOON + recheck
    else:
        assert answers.weight(decision) == 50


def test_a_pause_until_promoted() -> None:
    """A pause without length waits for people, and says the command that ends it."""
    decision = decide(at(4, since=99_999).observe())

    assert decision.status.phase is api.Phase.PAUSED
    assert answers.ready(decision) == (
        "PausedUntilPromoted",
        f"until promoted: kubectl annotate rollouts.headgate.dev web headgate.dev/promote={B}/4",
    )


def test_a_paused_rollout_tells_that_it_is_blind() -> None:
    """A pause in which nothing can be measured says so, whoever ends it."""
    for world in (at(4), at(2, since=60), at(4).but(paused=True)):
        blind = world.knows(verdict=api.Outcome.ERROR, message="refused", since=NOON - 250, last_judged=None)
        decision = decide(blind.observe())
        assert decision.status.phase is api.Phase.PAUSED
        assert "; errors is Error for " in answers.ready(decision)[1]


@pytest.mark.parametrize("index", [1, 2, 3, 4, 5, 6])
def test_spec_paused_stops_every_step(index: int) -> None:
    """spec.paused holds whatever step it finds, tells it, and holds the promotion too."""
    decision = decide(at(index).but(paused=True).observe())

    assert answers.step(decision) == index
    assert answers.ready(decision)[0] == "Paused"
    assert answers.ready(decision)[1].startswith(f"spec.paused is true, at step {index}/6, weight ")


@pytest.mark.parametrize(("index", "passes", "expected"), [(2, 2, 2), (2, 3, 3), (5, 0, 5), (5, 3, 6), (6, 2, 6)])
def test_more_weight_needs_evidence(index: int, passes: int, expected: int) -> None:
    """No weight is left for a greater one, and nothing is promoted, before all passes at it are there."""
    decision = decide(at(index).knows(passes=passes).observe())

    assert answers.step(decision) == expected
    if index == expected:
        assert decision.rule == "unproved"
        message = f"errors passed {passes} of 3 times, at step {index}/6, weight {answers.weight(decision)} %"
        assert answers.ready(decision) == ("GatheringEvidence", message)


def test_a_weight_hands_its_evidence_to_its_pause() -> None:
    """A pause after a weight is entered at once: its time and the evidence run together."""
    decision = decide(at(3).knows(passes=0).observe())

    assert (decision.rule, answers.step(decision)) == ("pausing", 4)
    assert [state.passes for state in decision.status.analysis] == [0]
    assert answers.said(decision, "StepStarted") == "revision 2: step 4/6: pause until promoted"


def test_a_new_weight_begins_without_passes() -> None:
    """Passes are of one weight: the next one begins with none, and failures go on."""
    decision = decide(at(5).knows(passes=7, failures=1).observe())

    assert [(state.passes, state.failures) for state in decision.status.analysis] == [(0, 1)]
    assert decision.status.phase is api.Phase.PROMOTING
    assert answers.said(decision, "StepStarted") == "revision 2: step 6/6: weight 100 %"


def test_a_weight_that_is_written_twice() -> None:
    """A weight that is the present one is a step without an Event, and keeps the passes that it has."""
    world = World().stable(8).canary(2).ruled(policy(20, 20, "2m", metrics=(metric(),))).at_step(1, since=60)
    decision = decide(world.knows(passes=2).observe())

    assert answers.step(decision) == 3
    assert [state.passes for state in decision.status.analysis] == [2]
    assert [notice.message for notice in decision.notices if notice.reason == "StepStarted"] == [
        "revision 2: step 3/4: pause for 2m"
    ]


def test_a_weight_of_nothing_needs_no_evidence() -> None:
    """Where no user meets the new version there is nothing to measure before the first weight."""
    rule = policy(0, "1m", 20, metrics=(metric(),))
    world = World().stable(10).canary(0).ruled(rule).at_step(2, since=60).knows(passes=0)

    assert answers.weight(decide(world.observe())) == 20


@pytest.mark.parametrize(("then", "rule"), [("Hold", "unproved"), ("Advance", "waiting"), ("Rollback", "aborting")])
def test_without_data_for_long(then: str, rule: str) -> None:
    """H7, H9: a metric without data holds the weight, visibly, unless the user wants otherwise."""
    by = policy(20, "2m", metrics=(metric(noData={"then": then}),))
    world = World().stable(8).canary(2, age=2000).ruled(by).at_step(2, since=1500)
    decision = decide(world.knows(verdict=api.Outcome.NO_DATA, message="empty", last_judged=None).observe())

    assert decision.rule == rule
    if then == "Hold":
        assert answers.ready(decision) == ("NoData", "errors is NoData for 24m40s: empty")
        assert decision.status.phase is api.Phase.HOLDING


def test_a_restarted_operator_reads_before_it_goes_on() -> None:
    """A status that was good an hour ago neither advances nor rolls back until what happened since is read."""
    stale: dict[str, Any] = {"passes": 3, "last_tick": NOON - 3600, "last_judged": NOON - 3600}
    for then in ("Hold", "Rollback", "Advance"):
        by = policy(20, "2m", metrics=(metric(noData={"then": then}),))
        world = World().stable(8).canary(2, age=9000).ruled(by).at_step(2, since=5000).knows(**stale)
        decision = decide(world.observe())
        assert (decision.rule, answers.step(decision)) == ("unproved", 2)
        assert "errors has measurements that are not read yet" in answers.ready(decision)[1]


def test_the_promotion_is_one_step() -> None:
    """The whole with its own evidence is promoted: stable is the new revision, and the history tells it."""
    decision = decide(at(6).observe())
    status = decision.status
    assert (status.stable.hash if status.stable else "", status.canary, status.step, status.weight) == (
        B,
        None,
        None,
        None,
    )
    (entry,) = status.history
    assert (entry.outcome, entry.by, entry.message) == (api.Ending.PROMOTED, "steps", "all steps passed")
    assert answers.said(decision, "Promoted") == "revision 2 is stable after 16m40s"
    assert status.phase is api.Phase.HEALTHY
    assert not hasattr(status.stable, "started")


@pytest.mark.parametrize("lost", ["step", "weight", "both", "weight differs"])
def test_a_status_that_is_not_ours_never_promotes(lost: str) -> None:
    """A status that lost its step or weight leads back to a step's own weight, not to a promotion without evidence."""
    world = at(5)
    weight = world.status.weight
    changes: dict[str, dict[str, object]] = {
        "step": {"step": None},
        "weight": {"weight": None},
        "both": {"step": None, "weight": None},
        "weight differs": {"weight": weight and weight.model_copy(update={"desired": 20})},
    }
    decision = decide(world.with_status(**changes[lost]).observe())

    assert decision.status.canary is not None
    assert answers.weight(decision) == (80 if lost == "weight" else 20)
    assert answers.step(decision) == (1 if lost in ("step", "both") else 5)


def test_history_is_bounded() -> None:
    """At most ten rollouts are remembered, the newest first."""
    entry = api.HistoryEntry(revision=1, hash=A, outcome=api.Ending.PROMOTED, started=NOON - 50, finished=NOON - 40)
    decision = decide(at(6).with_status(history=(entry,) * 10).observe())

    assert [known.hash for known in decision.status.history] == [B, *[A] * 9]


def test_paused_halfway_through_promote_full() -> None:
    """promote-full leaves out pauses of the strategy, not spec.paused, which people can take away."""
    world = at(4).told(promote_full=B).but(paused=True)
    decision = decide(world.observe())
    assert (decision.rule, answers.step(decision)) == ("paused", 4)
    assert answers.step(decide(aftermath.after(world, decision).but(paused=False).observe())) == 6
