"""The strategies as a shop takes them: what its spec says, how far a rollout is, and what may come in between.

Owns the acts of a play and who visits meanwhile. Must not know what ought to be lost.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tests.e2e import podinfo, routed, shops
from tests.e2e.load import Connections, Load
from tests.e2e.nodes import Json
from tests.e2e.shops import PATIENCE_SECONDS, Shop
from tests.e2e.soak import CalmShop, Crowd

REPLICAS, MORE, FEWER = 3, 5, 2
WHOLE: Final = 100
PLAY_SECONDS: Final = 1200
"""After which the users of a play go home, whatever becomes of it."""
APART_SECONDS: Final = 1.0
"""How far two losses are from each other that are not of the same downtime."""
PASSES_SOON: Final = podinfo.error_rate("[45]..", **shops.QUICK)
# Long enough to do something while all users have the new version, and it is not promoted yet.
PASSES_LATE: Final = podinfo.error_rate("[45]..", window="20s", passesToAdvance=1)
SERVICES: Final[Json] = {
    "stableService": shops.NAME,
    "canaryService": routed.CANARY,
    "drain": f"{routed.DRAIN_SECONDS}s",
}
ROUTED: Final[Json] = routed.spec()["traffic"]
_marks = itertools.count()


def _at_a_step(status: Json) -> bool:
    return status.get("step", {}).get("index") == 2 and "since" in status.get("weight", {})


def _in_preview(status: Json) -> bool:
    return bool(status.get("phase") == "Paused")


def _some_are_new(status: Json) -> bool:
    return bool(0 < status.get("canary", {}).get("ready", 0) < REPLICAS)


def _nobody_serves(status: Json) -> bool:
    return "canary" in status and status.get("ready", "").startswith("0/")


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One strategy."""

    key: str
    goes: Json
    """Its fields, by which a good version reaches everybody by itself."""
    holds: Json
    """What to add for a halt in the middle; nothing where the strategy knows none."""
    middle: Callable[[Json], bool]
    """Whether a status is in the middle: early enough that most users have the old version, or none."""
    traffic: Json | None = None
    paused_at: int = 0
    """The step of that halt."""
    more: Json = dataclasses.field(default_factory=dict)
    """Further fields of the spec."""

    @property
    def keeps_warm(self) -> bool:
        """Whether the old pods stay for a while when the new version was promoted, and users leave pods before they go.

        Without Services of their own for the revisions it is with a pod's end that its users learn of it.
        """
        return self.traffic is not None

    def spec(self, *, holds: bool = False, delay: str = "1s") -> Json:
        """Return the fields of the spec; *delay* is how long old pods stay, where they do."""
        fields = {**self.goes, **({"scaleDownDelay": delay} if self.keeps_warm else {})}
        if holds:
            fields = {name: value for name, value in fields.items() if name != "autoPromotion"} | self.holds
        return {"strategy": {self.key: fields}, **self.more, **({"traffic": self.traffic} if self.traffic else {})}


_STEPS: Final[Json] = {"steps": [{"setWeight": 50}]}
_HALTED: Final[Json] = {"steps": [{"setWeight": 50}, {"pause": {}}]}
_AT_ONCE: Final[Json] = {"autoPromotion": {}}
WAYS: Final[Mapping[str, Way]] = {
    "canary, routed": Way("canary", _STEPS, _HALTED, _at_a_step, ROUTED, 2),
    "canary by pods": Way("canary", _STEPS, _HALTED, _at_a_step, None, 2),
    "blueGreen, Services": Way("blueGreen", _AT_ONCE, {}, _in_preview, SERVICES, 2),
    "blueGreen, routed": Way("blueGreen", _AT_ONCE, {}, _in_preview, ROUTED, 2),
    "rollingUpdate": Way("rollingUpdate", {"maxSurge": 1}, {}, _some_are_new, more={"minReadySeconds": 3}),
    "recreate": Way("recreate", {}, {}, _nobody_serves),
}


@dataclasses.dataclass
class Stage:
    """A shop that takes one of the ways, and how far it is."""

    way: Way
    shop: Shop
    acted_at: float = 0.0
    """When an abort was given."""
    ended_at: float = 0.0
    """When its last act was over."""
    _stable: str = podinfo.GOOD

    @property
    def stable(self) -> str:
        """The version that users had before."""
        return self._stable

    @property
    def other(self) -> str:
        """The version that is shipped next."""
        return podinfo.BETTER if self._stable == podinfo.GOOD else podinfo.GOOD

    def look(self) -> None:
        """Learn which version users have."""
        (image,) = self.shop.status["stable"]["images"]
        self._stable = image.rpartition(":")[2]

    def ship(self, *, patient: bool = False, metric: Json = PASSES_SOON, **how: Any) -> None:
        """Apply the other version, with a template of its own.

        Its pods see their users out if *patient*, or where users leave only with the pods; else they go at once.
        """
        manifest = self.shop.manifest(self.other, replicas=REPLICAS, metrics=[metric], **self.way.spec(**how))
        mark = f"{next(_marks)}"
        if patient or (not self.way.keeps_warm and self.way.key != "recreate"):
            manifest["spec"]["template"]["metadata"]["annotations"]["headgate.test/mark"] = mark
        else:
            routed.abrupt(manifest, mark)
        self.shop.apply(manifest)

    def wait(self, reached: Callable[[Json], bool], what: str) -> None:
        """Wait until the status has *reached* something."""
        self.shop.wait(lambda: reached(self.shop.status), what, PATIENCE_SECONDS)

    @staticmethod
    def switched(status: Json) -> bool:
        """Return whether all users have the new version, and it is not promoted yet."""
        weight, canary = status.get("weight", {}), status.get("canary", {})
        there = weight.get("desired") == WHOLE and "since" in weight and canary.get("ready", 0) >= REPLICAS
        return bool(there and status.get("phase") == "Promoting")

    def wait_switched(self) -> None:
        """Wait until all users have the new version, and it is not promoted yet."""
        self.wait(self.switched, "switched")

    def wait_met(self) -> None:
        """Wait until the other version has answered users: a Gateway follows up to 2 s after the status."""
        users = self.shop.visitors
        self.shop.wait(lambda: users.snapshot().of(self.other).requests > 0, "users meet it", PATIENCE_SECONDS)

    def release(self) -> None:
        """End the halt in the middle, where there is one."""
        if self.way.paused_at:
            self.shop.command("promote", f"{self.shop.status['canary']['hash']}/{self.way.paused_at}")

    def wait_promoted(self) -> None:
        """Wait until the other version is stable, and no pod of the one before is left."""
        self.shop.wait_stable(self.other)
        alone = {self.other}
        self.shop.wait(lambda: set(self.shop.pods_by_version()) == alone, "the old pods are gone", PATIENCE_SECONDS)
        self._stable = self.other

    def abort(self) -> None:
        """Go back, and wait until no pod of the other version is left."""
        self.acted_at = time.time()
        self.shop.command("abort", "now")
        self.shop.wait_rolled_back("Aborted", self.stable)
        self.wait(lambda status: status["ready"] == f"{REPLICAS}/{REPLICAS}", "all pods are back")


# --- acts -------------------------------------------------------------------------------------------------------------


def promotion(stage: Stage) -> None:
    """Ship a good version, which reaches everybody on evidence."""
    stage.ship()
    stage.wait_promoted()


def to_the_middle(stage: Stage) -> None:
    """Ship a good version, and stop in the middle if that is possible."""
    stage.ship(holds=True, metric=PASSES_LATE)
    stage.wait(stage.way.middle, "in the middle")


def abort_early(stage: Stage) -> None:
    """Abort while most users have the old version."""
    to_the_middle(stage)
    stage.abort()


def abort_switched(stage: Stage) -> None:
    """Abort when all users have the new version, which has yet to prove itself."""
    stage.ship(metric=PASSES_LATE)
    stage.wait_switched()
    stage.wait_met()
    stage.abort()


def abort_warm(stage: Stage) -> None:
    """Abort after the promotion, while the old pods are warm."""
    stage.ship(delay="10m")
    stage.wait(lambda status: "until" in status.get("previous", {}), "previous")
    stage.abort()


def newer(stage: Stage) -> None:
    """Ship yet another version in the middle of one."""
    to_the_middle(stage)
    older = stage.shop.status["canary"]["hash"]
    stage.ship()
    stage.wait_promoted()
    assert stage.shop.status["stable"]["hash"] != older, "the version in the middle was promoted"


def release(stage: Stage) -> None:
    """Go on from the middle, until all users have the new version."""
    stage.release()
    stage.wait_switched()


def scaled(stage: Stage) -> None:
    """Ask for more pods in the middle, then for fewer: those that go at the end have users until then."""
    stage.ship(holds=True, patient=True)
    stage.wait(stage.way.middle, "in the middle")
    _scale(stage, MORE)
    stage.wait(lambda status: status["ready"].endswith(f"/{MORE}"), "more are asked for")
    _scale(stage, FEWER)
    stage.release()
    stage.wait_promoted()
    stage.wait(lambda status: status["ready"] == f"{FEWER}/{FEWER}", "as few as were asked for")


def _scale(stage: Stage, replicas: int) -> None:
    stage.shop.kubectl("scale", "rollout/web", "-n", stage.shop.namespace, f"--replicas={replicas}")


Act = Callable[[Stage], None]
KILLED: Final = "operator killed"
"""The play between whose acts the operator dies."""
PLAYS: Final[Mapping[str, tuple[Act, ...]]] = {
    "promotion": (promotion,),
    "abort early": (abort_early,),
    "abort after the switch": (abort_switched,),
    "abort while warm": (abort_warm,),
    "newer version mid-flight": (newer,),
    KILLED: (to_the_middle, release, Stage.wait_promoted),
    "scaled mid-flight": (scaled,),
}


# --- users ------------------------------------------------------------------------------------------------------------


def named(name: str) -> str:
    """Return the name of a strategy as one of Kubernetes."""
    return "-".join(name.lower().replace(",", "").split())


def staged(way: Way, shop: Shop) -> Stage:
    """Return the stage of a shop whose first version is on its way, once users are let in."""
    shops.serving(shop).visitors.stop()
    return Stage(way, CalmShop(**vars(shop)))


def crowd(shop: Shop, per_second: int) -> Crowd:
    """Return users who are in: by the gateway, on kept and on new connections, and by the Service itself."""
    found = Crowd(shop, PLAY_SECONDS, per_second)
    url = f"http://{routed.read(shop, 'service')['spec']['clusterIP']}{podinfo.PATH}"
    inside = Load(
        shop.node.cluster,
        url,
        podinfo.version_of,
        per_second,
        duration_seconds=PLAY_SECONDS,
        connections=Connections.NEW,
    )
    found.loads.append(inside)
    shop.visitors = found.loads[0]
    for one in found.loads:
        one.start()
    return found


def lost_seconds(moments: Iterable[float]) -> float:
    """Return how long it is from the first to the last of *moments*, without the rests between them."""
    gaps = [after - before for before, after in itertools.pairwise(sorted(moments))]
    return sum(gap for gap in gaps if gap <= APART_SECONDS)
