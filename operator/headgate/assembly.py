"""The operator's parts, joined: what is built from settings, what runs beside each other, and how it ends.

Owns the tuple of controllers. Must not know the process: signals, arguments and exit codes belong to `__main__`.
"""

import asyncio
import datetime
import functools
import logging
import pathlib
import time
from typing import Any, Final

import kopf

from headgate import __version__, settings
from headgate.act import Actor
from headgate.adapters import cluster
from headgate.adapters.metrics.sampling import Sampler
from headgate.adapters.metrics.settings import NotAllowed, ServerSettings
from headgate.api import names
from headgate.core.model import Key
from headgate.core.rollout.decide import decide
from headgate.observe import Observer
from headgate.observe.clock_jumps import Jumps
from headgate.observe.dry_runs import BesidePasses
from headgate.observe.snapshot import Snapshot
from headgate.reconcile.api_health import ApiHealth
from headgate.reconcile.controllers import AlwaysLeader, Controller, Controllers
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.initial_list import InitialList
from headgate.reconcile.overlap_index import OverlapIndex
from headgate.reconcile.queue import Queue
from headgate.reconcile.reconciler import Reconciler
from headgate.reconcile.resync import Resync
from headgate.reconcile.watches import Watches
from headgate.telemetry.events import EventPoster
from headgate.telemetry.health import Health, LoopLag
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.server import Server

CREDENTIALS_MINUTES: Final = 10
"""How long kopf may use what it logged in with: service account tokens are renewed well before their hour is over."""

_log = logging.getLogger("headgate")


class Operator:
    """All parts of one operator, joined."""

    def __init__(self, options: settings.Settings, servers: ServerSettings, access: cluster.Access) -> None:
        self._options = options
        self._access = access
        self._metrics = Metrics()
        self._lag = LoopLag()
        self._queue = Queue()
        self._metrics.measure_depth(lambda: len(self._queue))
        self._cluster = cluster.Cluster(
            access, timeout_seconds=options.request_timeout_seconds, on_request=self._requested
        )
        self._events = EventPoster(self._cluster, on_outcome=self._metrics.posted)
        self._sampler = Sampler(servers, wake=self._queue.add, hurry=self._queue.add_urgent, meter=self._metrics)
        self._dry_runs = BesidePasses(lambda key: self._passes.answered(key))  # noqa: PLW0108 - there are none yet
        neighbours = OverlapIndex()
        self._observer = Observer(
            self._cluster,
            self._sampler,
            time.time,
            settle_seconds=options.settle_seconds,
            allowed_addresses=_Allowed(servers),
            dry_runs=self._dry_runs,
            jumps=Jumps(time.time, time.monotonic),
            neighbours=neighbours,
        )
        actor = Actor(self._cluster, self._events)
        triggers = EventMapper(neighbours)
        self._passes = Reconciler(
            *(self._queue, self._observer, decide, actor, self._sampler, self._metrics),
            answers=self._dry_runs,
            routes=triggers,
        )
        probe = functools.partial(self._cluster.probe, next(iter(options.namespaces), ""))
        self._outage = ApiHealth(self._passes.retry_now, probe)
        controllers = (Controller(names.KIND, self._queue, self._passes.run, options.workers),)
        self._controllers = Controllers(controllers, AlwaysLeader())
        self._watches, self._resync = self._ears(options, triggers)
        self._server = Server(self._health(), self._metrics.expose)

    def _ears(self, options: settings.Settings, triggers: EventMapper) -> tuple[Watches, Resync]:
        """Return what wakes Rollouts: the watches, and the listing that makes up for what these miss."""
        watches = Watches(
            self._queue,
            triggers,
            self._login,
            self._cluster.serves,
            namespaces=options.namespaces,
            on_restart=self._rewatching,
            on_sight=self._cluster.seen,
        )
        first_look = InitialList(self._cluster, self._queue, triggers, self._settled, namespaces=options.namespaces)
        resync = Resync(
            self._cluster,
            self._queue,
            triggers,
            first_look=first_look.run,
            namespaces=options.namespaces,
            period_seconds=options.resync_seconds,
            remembered=self._passes.keys,
            restart_watches=watches.restart,
            expect=watches.expect,
            on_resync=self._metrics.resynced,
        )
        return watches, resync

    async def run(self, stop: asyncio.Event) -> None:
        """Run until *stop* is set.

        Raises:
            ListenError: if the port is taken.
            RuntimeError: if a part ended that never should.
        """
        port = await self._server.start(self._options.listen_address, self._options.listen_port)
        _log.info("Headgate %s uses %s", __version__, self._access.source)
        _log.info("listening on http://%s:%d", self._options.listen_address, port)
        background = [
            asyncio.create_task(self._lag.run(), name="loop lag"),
            asyncio.create_task(self._events.run(), name="events"),
            asyncio.create_task(self._outage.run(), name="outage"),
            asyncio.create_task(self._resync.run(), name="resync"),
            asyncio.create_task(self._watch(), name="watches"),
            asyncio.create_task(self._controllers.run(), name="controllers"),
        ]
        try:
            await _first_end(asyncio.create_task(stop.wait(), name="stop"), background)
        finally:
            _log.info("ending")
            await self._end(background)

    async def _watch(self) -> None:
        await self._resync.listed.wait()  # before that there is no CRD to watch, or no API server
        await self._watches.run()

    async def _settled(self, key: Key, snapshot: Snapshot) -> bool:
        return await self._passes.settled(key, self._observer.over(snapshot))

    async def _end(self, background: list[asyncio.Task[None]]) -> None:
        """End in order: no new passes, the running ones, then what they use."""
        await self._controllers.stop(self._options.shutdown_seconds)
        await self._events.drain(0.5)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        self._dry_runs.close()
        await self._sampler.close()
        await self._server.close()
        await self._cluster.close()

    def _requested(self, verb: str, kind: str, outcome: str, seconds: float) -> None:
        self._outage.note(outcome)
        self._metrics.requested(verb, kind, outcome, seconds)

    def _rewatching(self) -> None:
        self._metrics.watches_restarted()
        self._resync.soon()

    async def _login(self) -> kopf.ConnectionInfo:
        login = await self._access.login()
        scheme, _, token = (login.authorization or "").partition(" ")
        return kopf.ConnectionInfo(
            server=login.server,
            ca_path=login.ca_path,
            insecure=login.insecure,
            scheme=scheme or None,
            token=token or None,
            certificate_path=login.certificate_path,
            private_key_path=login.private_key_path,
            proxy_url=login.proxy_url,
            expiration=datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=CREDENTIALS_MINUTES),
        )

    def _health(self) -> Health:
        live = {
            "loop": self._lag.check,
            "queue": self._controllers.queue_problem,
            "workers": self._controllers.workers_problem,
            "resync": self._resync.problem,
        }
        ready = {
            "listing": lambda: "" if self._resync.listed.is_set() else "the Rollouts have not been listed yet",
            "watches": self._watches.problem,
            "api": self._outage.problem,
        }
        return Health(live, ready)


class _Allowed:
    """The metrics servers that a Rollout may name, in whichever way it writes them."""

    def __init__(self, servers: ServerSettings) -> None:
        self._servers = servers

    def __contains__(self, address: object) -> bool:
        try:
            self._servers.resolve(str(address))
        except NotAllowed:
            return False
        return True


def metrics_servers(options: settings.Settings) -> ServerSettings:
    """Return the metrics servers that *options* name.

    Raises:
        settings.InvalidSettingsError: if they contradict each other.
    """
    try:
        return ServerSettings(
            address=options.prometheus_address,
            allowed_addresses=options.prometheus_allowed_addresses,
            bearer_token_file=_path(options.prometheus_bearer_token_file),
            username_file=_path(options.prometheus_username_file),
            password_file=_path(options.prometheus_password_file),
            ca_file=_path(options.prometheus_ca_file),
            headers_file=_path(options.prometheus_headers_file),
            namespace_header=options.prometheus_namespace_header,
            namespace_parameter=options.prometheus_namespace_parameter,
            timeout_seconds=options.prometheus_timeout_seconds,
            interval_seconds_min=options.metric_interval_seconds_min,
            metrics_per_namespace_max=options.metrics_per_namespace_max,
        )
    except ValueError as error:
        raise settings.InvalidSettingsError(f"{settings.variable('prometheus_*')}: {error}") from None


def _path(text: str) -> pathlib.Path | None:
    return pathlib.Path(text) if text else None


async def _first_end(stop: asyncio.Task[Any], background: list[asyncio.Task[None]]) -> None:
    """Wait for *stop*, or for the end of a part that never should end."""
    done, _ = await asyncio.wait([stop, *background], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for task in done - {stop}:
        raise RuntimeError(f"{task.get_name()} ended") from task.exception()
