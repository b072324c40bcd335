"""Which pods the Services select, what the routes give to the canary, and how many pods each side keeps for that.

One `View` in, one `Plan` out. The order in which a weight rises: pods, then the Service's endpoints, then the routes,
then every Gateway that answers, then the pods that are no longer needed. It falls in the opposite order, routes first.

    maxSurge 1 of 4 replicas, on the way to 50 percent:   stable 4 + canary 1   weight  0 → 25, drain
                                                          stable 3 + canary 2   weight 25 → 50, drain
"""

import dataclasses
from typing import Final

from headgate.api.status import TrafficStatus
from headgate.core.model import Unreadable
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import RequestRules, ServiceFacts, TrafficFacts
from headgate.core.replicas import weighted
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes
from headgate.core.traffic.routers.gateway_api import acceptance, route_weights

SETTLE_SECONDS: Final = 2
"""How long after it was accepted a weight is given to reach the data plane before it counts as holding."""
SETTLES: Final = "weight {} % was accepted and settles"


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What a plan is made from."""

    now: float
    facts: TrafficFacts
    status: TrafficStatus
    drain_seconds: float
    budget: Budget
    stable_hash: str
    stable: Pods
    other_hash: str = ""
    """The canary's, or that of the revision that is kept warm."""
    other: Pods = dataclasses.field(default_factory=Pods)
    leftover: int = 0
    """How many pods there are of revisions that are neither: on their way out, but still within the bound."""
    weight: int = 0
    """What the step asks for, in percent."""
    preview: int = 0
    """How many canary pods it asks for whatever the weight needs."""
    flees_at: int | None = None
    """From when on stable's pods that do not serve make room, where the canary was stable before; None: it was not."""
    extras: RequestRules = dataclasses.field(default_factory=RequestRules)
    """What it asks for beside the weight."""
    mirrored: int = 0
    """How much of the requests the routes copy to it now, in percent."""
    canary_service: str = ""
    switches: bool = False
    """Whether weight is what the stable Service selects, all or nothing, and not what routes give."""
    drills: frozenset[str] = frozenset()
    """Hashes of drills that are over, though connections to their pods may last."""
    waits_without_progress: int = 0
    """How often in a row a retreat has given stable its time for another pod, and there came none."""

    @property
    def drilled(self) -> bool:
        """Whether connections to a drill's pods drain behind the canary Service, which is left alone meanwhile."""
        service = self.facts.canary
        return isinstance(service, ServiceFacts) and service.selects in self.drills and self.status.highest > 0

    @property
    def drained(self) -> bool:
        """Whether what the routes hold has been in effect for as long as connections may last.

        A route that cannot be read may hold more than the status knows: our last write to it, whose answer was lost.
        """
        if self.facts.hides_users(switches=self.switches):
            return False
        return self.status.since is not None and self.now >= self.status.since + self.drain_seconds

    @property
    def home_drained(self) -> bool:
        """Whether the stable Service has led to stable alone for as long as connections may last."""
        since = self.status.stable_since
        return since is not None and self.now >= since + self.drain_seconds

    @property
    def bounded(self) -> bool:
        """Whether both versions cannot be there in full at once."""
        return self.budget.surge < self.budget.total

    @property
    def changes_at(self) -> tuple[float, ...]:
        """When the drains that are running end, and pods that do not serve have to make room."""
        starts = [since for since in (self.status.since, self.status.stable_since) if since is not None]
        ends = [since + self.drain_seconds for since in starts]
        return tuple(end for end in (*ends, self.flees_at or 0) if end > self.now)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do about traffic now."""

    sizes: Sizes
    percent: int | None = None
    """What every rule of ours is to give to the canary Service; None: leave it."""
    extras: RequestRules | None = None
    """What the routes are to give to the canary beside; None: leave it."""
    stable_selects: str = ""
    """The revision that the stable Service is to select; empty: leave it."""
    canary_selects: str = ""
    """The revision that the canary Service is to select; empty: leave it."""
    waits: str = ""
    """The first thing that is waited for; empty when traffic is as it should be."""
    settled_at: int | None = None
    """From when on a weight counts as holding that nothing else is waited for; None while something is."""
    recheck_at: tuple[float, ...] = ()


def _shrunk(wanted: int, pods: Pods, other: Pods) -> int:
    """Return *wanted*, but no fewer than there are while it is not known who is ready."""
    return wanted if wanted >= pods.wanted or (pods.settled and other.settled) else pods.wanted


def _forward_sizes(view: View, aim: Sizes) -> Sizes:
    budget, stable, canary, status = view.budget, view.stable, view.other, view.status
    # Older pods go as soon as these carry everybody; until then stable must be able to come to that.
    first, then = (view.leftover, 0) if stable.ready + canary.ready >= budget.least_ready else (0, view.leftover)
    room = max(0, budget.most_pods - stable.counted - canary.counted - first)
    carried = weighted.carriers(budget.total, WHOLE - status.lowest) - budget.unavailable
    if view.flees_at is not None and view.now >= view.flees_at:
        # Whoever goes back from a version that serves nobody is not kept waiting by its share of the routes.
        carried = min(carried, max(stable.ready, stable.answering))
    spare = stable.unready + max(0, stable.ready + canary.ready - budget.least_ready)
    least = max(carried, min(1, budget.total), stable.wanted - spare)
    next_stable = 0 if stable.lost else _shrunk(max(aim.stable, least), stable, canary)
    if next_stable > stable.wanted:
        next_stable = min(next_stable, stable.wanted + room)
        room -= next_stable - stable.wanted
    room = 0 if _strays(view) else max(0, room - then)
    next_canary = _shrunk(max(aim.canary, weighted.carriers(budget.total, status.highest)), canary, stable)
    return Sizes(next_stable, min(next_canary, canary.wanted + room) if next_canary > canary.wanted else next_canary)


def _strays(view: View) -> bool:
    """Return whether new pods would stand behind the stable Service, because it does not tell them from stable ones."""
    service = view.facts.stable
    homes = {view.stable_hash, view.other_hash if view.switches else view.stable_hash}
    return isinstance(service, ServiceFacts) and service.selects not in homes and view.stable.ready > 0


def _raised(view: View, ready: int | None) -> int | None:
    """Return the weight that the canary's *ready* endpoints and the Gateways allow now; None: leave it as it is."""
    service, written = view.facts.canary, view.status.weight
    if not isinstance(service, ServiceFacts) or ready is None:
        return None
    if service.selects != view.other_hash:
        # Still, or again, somebody else's pods: no weight before it selects the canary's. A stranger's change of the
        # selector in flight is repaired where it is; users meet pods either way.
        return 0 if service.selects == view.stable_hash else None
    if view.weight and not ready and view.budget.total:
        return 0
    if view.weight <= written:
        return view.weight
    if not service.leads_only_to(view.other_hash) or not acceptance.accepted(view.facts):
        return None
    # An endpoint is ready at once; a pod counts when it has been for minReadySeconds.
    able, whole = min(ready, view.other.ready), weighted.goal(view.budget, WHOLE).canary
    # Copies stay while the weight rises, and are nothing that could be shared out between two steps.
    load = min(WHOLE, view.weight + view.mirrored)
    if (not view.bounded or view.mirrored) and able < weighted.goal(view.budget, load).canary:
        return written  # one write for the whole step: only a bounded surge needs what some of its pods carry
    return max(written, min(view.weight, WHOLE if able >= whole else weighted.carries(able, view.budget.total)))


def _off(view: View, percent: int) -> str:
    """Return which route does not hold *percent* yet, for people; empty if all do. So with a switch."""
    if view.switches:
        there = view.status.weight == percent and view.status.since is not None
        hash_ = view.other_hash if percent else view.stable_hash
        return "" if there else f"the stable Service does not lead to revision {hash_} alone yet"
    for route in view.facts.known_routes:
        for rule in route.rules:
            if not route_weights.at(rule, percent):
                return f"{route} is at weight {route_weights.share(rule)} %, going to {percent} %"
    return ""


def forward(view: View) -> Plan:
    """Return the plan for a canary on its way to `view.weight`."""
    aim, service = weighted.goal(view.budget, view.weight, view.preview), view.facts.canary
    ready = service.ready(view.other_hash) if isinstance(service, ServiceFacts) else None
    sizes, percent = _forward_sizes(view, aim), _raised(view, ready)
    waits = _forward_waits(view, aim, ready)
    accepted = view.status.since if view.budget.total else None
    return Plan(
        sizes=sizes,
        percent=percent,
        stable_selects=_switched(view, percent),
        canary_selects="" if view.drilled else _canary_selected(view),
        waits=waits,
        settled_at=None if waits or accepted is None else accepted + SETTLE_SECONDS,
        recheck_at=view.changes_at,
    )


def _switched(view: View, percent: int | None) -> str:
    """Return what the stable Service is to select: stable, or where it is the switch whoever gets *percent* of all."""
    if view.switches and percent:
        return _selected(view, view.facts.stable, view.other_hash, view.other)
    if view.switches and percent is None and view.status.weight:
        return ""
    return _selected(view, view.facts.stable, view.stable_hash, view.stable)


def _selected(view: View, service: ServiceFacts | Unreadable | None, revision_hash: str, pods: Pods) -> str:
    """Return *revision_hash* if *service* does not select it and there are pods to select, or shall be none.

    Going home waits for no `minReadySeconds`: a pod that answers is better than the version that is fled from.
    """
    if not isinstance(service, ServiceFacts) or service.selects == revision_hash:
        return ""
    there = pods.ready or (pods.answering if revision_hash == view.stable_hash else 0)
    return revision_hash if there or not view.budget.total else ""


def _canary_selected(view: View) -> str:
    service, wanted = view.facts.canary, _selected(view, view.facts.canary, view.other_hash, view.other)
    if not wanted and not view.status.highest and isinstance(service, ServiceFacts):
        # Until there are pods to select, or once a step has left none, it leads to stable ones: a Gateway that hears of
        # the weight before it hears of the endpoints then still knows somebody.
        left = service.selects != view.other_hash or not (view.other.wanted or view.other.counted)
        return _selected(view, service, view.stable_hash, view.stable) if left else ""
    # Never under traffic, unless a stranger has changed it in flight: stable's hash is what it has at rest.
    resting = isinstance(service, ServiceFacts) and service.selects == view.stable_hash
    return "" if resting and view.status.highest else wanted


def _forward_waits(view: View, aim: Sizes, ready: int | None) -> str:
    stable, canary = view.stable, view.other
    if not view.budget.total:
        return ""  # nobody is served, by whichever version
    if canary.wanted < aim.canary or canary.ready < aim.canary:
        return _pods_wait(view, aim)
    if waits := _endpoints_wait(view, aim, ready) or acceptance.unanswered(view.facts) or _off(view, view.weight):
        return waits
    if view.status.since is None:
        return SETTLES.format(view.weight)
    if stable.counted > aim.stable or (stable.wanted != aim.stable and not stable.lost):
        return f"{stable.counted} stable pods, going to {aim.stable}"
    if canary.wanted != aim.canary or (canary.counted and not aim.canary):  # with none left the Service goes home first
        return f"{max(canary.wanted, canary.counted)} canary pods, going down to {aim.canary}"
    return ""


def _endpoints_wait(view: View, aim: Sizes, ready: int | None) -> str:
    service = view.facts.canary
    if not aim.canary or not isinstance(service, ServiceFacts):
        return "" if not aim.canary else "the canary Service is missing, and is being created"
    if not service.leads_only_to(view.other_hash):
        return f"Service {service.name} does not lead to the canary's pods alone yet"
    return f"{ready} of {aim.canary} endpoints of Service {service.name} ready" if (ready or 0) < aim.canary else ""


def _pods_wait(view: View, aim: Sizes) -> str:
    ready = min(view.other.ready, aim.canary)
    text = f"{ready} of {aim.canary} canary pods ready"
    if view.bounded and view.other.wanted < aim.canary:
        most = view.budget.most_pods
        return f"{text}; maxSurge allows {most} pods in all: more follow as stable pods drain and go"
    return text


def backward(view: View) -> Plan:
    """Return the plan for a canary that is leaving: stable has the traffic back first, then drain, then pods."""
    budget, stable, canary = view.budget, view.stable, view.other
    carried = canary.wanted
    if view.drained and view.home_drained and (stable.ready or not budget.total):
        carried = min(canary.wanted, weighted.needed(budget.total, view.status.highest))
    percent, waits = _given_back(view)
    return Plan(
        sizes=Sizes(budget.total, carried),
        percent=percent,
        stable_selects=_taken_home(view),
        waits=waits or _drain_wait(view),
        recheck_at=view.changes_at,
    )


def _short(view: View, ready: int) -> bool:
    """Return whether stable was shrunken for the canary's sake and its *ready* pods do not carry everybody yet."""
    return view.bounded and ready < view.budget.least_ready and not view.waits_without_progress


def _taken_home(view: View) -> str:
    """Return what the stable Service is to select: it may still, or already, select the revision that leaves."""
    if _short(view, view.stable.ready):
        return ""
    return _selected(view, view.facts.stable, view.stable_hash, view.stable)


def _given_back(view: View) -> tuple[int | None, str]:
    service = view.facts.stable
    if service is None:
        return None, "the stable Service is missing, and is being created"
    ready = service.ready(view.stable_hash) if isinstance(service, ServiceFacts) else None
    if ready is None or not isinstance(service, ServiceFacts) or service.selects != view.stable_hash:
        return 0, ""
    if not ready and view.budget.total:
        kept = "the canary keeps its share until one is" if view.status.weight else "it leads to stable alone"
        return None, f"no endpoint of Service {service.name} is ready: {kept}"
    if _short(view, ready):
        left = WHOLE - weighted.carries(ready, view.budget.total)
        if left < view.status.weight:
            return left, f"{ready} of {view.budget.total} stable endpoints ready: they carry {WHOLE - left} %"
        return None, f"{ready} of {view.budget.total} stable endpoints ready: more traffic follows as more are"
    return 0, ""


def _drain_wait(view: View) -> str:
    if off := _off(view, 0):
        return off
    if asked := acceptance.unanswered(view.facts):
        return asked
    if not view.drained or not view.home_drained:
        return "connections drain"
    return ""


def at_rest(view: View) -> Plan:
    """Return the plan with no canary; `view.other` is the revision that is kept warm, if one is."""
    stable_service, canary_service = view.facts.stable, view.facts.canary
    home = isinstance(stable_service, ServiceFacts) and stable_service.selects == view.stable_hash
    if view.other_hash and view.budget.total:
        home = home and isinstance(stable_service, ServiceFacts) and stable_service.leads_only_to(view.stable_hash)
    selects = canary_service.selects if isinstance(canary_service, ServiceFacts) else ""
    free = not view.status.highest or (selects not in ("", view.other_hash) and not view.drilled)
    # What the routes took away from the stable Service may still be on its way to it.
    quiet = not view.other_hash or view.drained or not view.status.weight
    return Plan(
        sizes=_rest_sizes(view),
        percent=0 if home else None,
        stable_selects=_selected(view, stable_service, view.stable_hash, view.stable) if quiet else "",
        canary_selects=_selected(view, canary_service, view.stable_hash, view.stable) if free else "",
        waits=_rest_wait(view, home=home),
        recheck_at=view.changes_at,
    )


def _rest_sizes(view: View) -> Sizes:
    """Return the sizes of rest: while the old revision is warm, both together stay within the bound.

    Of old pods no more count than are wanted in all: those left from before a scale-down take nobody's place.
    """
    budget, stable, warm = view.budget, view.stable, view.other
    room = budget.most_pods - min(warm.counted, budget.total) if view.other_hash else budget.total
    return Sizes(min(budget.total, max(stable.wanted, room)), warm.wanted)


def _rest_wait(view: View, *, home: bool) -> str:
    service = view.facts.stable
    if isinstance(service, ServiceFacts) and not home and view.stable.ready:
        return f"Service {service.name} does not lead to the stable pods alone yet"
    return _off(view, 0) or acceptance.unanswered(view.facts)
