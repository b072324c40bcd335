"""kopf as an informer: tells which Rollouts to look at. The only room that knows kopf, besides `assembly`.

kopf runs in a thread with an event loop of its own, because in ours it would take over the signals, and at its end wait
for and then cancel every task that was started after it: our passes. It keeps no state for us and decides nothing: each
event becomes a small ObservedObject and crosses over to our loop.

Its end is never final. A watch that answers with an error other than 410 ends all of kopf (an etcd leader change is
enough): then it is started anew, and a resync looks for what was missed meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import kopf

from headgate import kinds
from headgate.api import names
from headgate.core.faults import Fault
from headgate.core.model import Kind
from headgate.reconcile import watch_streams
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import ObservedObject, observed
from headgate.reconcile.queue import Queue

RESTART_FIRST_SECONDS: Final = 0.5
RESTART_LAST_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""After running so long a new end starts the backoff from the beginning."""
FIRST_LISTING_SECONDS: Final = 30.0
"""After this long whatever the first listing has not shown has been deleted meanwhile."""
STOP_SECONDS: Final = 2.0
CLOSING_SECONDS: Final = 0.1
"""aiohttp closes TLS connections a few turns of the loop after it says so."""

SERVED_SECONDS: Final = 10.0
"""How often at most it is asked whether the cluster has a kind of route by now that a Rollout names."""

Login = Callable[[], Coroutine[Any, Any, kopf.ConnectionInfo]]
"""Returns fresh credentials; awaited in our own loop."""
Serves = Callable[[Kind], Coroutine[Any, Any, bool]]
"""Returns whether the cluster has a kind at all; awaited in our own loop."""

_log = logging.getLogger(__name__)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled configuration: differences are never read, and these are half of an event's cost."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:  # noqa: ARG002 - kopf's signature
        return {}

    def fetch(self, *, body: Any) -> Any:  # noqa: ARG002 - kopf's signature
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Keep nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: there are none that could be half done."""

    def fetch(self, *, key: Any, body: Any) -> Any:  # noqa: ARG002 - kopf's signature
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        """Keep nothing."""

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        """Keep nothing."""

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        """Keep nothing."""

    def clear(self, *, essence: Any) -> Any:
        return essence


def kopf_settings() -> kopf.OperatorSettings:
    """Return the settings under which kopf writes nothing, scans nothing and holds little memory."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.queueing.idle_timeout = 0.2  # seconds; with the chunks below half the memory at 5,000 objects
    settings.watching.chunk_size = watch_streams.PAGE_OBJECTS
    for kind, watch in kinds.WATCHES.items():
        if watch.labels:
            chosen = ",".join(f"{label}={value}" for label, value in watch.labels.items())
            settings.watching.label_selectors[_resource(kind)] = chosen
    settings.networking.request_timeout = 30.0
    settings.networking.error_backoffs = (1, 1, 2, 3, 5)
    # Ten minutes after kopf ended by itself it would kill the process: its end is not ours.
    settings.process.ultimate_exiting_timeout = None
    return settings


class Watches:
    """The watches over Rollouts and what belongs to them. Run `run` as a task in the loop that the queue belongs to."""

    def __init__(
        self,
        queue: Queue,
        triggers: EventMapper,
        login: Login,
        serves: Serves,
        *,
        namespaces: tuple[str, ...] = (),
        on_restart: Callable[[], None] = lambda: None,
        on_sight: Callable[[Kind, str], None] = lambda _kind, _version: None,
    ) -> None:
        self._queue = queue
        self._triggers = triggers
        self._login = login
        self._serves = serves
        self._routes: frozenset[Kind] = frozenset()
        self._looks: asyncio.Task[None] | None = None
        self._namespaces = namespaces
        self._on_restart = on_restart
        self._on_sight = on_sight
        self._round: _Round | None = None
        self._why_down = "not started"
        self._awaited: set[str] = set()
        self._listed = asyncio.Event()

    def expect(self, uids: Iterable[str]) -> None:
        """Name the objects that the first listing will show."""
        self._awaited = set(uids)

    def restart(self) -> None:
        """Start kopf anew."""
        if self._round is not None:
            self._round.stop()

    def problem(self) -> str:
        """Say why the watches do not show the cluster, if they do not."""
        if self._round is None:
            return self._why_down
        if not self._listed.is_set():
            return f"the first listing has not shown {len(self._awaited)} objects yet"
        return ""

    async def run(self) -> None:
        """Watch for ever, whatever happens to kopf."""
        delay_seconds = RESTART_FIRST_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self._routes = await self._served()
            self._round = _Round(loop, self._operator, self._hear)
            giving_up = loop.call_later(FIRST_LISTING_SECONDS, self._listed.set)
            try:
                why = await self._round.run()
            finally:
                giving_up.cancel()
                self._round = None
            self._why_down = f"the watches ended: {why}"
            if loop.time() - started > STEADY_SECONDS:
                delay_seconds = RESTART_FIRST_SECONDS
            _log.warning("the watches ended, starting them anew in %.1f s: %s", delay_seconds, why)
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(delay_seconds * 2, RESTART_LAST_SECONDS)
            self._on_restart()

    def _hear(self, sighting: ObservedObject) -> None:
        """Take in an observed object, in our own loop."""
        self._on_sight(sighting.kind, sighting.resource_version)
        if not self._listed.is_set():
            self._awaited.discard(sighting.uid)
            if not self._awaited:
                self._listed.set()
        wake = self._queue.add_urgent if self._triggers.is_wish(sighting) else self._queue.add
        for key in self._triggers.woken_by(sighting):
            wake(key)
        for key in self._triggers.stirred():
            self._queue.add(key)  # never urgent: it is others who did something
        if sighting.kind is Kind.ROLLOUT and self._looks is None and self._triggers.named() - self._routes:
            self._looks = asyncio.create_task(self._look_for_routes(), name="look for kinds of route")

    async def _served(self) -> frozenset[Kind]:
        """Return the kinds of route that the cluster has; the last answer while they cannot be read."""
        try:
            return frozenset([kind for kind in kinds.ROUTES if await self._serves(kind)])
        except Fault:
            return self._routes

    async def _look_for_routes(self) -> None:
        """Start kopf anew if the cluster has a kind of route by now that is not watched: a watch of none would fail."""
        try:
            if await self._served() - self._routes:
                _log.info("the cluster has routes now: starting the watches anew")
                self.restart()
            await asyncio.sleep(SERVED_SECONDS)
        finally:
            self._looks = None

    def _logged_in(self) -> None:
        """Take in that kopf has credentials: with nothing to list it has nothing more to show."""
        if not self._awaited:
            self._listed.set()

    def _operator(
        self, tell: Callable[[ObservedObject], None], stop: asyncio.Event, loop: asyncio.AbstractEventLoop
    ) -> Coroutine[Any, Any, None]:
        """Return kopf, ready to run in its thread's loop."""
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry, id="login", errors=kopf.ErrorsMode.TEMPORARY, backoff=5.0)
        async def login(**_: Any) -> kopf.AiohttpSession:
            info = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._login(), loop))
            loop.call_soon_threadsafe(self._logged_in)
            return watch_streams.session(info)

        for kind in kinds.WATCHES:
            if kind not in kinds.ROUTES or kind in self._routes:
                _register(registry, kind, tell)

        # Given, because kopf would make one of the user name, and a uid in a pod often has none: no watch would start.
        identity: Any = names.OBJECT_MANAGER
        return kopf.operator(
            registry=registry,
            identity=identity,
            settings=kopf_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )


def _resource(kind: Kind) -> tuple[str, str, str]:
    row = kinds.KINDS[kind]
    return row.group, row.version, row.plural


def _register(registry: kopf.OperatorRegistry, kind: Kind, tell: Callable[[ObservedObject], None]) -> None:
    @kopf.on.event(*_resource(kind), registry=registry, id=kind.value.lower())
    async def _(event: Mapping[str, Any], **_: Any) -> None:
        try:
            tell(observed(kind, event["object"], gone=event["type"] == "DELETED"))
        except Exception:  # noqa: BLE001 - one object must not end the watch over all others; a resync finds it
            _log.exception("a bug in Headgate: an event of a %s was not understood; please report it", kind.value)


_Factory = Callable[
    [Callable[[ObservedObject], None], asyncio.Event, asyncio.AbstractEventLoop], Coroutine[Any, Any, None]
]


class _Round:
    """One run of kopf in a thread of its own."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: _Factory, hear: Callable[[ObservedObject], None]
    ) -> None:
        self._loop = loop
        self._factory = factory
        self._hear = hear
        self._ended: asyncio.Future[str] = loop.create_future()
        self._lock = threading.Lock()
        self._stop: Callable[[], object] | None = None
        self._stopped = False

    async def run(self) -> str:
        """Run until kopf ends, and return why. If cancelled, have it end and wait for that a moment."""
        # A daemon, because nothing can end a thread that hangs: the process's end must not wait for it.
        threading.Thread(target=self._thread, name="watches", daemon=True).start()
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([self._ended], timeout=STOP_SECONDS)
            raise

    def stop(self) -> None:
        """Have kopf end."""
        with self._lock:
            self._stopped = True
            if self._stop is not None:
                self._stop()

    def _thread(self) -> None:
        why = "it ended by itself"
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - whatever it is, our loop must hear of the end
            why = f"{type(error).__name__}: {error}"
        self._tell(self._end, why)

    async def _main(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._stopped:
                return
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        try:
            await self._factory(lambda sighting: self._tell(self._hear, sighting), stop, self._loop)
        finally:
            with self._lock:
                self._stop = None
            await asyncio.sleep(CLOSING_SECONDS)

    def _tell(self, what: Callable[[Any], None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, argument)
        except RuntimeError:  # our loop is closed: the process is ending and no task listens any more
            return

    def _end(self, why: str) -> None:
        if not self._ended.done():
            self._ended.set_result("asked for" if self._stopped else why)
