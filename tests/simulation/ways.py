"""The strategies that are no canaries, in worlds: what a spec says of them, and two moments of their rollouts."""

import dataclasses
from collections.abc import Callable

from headgate.api import names
from headgate.api.status import Phase
from headgate.core.model import Json
from headgate.simulation import specs
from tests.simulation import shops, worlds
from tests.simulation.shops import QUICK

REPLICAS = 4
SMOKE = specs.metric("smoke", when=["PrePromotion"], interval="5s", window="5s", passesToAdvance=1)
SERVICES: Json = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}


def _previewed(play: worlds.Play) -> bool:
    return play.world.phase is Phase.PAUSED


def _switched(play: worlds.Play) -> bool:
    weight = play.world.status.weight
    return weight is not None and weight.desired == 100 and weight.since is not None


def _new_pods(count: int) -> Callable[[worlds.Play], bool]:
    def serve(play: worlds.Play) -> bool:
        canary = play.world.status.canary
        return canary is not None and play.world.pods_of(canary.hash)[1] >= count

    return serve


def _coming(play: worlds.Play) -> bool:
    canary = play.world.status.canary
    return canary is not None and play.world.pods_of(canary.hash)[0] > 0


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """A strategy, and two moments of its rollouts."""

    strategy: Json
    middle: Callable[[worlds.Play], bool]
    late: Callable[[worlds.Play], bool]
    """All users have the new version, and it is not promoted yet."""
    traffic: Json | None = None

    def begun(self, seed: int) -> worlds.Play:
        """Return a world at rest on web:1."""
        measured = (QUICK, SMOKE) if "blueGreen" in self.strategy else (QUICK,)
        usual: Json = {"strategy": self.strategy, "replicas": REPLICAS, "measured": measured, "steps": ()}
        return shops.shop(seed, **usual, traffic=self.traffic) if self.traffic else worlds.play(seed, **usual)

    def reach(self, play: worlds.Play, *, late: bool = False) -> str:
        """Ship web:2 and return its hash when it is in the middle, or when all users have it."""
        play.world.apply(play.spec("web:2"))
        self.become(play, self.middle)
        canary = play.world.status.canary.hash if play.world.status.canary else ""
        if late:
            self.release(play, canary)
            self.become(play, self.late)
        return canary

    def release(self, play: worlds.Play, canary: str) -> None:
        """End what halts in the middle."""
        if "blueGreen" in self.strategy:
            play.world.annotate(names.PROMOTE, f"{canary}/2")

    @staticmethod
    def become(play: worlds.Play, moment: Callable[[worlds.Play], bool]) -> None:
        """Let time pass until it is that far."""
        assert play.world.run_until(lambda: moment(play), 900), play.world.account()


BLUE_GREEN: Json = {"blueGreen": {"scaleDownDelay": "1m"}}
ROLLING: Json = {"rollingUpdate": {"maxSurge": 1}}
WAYS = {
    "blueGreen-services": Way(BLUE_GREEN, _previewed, _switched, SERVICES),
    "blueGreen-routed": Way(BLUE_GREEN, _previewed, _switched, specs.traffic()),
    "rollingUpdate": Way(ROLLING, _new_pods(2), _new_pods(REPLICAS)),
    "rollingUpdate-routed": Way(ROLLING, _new_pods(2), _new_pods(REPLICAS), specs.traffic()),
    "recreate": Way({"recreate": {}}, _coming, _new_pods(REPLICAS)),
}
