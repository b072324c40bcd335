"""Everything around a pass: what it sees, what becomes of it, and what is noted of it."""

from collections.abc import Callable, Iterable

from headgate.act import Result
from headgate.api.status import HistoryEntry, Phase
from headgate.core.faults import Fault
from headgate.core.model import Decision, Key, Observation
from headgate.core.traffic.cleanup import OrphanedServices
from headgate.reconcile.predicates import Named
from headgate.reconcile.queue import Queue
from headgate.reconcile.reconciler import Reconciler
from tests.shell import virtual
from tests.shell.observations import KEY, decision


class World:
    """Everything around a pass: what it sees, what becomes of it, and what is noted of it."""

    def __init__(self, seen: Iterable[Observation | BaseException | None], results: Iterable[Result] = ()) -> None:
        self.seen = iter(seen)
        self.results = iter(results)
        self.decided: Callable[[Observation], Decision] = lambda _: decision()
        self.answer: Observation | None = None
        self.asked: list[tuple[tuple[str, ...], float]] = []
        self.given_back: list[OrphanedServices] = []
        self.grudges: list[Fault] = []
        self.forgotten: list[Key] = []
        self.quieted: list[int] = []
        self.histories: list[HistoryEntry] = []
        self.ended: list[tuple[str, str]] = []
        self.phases: list[Phase | None] = []
        self.queue = Queue(clock=virtual.clock)
        self.followed: list[tuple[Named, ...]] = []
        self.passes = Reconciler(
            self.queue, self, self.decide, self, self, self, clock=virtual.clock, jitter=lambda: 0.5, routes=self
        )

    def decide(self, seen: Observation) -> Decision:
        """Decide as the test says."""
        return self.decided(seen)

    async def observe(self, key: Key, refusals: tuple[str, ...] = (), written_at: float = 0.0) -> Observation | None:
        """See the next thing."""
        assert key == KEY
        self.asked.append((refusals, written_at))
        found = next(self.seen)
        if isinstance(found, BaseException):
            raise found
        return found

    async def answered(self, key: Key, seen: Observation, seconds: float) -> Observation:
        """Have the answer that is there after so many seconds."""
        assert key == KEY
        await virtual.elapse(seconds)
        return self.answer or seen

    async def act(self, _observation: Observation, _decision: Decision) -> Result:
        """Have the next result."""
        return next(self.results, Result())

    async def remains(self, key: Key) -> OrphanedServices:
        """See what is left."""
        assert key == KEY
        return OrphanedServices(KEY.namespace)

    async def give_back(self, remains: OrphanedServices) -> tuple[str, ...]:
        """Do as the test says."""
        self.given_back.append(remains)
        if self.grudges:
            raise self.grudges.pop()
        return ("web",)

    def follow(self, key: Key, routes: Iterable[Named]) -> None:
        """Note it."""
        assert key == KEY
        self.followed.append(tuple(routes))

    def quiet(self, key: Key, until: int) -> None:
        """Note it."""
        assert key == KEY
        self.quieted.append(until)

    def forget(self, key: Key) -> None:
        """Note it."""
        self.forgotten.append(key)

    def passed(self, _key: Key, rule: str, result: str, seconds: float) -> None:
        """Note it."""
        assert seconds >= 0
        self.ended.append((rule, result))

    def stands(self, _key: Key, phase: Phase | None) -> None:
        """Note it."""
        self.phases.append(phase)

    def recorded(self, _key: Key, entry: HistoryEntry) -> None:
        """Note it."""
        self.histories.append(entry)

    async def next_pass(self) -> float:
        """Make the pass that comes next, and return how long it took to come."""
        started = virtual.clock()
        key = await self.queue.get()
        came = virtual.clock() - started
        await self.passes.run(key)
        self.queue.done(key)
        return came

    async def first_pass(self) -> None:
        """Wake the Rollout and make a pass."""
        self.queue.add(KEY)
        await self.next_pass()


class Hanging:
    """An observer who never comes back with anything."""

    async def observe(self, _key: Key, _refusals: tuple[str, ...], _written_at: float) -> Observation | None:
        """Return after days."""
        await virtual.elapse(1e6)
        return None

    async def answered(self, _key: Key, seen: Observation, _seconds: float) -> Observation:
        """Return what was seen."""
        return seen

    async def remains(self, key: Key) -> OrphanedServices:
        """Return that nothing is left."""
        return OrphanedServices(key.namespace)
