"""The whole world of one seed: cluster, controllers, metrics, an operator, and the users who work with them."""

import dataclasses
import random
from collections.abc import Callable
from typing import Any, Final

from headgate.api import names
from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Json, Key, Kind
from headgate.observe import parse_status
from headgate.simulation import metrics
from headgate.simulation.cluster import json_values
from headgate.simulation.cluster.server import ApiServer, Connection
from headgate.simulation.cluster.store import Store
from headgate.simulation.controllers.deployments import Deployments
from headgate.simulation.controllers.endpoints import Services
from headgate.simulation.controllers.gateway import Gateway
from headgate.simulation.controllers.pods import Pods
from headgate.simulation.process import clock as virtual_clock
from headgate.simulation.process import fault_injection as troubles
from headgate.simulation.process import operator_process, trace

KEY: Final = Key("shop", "web")
USER: Final = "kubectl"
OTHER_CLIENT: Final = "another-client"
RESTART_SECONDS: Final = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How slow things are, in seconds: each time is drawn evenly from 0 to the most."""

    call: float = 0.02
    lag: float = 0.1
    """How far each controller is behind."""


class World:
    """One cluster with one Rollout and one operator."""

    def __init__(self, seed: int = 0, pace: Pace | None = None) -> None:
        """Make a world in which everything follows from *seed*; *pace* says how slow it is."""
        self.seed = seed
        self.pace = pace or Pace()
        self.dice = random.Random(seed)
        self.agenda = virtual_clock.Clock()
        self.store = Store(self.agenda)
        self.server = ApiServer(self.store)
        self.pods = Pods(self.store, self.agenda)
        self.server.evicts = self.pods.evict
        self.deployments = Deployments(self.server, self.agenda, self.pods, self._lag)
        self.services = Services(self.server, self.agenda, self.pods, self._lag)
        self.gateways = [Gateway("public", self.server, self.agenda, self.dice)]
        self.script = metrics.Script()
        self.journal = trace.Trace()
        self.plan: troubles.Plan = lambda _: None
        self.restarts = True
        """Whether a process that died is started anew."""
        self.meant: Callable[[Any], Any] = lambda status: status
        """Puts a stored status into words of this version, where another one wrote it: users and judges know them."""
        self._counts = {True: 0, False: 0}
        self._read: tuple[Any, Any, RolloutStatus] | None = None
        """A stored status, what says how it is meant, and what it says: it is asked for far more often than written."""
        self.around = operator_process.Surroundings(
            self.store, self.agenda, self.script, self.journal, self.dice, self._connect
        )
        self.operator = operator_process.Operator(self.around)

    # --- time --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time."""
        return self.agenda.now

    def run(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.run_until(lambda: False, seconds)

    def run_until(self, fact: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until *fact* holds, *seconds* at most; return whether it does."""
        latest = self.now + seconds
        while not fact():
            if not self.operator.alive and self.restarts:
                self.agenda.after(RESTART_SECONDS, self.restart)
                self.restarts = False
            if not self.agenda.step(latest):
                return fact()
        return True

    def restart(self) -> None:
        """Kill the operator if it lives, and start a new one that knows nothing."""
        self.restarts = True
        if self.operator.alive:
            self.operator.die()
        self.operator = operator_process.Operator(self.around)

    @property
    def writes(self) -> int:
        """How many writes operators have tried so far."""
        return self._counts[True]

    # --- what users see ----------------------------------------------------------------------------------------------

    @property
    def rollout(self) -> Json | None:
        """The Rollout as it is kept."""
        return self.store.get(Kind.ROLLOUT, KEY.namespace, KEY.name)

    @property
    def exists(self) -> bool:
        """Whether there is a Rollout."""
        return self._peeked is not None

    @property
    def _peeked(self) -> Json | None:
        return self.store.held(Kind.ROLLOUT, KEY.namespace, KEY.name)

    @property
    def status(self) -> RolloutStatus:
        """The Rollout's status; an empty one without a Rollout."""
        return self.understood(self._peeked or {})

    def understood(self, rollout: Json) -> RolloutStatus:
        """Return the status of *rollout* as the version that wrote it meant it."""
        stored, read = rollout.get("status"), self._read
        # What is kept is never changed in place, so that what is the same object says the same.
        if read is None or read[0] is not stored or read[1] is not self.meant:
            read = self._read = (stored, self.meant, parse_status.read(self.meant(stored)).status)
        return read[2]

    @property
    def phase(self) -> Phase:
        """The Rollout's phase."""
        return self.status.phase

    def settled(self) -> bool:
        """Return whether the Rollout acted on the newest spec and only a user can change anything."""
        rollout = self._peeked
        if rollout is None:
            return not self.store.peek(Kind.DEPLOYMENT)
        status = self.status
        ended = status.canary is None and status.previous is None
        at_rest = ended and status.phase in (Phase.HEALTHY, Phase.ROLLED_BACK)
        return at_rest and status.observed_generation == rollout["metadata"]["generation"]

    def deployment(self, revision_hash: str) -> Json | None:
        """Return a revision's Deployment."""
        return json_values.copied(self._deployment(revision_hash))

    def _deployment(self, revision_hash: str) -> Json | None:
        return next(iter(self.store.peek(Kind.DEPLOYMENT, {names.POD_HASH: revision_hash})), None)

    def pods_of(self, revision_hash: str) -> tuple[int, int]:
        """Return how many pods of a revision there are and how many of them serve; those on their way out apart."""
        thing = self._deployment(revision_hash)
        living = self.deployments.of(thing) if thing else []
        return len(living), sum(self.deployments.serves(thing, pod) for pod in living) if thing else 0

    def account(self, writes: int = 12) -> str:
        """Return what happened of late, for people."""
        last = [
            f"{one.at - virtual_clock.START:.2f} pass {one.pass_number} {one}" for one in self.journal.writes[-writes:]
        ]
        status = self.status
        ready = [one.message for one in status.conditions if one.type == "Ready"]
        pods = {thing["metadata"]["name"]: thing["spec"]["replicas"] for thing in self.store.peek(Kind.DEPLOYMENT)}
        now = f"seed {self.seed}, at {self.now - virtual_clock.START:.2f}: {status.phase} {ready} {pods}"
        return "\n  ".join([now, *self._ways(), *last])

    def _ways(self) -> list[str]:
        ways = [f"{one['metadata']['name']} {one['spec']['rules']}" for one in self.store.peek(Kind.HTTP_ROUTE)]
        ways += [f"{one['metadata']['name']} {one['spec']['selector']}" for one in self.store.peek(Kind.SERVICE)]
        for gateway in self.gateways if ways else ():
            counts = {name: len(uids) for name, uids in gateway.endpoints.items()}
            ways.append(f"Gateway {gateway.name} {[*gateway.programmed.values()]} {counts}")
        return ways

    # --- what users do -----------------------------------------------------------------------------------------------

    def apply(self, spec: Json) -> None:
        """Create the Rollout, or put *spec* in place of its spec."""
        thing = self.rollout
        if thing is None:
            metadata = {"namespace": KEY.namespace, "name": KEY.name}
            body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}
            self.server.create(Kind.ROLLOUT, KEY.namespace, body, USER)
        elif thing["metadata"].get("deletionTimestamp") is None:
            self.store.update(Kind.ROLLOUT, {**thing, "spec": json_values.copied(spec)}, USER)

    def edit(self, **fields: Any) -> None:
        """Change fields of the spec."""
        thing = self.rollout
        if thing is not None:
            self.apply({**thing["spec"], **fields})

    def annotate(self, name: str, value: str) -> None:
        """Put an annotation on the Rollout: give a command."""
        thing = self.rollout
        if thing is not None:
            thing["metadata"].setdefault("annotations", {})[name] = value
            self.store.update(Kind.ROLLOUT, thing, USER)

    def delete(self, *, orphan: bool = False) -> None:
        """Delete the Rollout."""
        self.server.delete(Kind.ROLLOUT, KEY.namespace, KEY.name, "", USER, orphan=orphan)

    def meddle(self, revision_hash: str, change: Callable[[Json], None], subresource: str = "") -> None:
        """Let another client change a revision's Deployment."""
        thing = self.deployment(revision_hash)
        if thing is not None:
            change(thing)
            complete = self.server.admitted(Kind.DEPLOYMENT, thing, strict=False)
            self.store.update(Kind.DEPLOYMENT, complete, OTHER_CLIENT, subresource)

    def fail_pods(self, revision_hash: str, count: int, seconds: float | None = None) -> None:
        """Let *count* serving pods of a revision crash, and be ready again after *seconds*, or never."""
        thing = self.deployment(revision_hash)
        living = self.deployments.of(thing) if thing else []
        ready = [pod for pod in living if pod["metadata"]["uid"] in self.pods.ready_since]
        for pod in ready[:count]:
            self.pods.fail(pod, seconds)

    def put(self, kind: Kind, body: Json) -> None:
        """Create an object."""
        self.server.create(kind, KEY.namespace, body, USER)

    def change(self, kind: Kind, name: str, change: Callable[[Json], None], by: str = OTHER_CLIENT) -> None:
        """Let another client change an object, if it is there."""
        thing = self.store.get(kind, KEY.namespace, name)
        if thing is not None:
            change(thing)
            self.store.update(kind, self.server.admitted(kind, thing, strict=False), by)

    def drop(self, kind: Kind, name: str, by: str = OTHER_CLIENT) -> None:
        """Let another client delete an object."""
        self.server.delete(kind, KEY.namespace, name, "", by)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _lag(self) -> float:
        return self.dice.uniform(0, self.pace.lag)

    def _connect(self) -> Connection:
        return Connection(
            self.server,
            self.agenda,
            self._planned,
            lambda: self.dice.uniform(0, self.pace.call),
            self._arrived,
            self._counts,
        )

    def _planned(self, call: troubles.Call) -> troubles.Trouble | None:
        if call.writes:
            self.journal.passes[-1].attempts.append(call.kind)
        trouble = troubles.possible(self.plan(call), call)  # that of this moment: it may change under a living process
        if trouble is not None and not call.writes:
            self.journal.failed_reads.append((call.verb, call.kind))
        return trouble

    def _arrived(self, call: troubles.Call, body: Json | None) -> None:
        if not call.writes:
            self.journal.reads += 1
            return
        before = self.store.held(call.kind, KEY.namespace, call.name)
        number = len(self.journal.passes) - 1
        write = trace.Write(call.at, call.verb, call.kind, call.name, json_values.copied(body or {}), before, number)
        self.journal.writes.append(write)
        self.journal.passes[-1].writes.append(write)
        for listener in self.journal.wrote:
            listener(write)
