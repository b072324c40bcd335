"""What judges share: how a violation is told, and what the world looks like without asking the code under test.

The arithmetic here is written from the design, by brute force, and on purpose not shared with `core`.
"""

import dataclasses
import fractions
import functools
import math
from collections.abc import Callable, Iterator, Sequence

from headgate.api import names
from headgate.api.spec import POLICY_FIELDS
from headgate.api.status import RolloutStatus
from headgate.core.model import Json, Kind, Part
from headgate.core.revisions import identity as revisions_identity
from headgate.observe import parse_rollout
from headgate.simulation.cluster.store import Change
from headgate.simulation.world import KEY, World

OUTSIDER_SECONDS = 60.0
"""For how long after another client changed a Deployment nothing is held against the operator's numbers."""
RECENT_SECONDS = 5.0
"""How long a decision may take to reach the pods: a pass, its calls and three controllers."""


class Violation(AssertionError):
    """A promise was broken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How many pods there may and must be."""

    total: int
    surge: int
    unavailable: int
    routed: bool = False
    """Whether routes, and not pods, decide who gets what."""
    previewed: bool = False
    """Whether the canary may be there in full at any weight."""
    floor: int = 0
    """How many pods the canary may have whatever the weight: the most that any step asks for."""

    @property
    def least(self) -> int:
        """The fewest that must serve."""
        return max(0, self.total - self.unavailable)

    @property
    def most(self) -> int:
        """The most that may exist."""
        return self.total + self.surge

    def carriers(self, percent: int) -> int:
        """Return the fewest pods that carry *percent* as routes can say it: in whole percents.

        Two versions that share all pods share all traffic, and what is left of a percent falls to the larger one.
        """
        rounded = percent - 1 if percent > 50 else percent  # noqa: PLR2004  # the half
        enough = [
            pods
            for pods in range(self.total + 1)
            if 100 * pods > rounded * self.total or 100 * pods == percent * self.total
        ]
        return enough[0]

    def split(self, percent: int) -> tuple[int, int]:
        """Return how many stable and canary pods are nearest to *percent*, trying them all."""
        if self.previewed:
            return self.total, self.total
        if self.routed:
            # One stable pod stays for callers that know nothing of routes.
            canary = min(max(self.floor, -(-self.total * percent // 100)), max(0, self.most - 1))
            return min(self.total, self.most - canary), canary
        if percent == 0 or self.total == 0:
            return self.total, 0
        if percent == 100:  # noqa: PLR2004  # the whole
            return 0, self.total
        return _nearest(self.total, self.most, percent)


@functools.cache
def _nearest(total: int, most: int, percent: int) -> tuple[int, int]:
    share = fractions.Fraction(percent, 100)
    pairs = [
        (stable, canary)
        for stable in range(1, total + 1)
        for canary in range(1, total + 1)
        if total <= stable + canary <= most
    ]
    return min(pairs, key=lambda pair: (abs(fractions.Fraction(pair[1], sum(pair)) - share), sum(pair), pair[1]))


def _amount(count: int | str, total: int) -> fractions.Fraction:
    if isinstance(count, int):
        return fractions.Fraction(count)
    return fractions.Fraction(int(count[:-1]) * total, 100)


def bounds(strategy: Json, total: int, *, routed: bool = False) -> Bounds:
    """Return what a strategy as written means for *total* replicas."""
    if "recreate" in strategy:
        return Bounds(total, 0, total)  # no request needs to be served meanwhile
    if "blueGreen" in strategy:
        return Bounds(total, total, 0, routed=True, previewed=True)
    way: Json = next(iter(strategy.values()), {})
    usual = "100%" if routed and "canary" in strategy else "25%"
    surge = math.ceil(_amount(way.get("maxSurge", usual), total))
    unavailable = math.floor(_amount(way.get("maxUnavailable", 0), total))
    if total == 1:
        surge = max(1, surge)
    elif surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(total, surge, min(unavailable, total), routed, floor=_floor(way.get("steps", ()), total))


def _floor(steps: Sequence[Json], total: int) -> int:
    scales = [step["setCanaryScale"] for step in steps if "setCanaryScale" in step]
    asked: list[int] = [one.get("replicas", -(-total * one.get("weight", 0) // 100)) for one in scales]
    told_apart = any(step.get("setHeaderRoute", {}).get("match") for step in steps)
    return min(total, max((*asked, *_copied(steps, total), int(told_apart))))


def _copied(steps: Sequence[Json], total: int) -> Iterator[int]:
    """Yield how many pods each step takes at which requests are copied as well."""
    weight = percent = 0
    for step in steps:
        weight, percent = step.get("setWeight", weight), step.get("setMirrorRoute", {}).get("percentage", percent)
        if percent and weight < 100:  # noqa: PLR2004  # the whole
            yield -(-total * min(100, weight + percent) // 100)


class Context:
    """What stands at the moment, and what was wanted of late. Hears of changes before the judges do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = RolloutStatus()
        """As it is stored."""
        self.spec: Json = {}
        """The last valid one."""
        self.strategy: Json = {}
        """The one in force: a rollout ends by the kind that it began with, as it is written by now."""
        self.traffic: Json | None = None
        """That in force."""
        self._looked_at = ("", 0)
        """The Rollout and the generation of it that was last looked at."""
        self._accepted: dict[str, Json] = {}
        """Valid specs by the hash of their policy."""
        self.totals: list[tuple[float, int]] = []
        """Which replicas were asked for, and since when."""
        self.meddled_at = -math.inf
        self.rerouted_at = -math.inf
        self.flight_began = -math.inf
        self.idle: Callable[[str], bool] = lambda _: False
        """Whether no request reaches the pods of a revision any more: routes may see to that."""
        self._scaled_by: dict[str, str] = {}
        self._rerouted: set[tuple[Kind, str]] = set()
        """What a stranger changed last."""
        self._routes: set[tuple[Kind, str]] = set()
        world.store.listeners.insert(0, self._heard)

    def fail(self, message: str) -> None:
        """Tell of a violation.

        Raises:
            Violation: always.
        """
        raise Violation(f"{message}\n{self.world.account()}")

    def _heard(self, change: Change) -> None:
        if change.kind is Kind.ROLLOUT and change.after is not None:
            self._heard_rollout(change.after)
        if change.kind is Kind.DEPLOYMENT:
            self._heard_deployment(change)
        if change.kind in (Kind.SERVICE, Kind.HTTP_ROUTE):
            self._heard_way(change)

    def _heard_rollout(self, thing: Json) -> None:
        before = self.status
        self.status = self.world.understood(thing)
        if self.status.canary and (before.canary is None or before.canary.started != self.status.canary.started):
            self.flight_began = self.world.now
        # What makes the status newer leaves the spec as it was, and it is as valid as before.
        identity = (thing["metadata"]["uid"], thing["metadata"]["generation"])
        if identity != self._looked_at and not parse_rollout.validation_errors(thing["spec"]):
            self.spec = thing["spec"]
            policy = {field: self.spec[field] for field in POLICY_FIELDS if field in self.spec}
            self._accepted[revisions_identity.policy_hash(KEY.name, policy)] = self.spec
        self._looked_at = identity
        self._come_into_force()
        replicas = thing["spec"].get("replicas")
        if isinstance(replicas, int) and (not self.totals or self.totals[-1][1] != replicas):
            self.totals.append((self.world.now, replicas))

    def _come_into_force(self) -> None:
        wanted, status = self.spec, self.status
        accepted = self._accepted.get(status.policy)
        if accepted is not None and status.stable is not None and (status.canary or status.previous):
            kinds = accepted["strategy"].keys() != wanted["strategy"].keys()
            if kinds or accepted.get("traffic") != wanted.get("traffic"):
                wanted = accepted
        self.strategy, self.traffic = wanted.get("strategy", {}), wanted.get("traffic")

    def _heard_deployment(self, change: Change) -> None:
        ours = change.by in (names.OBJECT_MANAGER, "kube-controller-manager", "garbage-collector")
        uid = change.thing["metadata"]["uid"]
        spec = (change.after or {}).get("spec")
        before = (change.before or {}).get("spec")
        rolls = before is not None and spec is not None and before["template"] != spec["template"]
        if rolls or (not ours and spec != before):
            self.meddled_at = self.world.now
        if spec is not None and (change.before is None or change.before["spec"]["replicas"] != spec["replicas"]):
            self._scaled_by[uid] = change.by
        if change.after is None:
            self._scaled_by.pop(uid, None)

    def _heard_way(self, change: Change) -> None:
        place = (change.kind, change.thing["metadata"]["name"])
        before, after = ((thing or {}).get("spec") for thing in (change.before, change.after))
        first = place not in self._routes
        self._routes.add(place)
        if before == after or first:
            return
        if change.by == names.OBJECT_MANAGER:
            self._rerouted.discard(place)
        else:
            self._rerouted.add(place)
            self.rerouted_at = self.world.now

    @property
    def meddled(self) -> bool:
        """Whether another client changed numbers of late, and they may not be right again."""
        strangers = set(self._scaled_by.values()) - {names.OBJECT_MANAGER}
        ours = self.world.store.peek(Kind.DEPLOYMENT)
        if strangers or any(self.world.deployments.rolls(thing) for thing in ours):
            self.meddled_at = self.world.now
        return self.world.now < self.meddled_at + OUTSIDER_SECONDS

    def accepted(self, policy_hash: str) -> Json:
        """Return the spec whose policy was accepted under that hash; an empty one if none was."""
        return self._accepted.get(policy_hash, {})

    def wanted(self, since: float) -> list[int]:
        """Return the replicas that were asked for at some time from *since* on."""
        later = [total for at, total in self.totals if at >= since]
        earlier = [total for at, total in self.totals if at < since]
        return earlier[-1:] + later

    def budgets(self, since: float) -> list[Bounds]:
        """Return the bounds of all replicas that were asked for from *since* on."""
        return [bounds(self.strategy, total, routed=self.routed) for total in self.wanted(since)]

    @property
    def recreates(self) -> bool:
        """Whether pods of two revisions may never be there together, and no request is served in between."""
        return "recreate" in self.strategy

    @property
    def switches(self) -> bool:
        """Whether what the stable Service selects gives all users to one revision, and routes give nothing."""
        return self.traffic is not None and (self.recreates or "gatewayAPI" not in self.traffic)

    @property
    def routed(self) -> bool:
        """Whether routes, and not pods, decide who gets what."""
        return self.traffic is not None

    @property
    def rerouted(self) -> bool:
        """Whether another client changed routes or Services of late, and they may not be right again."""
        if self._rerouted:
            self.rerouted_at = self.world.now
        return self.world.now < self.rerouted_at + OUTSIDER_SECONDS

    def living(self) -> dict[str, tuple[int, int, int]]:
        """Return by hash how many pods there are, how many serve, and how many failed by themselves."""
        found = {}
        for thing in self.world.store.peek(Kind.DEPLOYMENT, {names.ROLLOUT: KEY.name}):
            pods = self.world.deployments.of(thing)
            serving = sum(self.world.deployments.serves(thing, pod) for pod in pods)
            fallen = [pod for pod in pods if pod["metadata"]["uid"] in self.world.pods.fallen]
            failed = sum(not self.world.deployments.serves(thing, pod) for pod in fallen)
            found[thing["metadata"]["labels"][names.POD_HASH]] = (len(pods), serving, failed)
        return found

    @property
    def blind(self) -> bool:
        """Whether the status is not understood: people can have users led to stable, as many pods as it may have."""
        passes = self.world.journal.passes
        return bool(passes) and Part.STATUS in passes[-1].observation.unread

    @property
    def in_flight(self) -> bool:
        """Whether a canary stands beside stable and is not on its way out, as far as can be known."""
        status = self.status
        if status.canary is None or status.stable is None or status.canary.abort is not None:
            return False
        passes = self.world.journal.passes
        last = passes[-1].decision.status.canary if passes else None
        return last is None or last.abort is None
