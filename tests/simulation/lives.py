"""The life of a Rollout in which anything may happen, for hypothesis to play: by pod ratio."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from headgate.api import names
from headgate.api.status import Outcome
from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import worlds

IMAGES = ("web:1", "web:2", "web:3", "web:broken", "web:refused", "web:slow")
STEPS = (
    (),
    (specs.weight(20), specs.weight(50)),
    (specs.weight(10), specs.pause("1m"), specs.weight(60)),
    (specs.weight(30), specs.pause(), specs.weight(80)),
    (specs.weight(0), specs.weight(5), specs.weight(100), specs.pause("30s")),
)
ENDING = STEPS[1]
"""Steps that nobody has to promote."""
STRATEGIES: tuple[Json, ...] = (
    {},
    {"maxSurge": 1, "maxUnavailable": 0},
    {"maxSurge": 0, "maxUnavailable": 2},
    {"maxSurge": "100%", "maxUnavailable": "20%"},
    {"minReadySeconds": 7},
)
WAYS: tuple[Json, ...] = (
    {},
    {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "30%"}}},
    {"strategy": {"recreate": {}}},
)
"""Instead of a canary."""
VALUES = (0.0, 0.005, 0.5, Outcome.NO_DATA, Outcome.AMBIGUOUS)


class AnythingHappens(RuleBasedStateMachine):
    """A Rollout's life: the judges watch every write, and in the end it comes to rest."""

    ways = WAYS

    def __init__(self) -> None:
        super().__init__()
        self.play: worlds.Play | None = None
        self.fields: Json = {}
        self.image = "web:1"
        self.lossy = False
        self.scheduled: Json | None = None
        """When drills are due."""

    @property
    def world(self) -> Any:
        """The world that is played in."""
        assert self.play is not None
        return self.play.world

    @initialize(
        seed=st.integers(0, 2**16),
        replicas=st.integers(1, 12),
        steps=st.sampled_from(STEPS),
        strategy=st.sampled_from(STRATEGIES),
        way=st.sampled_from(WAYS),
        flags=st.tuples(st.booleans(), st.booleans()),
    )
    def begin(self, seed: int, replicas: int, steps: Any, strategy: Any, way: Json, flags: Any) -> None:
        """Begin with any strategy, at any pace."""
        slow, measured = flags
        pace = Pace(call=0.3, lag=0.5) if slow else Pace()
        metrics = (specs.metric(),) if measured else ()
        self.play = worlds.play(seed, pace=pace, replicas=replicas, steps=steps, measured=metrics, **strategy)
        self.fields = {"replicas": replicas, **way}
        self.images()

    def images(self) -> None:
        """Let images be as their names say, and watches lose events while they are told to."""
        self.world.pods.images["web:broken"] = Image(trouble="CrashLoopBackOff")
        self.world.pods.images["web:slow"] = Image(ready_after_seconds=40.0)
        self.world.server.banned_images.add("web:refused")
        self.world.around.loses = lambda _: self.lossy and self.world.dice.random() < 0.5

    def apply(self) -> None:
        """Apply the spec as the user has it now."""
        assert self.play is not None
        drills = {} if self.scheduled is None or self.switched() else {"drill": self.scheduled}
        self.world.apply(self.play.spec(self.image, **self.fields, **drills))

    def switched(self) -> bool:
        """Return whether the strategy is one that no drill may be asked of."""
        return bool({"recreate", "blueGreen"} & self.fields.get("strategy", {}).keys())

    @rule(seconds=st.sampled_from((0.05, 0.3, 1.0, 4.0, 15.0, 60.0, 240.0)))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run(seconds)

    @rule(image=st.sampled_from(IMAGES), seconds=st.sampled_from((0.0, 20.0, 120.0)))
    def ship(self, image: str, seconds: float) -> None:
        """Apply an image."""
        self.image = image
        self.apply()
        self.world.run(seconds)

    @rule(replicas=st.integers(0, 14))
    def scale(self, replicas: int) -> None:
        """Ask for other replicas."""
        self.fields["replicas"] = replicas
        self.apply()

    @rule(paused=st.booleans())
    def pause(self, *, paused: bool) -> None:
        """Pause the steps, or let them go on."""
        self.fields["paused"] = paused
        self.apply()

    @rule(steps=st.sampled_from(STEPS))
    def edit_steps(self, steps: Any) -> None:
        """Apply other steps."""
        self.fields["steps"] = steps
        self.apply()

    @rule(data=st.data())
    def other_way(self, data: st.DataObject) -> None:
        """Apply another strategy."""
        for name in ("strategy", "traffic"):
            self.fields.pop(name, None)
        self.fields |= data.draw(st.sampled_from(self.ways))
        self.apply()

    @rule(
        command=st.sampled_from((*names.COMMANDS, names.ABORT)),
        value=st.sampled_from(("right", "wrong", "now", "")),
    )
    def command(self, command: str, value: str) -> None:
        """Give a command, a right or a wrong one."""
        status = self.world.status
        canary = status.canary
        if value == "right" and command == names.DRILL and status.stable is not None:
            value = status.stable.hash
        elif value == "right" and command == names.RETRY:
            value = status.rejected[0].hash if status.rejected else "none"
        elif value == "right" and canary is not None:
            step = f"/{status.step.index}" if command == names.PROMOTE and status.step else ""
            value = canary.hash + step
        self.world.annotate(command, value)

    @rule(seconds=st.sampled_from((0.5, 5.0, 40.0)))
    def drill(self, seconds: float) -> None:
        """Ask for a drill, whatever else goes on."""
        self.world.annotate(names.DRILL, names.DRILL_NOW)
        self.world.run(seconds)

    @rule(every=st.sampled_from((None, "* * * * *", "*/7 * * * *")))
    def schedule(self, every: str | None) -> None:
        """Have drills by a schedule, or none."""
        self.scheduled = {"schedule": every, "timeZone": "Asia/Kathmandu", "within": "5s"} if every else None
        self.apply()

    @rule(back=st.integers(0, 4), by_hash=st.booleans())
    def roll_back(self, back: int, *, by_hash: bool) -> None:
        """Ask for an earlier revision, or for one that does not fit."""
        history = self.world.status.history
        if history:
            entry = history[back % len(history)]
            self.world.annotate(names.ROLLBACK_TO, entry.hash if by_hash else str(entry.revision))

    @rule(value=st.sampled_from(VALUES))
    def measure(self, value: Any) -> None:
        """Let every revision have another value from now on."""
        self.world.script.say(value, self.world.now)

    @rule(seconds=st.sampled_from((20.0, 300.0)))
    def metrics_outage(self, seconds: float) -> None:
        """Let nobody answer for a while."""
        self.world.script.outages.append((self.world.now, self.world.now + seconds))

    @rule(count=st.integers(1, 3), seconds=st.sampled_from((3.0, 40.0)), canary=st.booleans())
    def pods_fail(self, count: int, seconds: float, *, canary: bool) -> None:
        """Let pods crash."""
        status = self.world.status
        side = status.canary if canary else status.stable
        if side is not None:
            self.world.fail_pods(side.hash, count, seconds)

    def _meddle(self, change: Callable[[Json], None], *, canary: bool) -> None:
        status = self.world.status
        side = status.canary if canary else status.stable
        if side is not None:
            self.world.meddle(side.hash, change)

    @rule(replicas=st.integers(0, 9), canary=st.booleans())
    def somebody_scales(self, replicas: int, *, canary: bool) -> None:
        """Let somebody set a Deployment's replicas."""
        self._meddle(lambda thing: thing["spec"].update(replicas=replicas), canary=canary)

    @rule(canary=st.booleans())
    def somebody_edits(self, *, canary: bool) -> None:
        """Let somebody change a Deployment's template."""

        def change(thing: Json) -> None:
            thing["spec"]["template"]["spec"]["containers"][0]["image"] = "web:hacked"

        self._meddle(change, canary=canary)

    @rule(after=st.booleans(), ahead=st.integers(1, 4))
    def operator_crashes(self, ahead: int, *, after: bool) -> None:
        """Kill the operator around a write to come."""
        nth = self.world.writes + ahead
        trouble = fault_injection.Trouble.CRASH_AFTER if after else fault_injection.Trouble.CRASH_BEFORE
        self.world.plan = fault_injection.at_write(nth, trouble)

    @rule(seconds=st.sampled_from((5.0, 60.0)))
    def operator_restarts(self, seconds: float) -> None:
        """Stop the operator for a while."""
        if self.world.operator.alive:
            self.world.operator.die()
            self.world.restarts = False
            self.world.run(seconds)
            self.world.restart()

    @rule(
        trouble=st.sampled_from(list(fault_injection.Trouble)[2:]),
        seconds=st.sampled_from((2.0, 30.0)),
        chance=st.sampled_from((0.1, 1.0)),
    )
    def network(self, trouble: fault_injection.Trouble, seconds: float, chance: float) -> None:
        """Let calls fail for a while."""
        began, dice = self.world.now, self.world.dice
        odds = fault_injection.at_random(dice, chance, trouble)
        self.world.plan = lambda call: odds(call) if call.at < began + seconds else None

    @rule(lossy=st.booleans())
    def lose_events(self, *, lossy: bool) -> None:
        """Let watches lose every second event."""
        self.lossy = lossy

    @rule(orphan=st.booleans())
    def delete(self, *, orphan: bool) -> None:
        """Delete the Rollout."""
        self.world.delete(orphan=orphan)

    @precondition(lambda self: self.play is not None and self.world.rollout is None)
    @rule()
    def create_again(self) -> None:
        """Apply the spec once the Rollout is gone."""
        self.apply()

    def undeleted(self) -> bool:
        """Return whether no deletion is going on."""
        rollout = self.world.rollout
        return rollout is None or rollout["metadata"].get("deletionTimestamp") is None

    def collected(self) -> None:
        """Put back what went with a Rollout and its user needs."""

    def mended(self) -> None:
        """Let all be well again."""
        self.lossy = False
        self.world.plan = lambda _: None
        self.world.script.say(0.0, self.world.now)

    def teardown(self) -> None:
        """When all is well again, everything comes to an end and to rest."""
        if self.play is None:
            return
        self.mended()
        assert self.world.run_until(self.undeleted, worlds.LONG_SECONDS), self.world.rollout
        self.collected()
        if self.image == "web:refused" or self.world.status.stable is None:
            self.image = "web:2"  # a first revision that cannot run, or is refused, has nothing to go back to
        self.fields, self.scheduled = {**self.fields, "paused": False, "steps": ENDING}, None
        self.apply()
        passes = len(self.world.journal.passes)
        assert self.world.run_until(self.world.settled, worlds.LONG_SECONDS), self.world.account()
        assert len(self.world.journal.passes) - passes < 2000
        self.world.run(700)
        assert self.world.settled(), self.world.account()
        self.rested()

    def rested(self) -> None:
        """Hold that nothing is written any more."""
        writes = len(self.world.journal.writes)
        self.world.run(1300)
        assert writes == len(self.world.journal.writes), self.world.account()
