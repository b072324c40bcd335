"""A virtual Gateway: answers for routes after a while, and some time later sends users where they say.

What it was told is in the API server; what users really get is `programmed` and `endpoints`, and is known only to
users and judges.
"""

import dataclasses
import random
from collections.abc import Callable
from typing import Any, Final

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.server import ApiServer
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers import endpoints
from headgate.simulation.process.clock import Clock

Rules = list[list[tuple[str, int]]]
"""Of each rule: the Services that it names and their weights."""
Copies = dict[str, int]
"""By Service: the most that any rule copies to it of its requests, in percent."""

ROUTES: Final = (Kind.HTTP_ROUTE, Kind.GRPC_ROUTE)


@dataclasses.dataclass(slots=True)
class Habits:
    """How slow a Gateway is, in seconds, each drawn evenly from 0 to the most; and what it refuses."""

    accepts: float = 0.4
    """From a change of a route to its answer."""
    programs: float = 1.0
    """From there on to its effect; the same for endpoints."""
    deaf: bool = False
    """Whether it neither answers nor follows."""
    refuses: str = ""
    """Why it accepts no route; it goes on with what it had."""


class Gateway:
    """One Gateway of the Gateway API, its controller and its data plane."""

    def __init__(self, name: str, server: ApiServer, agenda: Clock, dice: random.Random) -> None:
        """Follow the routes of *server* that name this Gateway."""
        self.name = name
        self.habits = Habits()
        self.programmed: dict[tuple[Kind, str], Rules] = {}
        """What it does with requests for each route."""
        self.copying: dict[tuple[Kind, str], Copies] = {}
        """What it copies of them."""
        self.endpoints: dict[str, set[str]] = {}
        """The pods that it sends requests to by Service, by uid."""
        self.listeners: list[Callable[[str], None]] = []
        """Who hears of every change of its data plane, and of the Service or route that it is about."""
        self._server = server
        self._agenda = agenda
        self._dice = dice
        self._followed: dict[str, int] = {}
        server.store.listeners.append(self._heard)

    @property
    def manager(self) -> str:
        """The field manager of its answers."""
        return f"gateway-{self.name}"

    def _heard(self, change: Change) -> None:
        if change.kind is Kind.ENDPOINT_SLICE:
            service = change.thing["metadata"]["labels"][names.SERVICE_NAME]
            self._agenda.after(self._dice.uniform(0, self.habits.programs), lambda: self._follow_endpoints(service))
        if change.kind is Kind.SERVICE and (change.before is None or change.after is None):
            self._agenda.after(self._dice.uniform(0, self.habits.accepts), self.wake)
        if change.kind in ROUTES and change.before is None:
            self._followed.pop(change.thing["metadata"]["uid"], None)
        if change.kind in ROUTES and _spec(change.before) != _spec(change.after):
            self._agenda.after(self._dice.uniform(0, self.habits.accepts), lambda: self._answer(change))

    def wake(self) -> None:
        """Look at all routes again, as after being deaf."""
        for kind in ROUTES:
            for route in self._server.store.peek(kind):
                self._answer(Change(kind, None, route, "no client"))

    def _names_us(self, route: Json) -> bool:
        return any(parent.get("name") == self.name for parent in route["spec"].get("parentRefs") or ())

    def _answer(self, change: Change) -> None:
        metadata = change.thing["metadata"]
        kind, namespace, name = change.kind, metadata["namespace"], metadata["name"]
        route = self._server.store.held(kind, namespace, name)
        if self.habits.deaf:
            return
        if route is not None and self._names_us(route):
            self._write(kind, route)
            if self.habits.refuses:
                return
        followed = route if route is not None and self._names_us(route) else {"spec": {}}
        rules, copied = _rules(followed), copies(followed)
        version = route["metadata"]["generation"] if route is not None else None
        delay = self._dice.uniform(0, self.habits.programs)
        self._agenda.after(delay, lambda: self._program((kind, name), metadata["uid"], version, rules, copied))

    def _program(self, place: tuple[Kind, str], uid: str, version: int | None, rules: Rules, copied: Copies) -> None:
        if version is not None and version < self._followed.get(uid, 0):
            return  # it has moved on
        if version is not None:
            self._followed[uid] = version
        before = self.programmed.get(place, []), self.copying.get(place, {})
        self.programmed[place], self.copying[place] = rules, copied
        if (rules, copied) != before:
            self._tell(place[1])

    def _follow_endpoints(self, service: str) -> None:
        slices = self._server.store.peek(Kind.ENDPOINT_SLICE, {names.SERVICE_NAME: service})
        self.endpoints[service] = {uid for one in slices for uid in endpoints.ready_in(one)}
        self._tell(service)

    def _write(self, kind: Kind, route: Json) -> None:
        generation = route["metadata"]["generation"]
        missing = sorted(name for name in _backends(route) if not self._exists(route, name))
        resolved = _condition("ResolvedRefs", generation, "BackendNotFound" if missing else "", ", ".join(missing))
        accepted = _condition("Accepted", generation, "Unsupported" if self.habits.refuses else "", self.habits.refuses)
        answer = {
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": self.name},
            "controllerName": f"example.com/{self.name}",
            "conditions": [accepted, resolved],
        }
        others = [
            one for one in (route.get("status") or {}).get("parents", ()) if one["parentRef"]["name"] != self.name
        ]
        place = (kind, route["metadata"]["namespace"], route["metadata"]["name"])
        self._server.write_status(*place, {"parents": [*others, answer]}, self.manager)

    def _exists(self, route: Json, name: str) -> bool:
        return not self._server.store.free(Kind.SERVICE, route["metadata"]["namespace"], name)

    def _tell(self, about: str) -> None:
        for listener in self.listeners:
            listener(about)


def _spec(route: Json | None) -> Any:
    return (route["spec"], route["metadata"]["uid"]) if route else None


def _backends(route: Json) -> set[str]:
    return {name for rule in _rules(route) for name, _ in rule}


def _rules(route: Json) -> Rules:
    rules = route["spec"].get("rules") or ()
    return [[(one["name"], one.get("weight", 1)) for one in rule.get("backendRefs") or ()] for rule in rules]


def copies(route: Json | None) -> Copies:
    """Return what the rules of a route copy."""
    most: Copies = {}
    for rule in route["spec"].get("rules") or () if route else ():
        for one in rule.get("filters") or ():
            if one["type"] == "RequestMirror":
                name = one["requestMirror"]["backendRef"]["name"]
                most[name] = max(most.get(name, 0), one["requestMirror"].get("percent", 100))
    return most


def _condition(kind: str, generation: int, reason: str, message: str) -> Json:
    return {
        "type": kind,
        "status": "False" if reason else "True",
        "reason": reason or kind,
        "message": message,
        "observedGeneration": generation,
    }
