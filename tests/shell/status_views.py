"""Rollouts in each phase and of each strategy, and what `headgate status` shows of them in 80 columns.

`python -m tests.shell.status_views` writes the pictures anew, to be read before they are committed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from headgate.api import names, status, values
from headgate.api.status import Condition, Ending, Outcome, Phase
from headgate.cli.status import facts, lines, view
from headgate.cli.status.facts import Objects

Json = dict[str, Any]
NOW: Final = 1_800_000_000
WIDTH: Final = 80
PICTURES: Final = Path(__file__).with_suffix(".txt")
OLD, NEW = "bbbbbbbbbb", "cccccccccc"
STEPS: Final = [{"setWeight": 20}, {"pause": {"duration": "2m"}}, {"setWeight": 50}, {"pause": {}}]
CANARY: Final = {"canary": {"steps": STEPS}}
METRICS: Final = [
    {"name": "error-rate", "passesToAdvance": 3, "failuresToRollback": 2},
    {"name": "latency-p99"},
]
_HEAD: Final = "=== "


def side(revision: int, digest: str, wanted: int, ready: int) -> Json:
    """Return the fields of one revision."""
    images = (f"registry.example/shop/web:{revision}.0",)
    return {"revision": revision, "hash": digest, "images": images, "replicas": wanted, "ready": ready}


def stable(wanted: int = 4, ready: int = 4) -> Json:
    """Return the revision that users get."""
    return {"stable": status.Side(**side(1, OLD, wanted, ready))}


def canary(wanted: int = 1, ready: int = 1, **more: Any) -> Json:
    """Return the revision that is on its way."""
    return {"canary": status.Canary(**side(2, NEW, wanted, ready), started=NOW - 300, **more)}


def at(index: int, desired: int, achieved: int, of: int = 5) -> Json:
    """Return a step and its weight."""
    step = status.StepStatus(index=index, of=of, text=f"{index}/{of}", since=NOW - 60)
    return {"step": step, "weight": status.Weight(desired=desired, achieved=achieved, since=NOW - 60)}


def measured(verdict: Outcome, value: str, **more: Any) -> Json:
    """Return the state of the analysis."""
    known: Json = {"since": NOW - 30, "last_tick": NOW - 5}
    failing = status.MetricStatus(
        name="error-rate", verdict=verdict, value=value, bound="at most 0.05", **known, **more
    )
    passing = status.MetricStatus(
        name="latency-p99", verdict=Outcome.PASSED, value="0.2134567", bound="at most 0.5", passes=2, **known
    )
    return {"analysis": (failing, passing)}


def condition(kind: str, message: str, *, holds: bool = True, reason: str = "Reason") -> Condition:
    """Return one condition."""
    told = "True" if holds else "False"
    return Condition(
        type=kind, status=told, reason=reason, message=message, last_transition_time=NOW, observed_generation=2
    )


def rollout(phase: Phase, message: str, *fields: Json, strategy: Json = CANARY, **more: Any) -> Json:
    """Return a Rollout as the API server gives it."""
    conditions = [condition("Ready", message, holds=phase is Phase.HEALTHY), *more.pop("conditions", ())]
    known: Json = {name: value for group in fields for name, value in group.items()}
    written = status.RolloutStatus(
        observed_generation=2, phase=phase, conditions=tuple(conditions), **known, **more
    ).written()
    return {**unobserved(strategy), "status": written}


def unobserved(strategy: Json = CANARY) -> Json:
    """Return a Rollout that no operator has seen."""
    return {
        "kind": names.KIND,
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1", "generation": 2},
        "spec": {"replicas": 4, "strategy": strategy, "analysis": {"metrics": METRICS}},
    }


def event(age_seconds: int, reason: str, note: str, kind: str = "Normal") -> Json:
    """Return an Event about the Rollout."""
    return {
        "metadata": {"name": f"web.{age_seconds}"},
        "regarding": {"kind": names.KIND, "name": "web", "uid": "uid-1"},
        "eventTime": values.format_moment(NOW - age_seconds),
        "reason": reason,
        "note": note,
        "type": kind,
    }


EVENTS: Final = [
    event(20, "StepStarted", "revision 2: step 2/5: pause 2m"),
    event(300, "RolloutStarted", "revision 2 (cccccccccc) is on its way"),
    event(5, "MetricFailing", "error-rate is 0.333, at most 0.05 is allowed; 1 of 2 failures in a row", "Warning"),
]
DEPLOYMENTS: Final = [
    {"metadata": {"labels": {names.POD_HASH: OLD}}, "status": {"replicas": 5, "readyReplicas": 4}},
    {"metadata": {"labels": {names.POD_HASH: NEW}}, "spec": {"replicas": 2}, "status": {"replicas": 1}},
]
_LEAVING: Final[Json] = {
    "abort": status.Abort(
        ending=Ending.ROLLED_BACK,
        reason="MetricFailed",
        message="error-rate was 0.333, and at most 0.05 is allowed: 2 of 2 failures in a row",
        since=NOW - 10,
    )
}
_PROMOTE: Final = f"until promoted: kubectl annotate rollouts.headgate.dev web {names.PROMOTE}={NEW}/4"
_WARM: Final = {"previous": status.Previous(**side(1, OLD, 4, 4), promoted=NOW - 5, started=NOW - 300)}
_NEW_STABLE: Final = {"stable": status.Side(**side(2, NEW, 4, 4))}
_DRILL: Final = status.Drill(of=OLD, within_seconds=60)

CASES: Final[dict[str, Objects]] = {
    "no operator yet": Objects(unobserved()),
    "Pending": Objects(rollout(Phase.PENDING, "the Service web is missing: create it")),
    "Progressing, the first revision": Objects(rollout(Phase.PROGRESSING, "2 of 4 pods ready", stable(4, 2))),
    "Progressing": Objects(
        rollout(
            *(Phase.PROGRESSING, "1 of 3 passes of error-rate at 20 %", stable(), canary(), at(1, 20, 20)),
            measured(Outcome.PASSED, "0.01", passes=1),
        ),
        DEPLOYMENTS,
        EVENTS,
    ),
    "Paused": Objects(rollout(Phase.PAUSED, _PROMOTE, stable(2, 2), canary(2, 2), at(4, 50, 50)), (), EVENTS[:1]),
    "Holding": Objects(
        rollout(
            *(Phase.HOLDING, "error-rate has had no data for 10m", stable(), canary(), at(1, 20, 20)),
            measured(Outcome.NO_DATA, "", message="the query returns no series: web_requests_total is not known"),
        )
    ),
    "Promoting": Objects(rollout(Phase.PROMOTING, "revision 2 is stable; its drain ends in 30s", _NEW_STABLE, _WARM)),
    "Healthy": Objects(
        rollout(Phase.HEALTHY, "revision 2 serves with 4 of 4 pods ready", _NEW_STABLE), (), EVENTS[1:2]
    ),
    "Drilling": Objects(
        rollout(Phase.DRILLING, "1 of 1 pods of the drill ready", stable(), canary(drill=_DRILL), at(1, 20, 0))
    ),
    "RollingBack": Objects(
        rollout(
            *(Phase.ROLLING_BACK, "the routes are drained in 12s", stable(), canary(**_LEAVING), at(3, 0, 50)),
            measured(Outcome.FAILED, "0.33333333", failures=2),
        ),
        (),
        EVENTS,
    ),
    "RolledBack": Objects(
        rollout(
            *(Phase.ROLLED_BACK, "revision 2 was taken back: error-rate was 0.333; revision 1 serves", stable()),
            conditions=[condition("Stalled", "it was taken back")],
        )
    ),
    "Degraded": Objects(
        rollout(
            *(Phase.DEGRADED, "no progress for 10m: 0 of 12 stable pods ready: image cannot be pulled", stable(12, 0)),
            conditions=[condition("Disputed", "the Deployment web-old has the labels of this Rollout's pods")],
        ),
        unread=('the Events are not shown: events.events.k8s.io is forbidden: User "ann" cannot list them',),
    ),
    "blueGreen": Objects(
        rollout(Phase.PAUSED, _PROMOTE, stable(), canary(4, 4), strategy={"blueGreen": {}}, step=at(1, 0, 0, 2)["step"])
    ),
    "rollingUpdate": Objects(
        rollout(
            Phase.PROGRESSING, "1 of 2 canary pods ready", stable(3, 3), canary(2, 1), strategy={"rollingUpdate": {}}
        )
    ),
    "recreate": Objects(
        rollout(Phase.PROGRESSING, "0 of 4 canary pods ready", stable(0, 0), canary(4, 0), strategy={"recreate": {}})
    ),
    "edited steps": Objects(
        rollout(Phase.PROGRESSING, "0 of 1 canary pods ready", stable(), canary(1, 0), at(2, 50, 20, of=3))
    ),
}


def picture(objects: Objects, width: int = WIDTH) -> str:
    """Return what is shown of *objects*, without colours."""
    drawn = view.screen(facts.state(objects), NOW, width)
    return "".join(f"{lines.plain(line)}\n" for line in drawn)


def pictures() -> dict[str, str]:
    """Return the pictures as they are kept, by their names."""
    parts = PICTURES.read_text(encoding="utf-8").split(_HEAD)[1:]
    return {name: body.removesuffix("\n") for name, _, body in (part.partition("\n") for part in parts)}


def _text() -> Iterator[str]:
    for name, objects in CASES.items():
        yield f"{_HEAD}{name}\n{picture(objects)}\n"


if __name__ == "__main__":
    PICTURES.write_text("".join(_text()), encoding="utf-8")
