"""Fields that are edited while something is in flight or warm: each counts at once, or is said to wait."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from headgate.api import spec
from headgate.api import status as api
from headgate.core.model import Decision, PodTrouble
from headgate.core.model.actions import DeleteDeployment, ScaleDeployment, SetMinReady
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.ways import CANARY, STABLE, facts, known, parent, route, routed, service, warm
from tests.core.worlds import NOON, A, B, C, World, metric, policy

PROMOTED: Final = NOON - 100


def delayed(world: World, seconds: float) -> World:
    """Return *world* after an edit of scaleDownDelay."""
    assert world.spec_policy is not None
    way = world.spec_policy.strategy.canary
    assert way is not None
    canary = way.model_copy(update={"scale_down_delay_seconds": seconds})
    strategy = world.spec_policy.strategy.model_copy(update={"canary": canary})
    return world.edited(world.spec_policy.model_copy(update={"strategy": strategy}))


HOME: Final = {"stable": service(STABLE, B), "canary": service(CANARY, B)}
SILENT: Final = facts(**HOME, route=route(parents=(parent(current=False, accepted=False),)))
NOT_HOME: Final = facts(**{**HOME, "stable": service(STABLE, B, {A: 1, B: 10})})


@pytest.mark.parametrize(
    ("seconds", "changes", "until"),
    [
        (300.0, {}, NOON + 200),
        (600.0, {}, PROMOTED + 600),
        (86_400.0, {}, PROMOTED + 86_400),
        (110.0, {}, NOON + 10),
        (0.0, {}, NOON),
        (0.0, {"remembered": known(since=NOON - 5, stable_since=NOON - 50)}, NOON + 25),
        (0.0, {"remembered": known(since=NOON - 50, stable_since=NOON - 5)}, NOON + 25),
        (0.0, {"remembered": known(since=NOON - 5, stable_since=NOON - 50), "until": NOON + 3}, NOON + 3),
        (0.0, {"ways": SILENT}, NOON + 200),
        (0.0, {"ways": NOT_HOME, "remembered": known(stable_since=None)}, NOON + 200),
        (0.0, {"replicas": 0}, NOON),
    ],
)
def test_scale_down_delay_counts_at_once(seconds: float, changes: dict[str, Any], until: int) -> None:
    """The old pods stay from the promotion on for what it says now; never shorter than connections drain."""
    settings = {"until": NOON + 200, **changes}
    before = settings["until"]
    decision = decide(delayed(warm(**settings), seconds).observe())

    assert decision.status.previous is not None
    assert decision.status.previous.until == until
    assert (ScaleDeployment(A, 0, 10) in decision.actions) == (until == NOON)
    assert ("WarmTimeChanged" in answers.reasons(decision)) == (until != before)


def test_what_is_kept_for_a_day_by_mistake_goes_when_that_is_mended() -> None:
    """The Event says until when, and of which length that comes; nothing is said twice."""
    world = delayed(warm(until=PROMOTED + 86_400), 120)
    decision = decide(world.observe())

    assert "revision 1 stays warm until 2027-01-15T08:00:20Z: scaleDownDelay is 2m now" == answers.said(
        decision, "WarmTimeChanged"
    )
    again = decide(world.but(status=decision.status, accepted=world.spec_policy).observe())
    assert "WarmTimeChanged" not in answers.reasons(again)


def test_pods_that_were_asked_to_go_are_not_called_back() -> None:
    """A longer scaleDownDelay that comes after the end of the shorter one keeps nothing any more."""
    decision = decide(delayed(warm(until=NOON - 1).deployment(A, 0, pods=10), 86_400).observe())

    assert decision.status.previous is not None
    assert decision.status.previous.until == NOON - 1
    assert not decision.actions


# --- everything else that counts at once ------------------------------------------------------------------------------


STEPS: Final = (20, "2m", 50)
STUCK: Final = PodTrouble("web-x: ImagePullBackOff", hopeless=True)


def in_flight(**changes: Any) -> World:
    """Return a canary at 20 % by routes, in a pause, under a policy with *changes*."""
    return World().stable(8).canary(2).ruled(policy(*STEPS, metrics=(metric(),), **changes)).at_step(2, since=60)


def starting(age: int) -> World:
    """Return a canary of which no pod is ready for *age* seconds."""
    world = World().stable(10).canary(2, 0, age=age).ruled(policy(*STEPS)).but(trouble=STUCK)
    assert world.status.canary is not None
    progress = api.Progress(desired=2, ready=0, since=NOON - age)
    return world.with_status(canary=world.status.canary.model_copy(update={"progress": progress}))


def _leaves(decision: Decision) -> str:
    gone = decision.status.history[0] if decision.status.history else None
    leaving = decision.status.canary.abort if decision.status.canary else None
    return leaving.reason if leaving else gone.reason if gone else ""


AT_ONCE: dict[str, tuple[World, spec.Policy, Callable[[Decision], bool]]] = {
    "failFast, shorter": (
        starting(20),
        policy(*STEPS, fail_fast=spec.FailFast.model_validate({"after": "5s"})),
        lambda decision: _leaves(decision) == "PodsCannotStart",
    ),
    "failFast, longer": (
        starting(40),
        policy(*STEPS, fail_fast=spec.FailFast.model_validate({"after": "5m"})),
        lambda decision: _leaves(decision) == "",
    ),
    "progressDeadlineSeconds": (
        starting(20).but(trouble=None),
        policy(*STEPS, progress_deadline_seconds=15),
        lambda decision: _leaves(decision) == "ProgressDeadlineExceeded",
    ),
    "minReadySeconds": (
        in_flight(),
        policy(*STEPS, metrics=(metric(),), min_ready_seconds=7),
        lambda decision: {SetMinReady(A, 7), SetMinReady(B, 7)} <= {*decision.actions},
    ),
    "maxSurge": (
        World().stable(10).canary(0).ruled(policy(50, surge=1)).at_step(1),
        policy(50, surge=5),
        lambda decision: answers.sizes(decision)[B] == 5,
    ),
    "a threshold": (
        in_flight().reads(0.5, 0.5).knows(last_tick=NOON - 40, passes=3),
        policy(*STEPS, metrics=(metric(threshold={"max": 0.9}),)),
        lambda decision: _leaves(decision) == "",
    ),
    "an interval": (
        in_flight().knows(passes=3),
        policy(*STEPS, metrics=(metric(interval="20s"),)),
        lambda decision: decision.status.analysis[0].passes == 0,
    ),
    "the length of a pause": (
        in_flight().knows(passes=3),
        policy(20, "1m", 50, metrics=(metric(),)),
        lambda decision: answers.ready(decision)[1].startswith("for 1m, "),
    ),
    "revisionHistoryLimit": (
        World().stable(10).deployment(B, 0).deployment(C, 0).ruled(policy(*STEPS)),
        policy(*STEPS, revision_history_limit=1),
        lambda decision: any(isinstance(action, DeleteDeployment) for action in decision.actions),
    ),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_an_edit_counts_at_once(name: str) -> None:
    """In the pass that sees it, also in the middle of what is in flight."""
    world, edited, counts = AT_ONCE[name]

    assert counts(decide(world.edited(edited).observe()))
    assert not counts(decide(world.observe()))


def test_drain_waits_and_says_so() -> None:
    """Of spec.traffic and another strategy it is said that they count once the rollout has ended."""
    world = routed(World().stable(10).canary(2), 20, "pause").but(policy_waits=True)
    message = answers.ready(decide(world.observe()))[1]

    assert message.endswith("spec.strategy or spec.traffic was changed: that spec counts once this rollout has ended")
