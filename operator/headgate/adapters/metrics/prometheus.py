"""One query to one server: whatever happens comes back as a Reading.

Owns the use of prometheus-api-client: one client per server, shared by its threads. Must not know who asks, or when to
ask again.
"""

import contextlib
import datetime
import logging
import math
import threading
from typing import Final

import prometheus_api_client
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException

from headgate.adapters.metrics import request_context, response_parser, transport
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Reading, Sample

_PARSING: Final = threading.Lock()
"""Parsed, an answer takes 20 times its size: one at a time, of all servers. Python parses one at a time in any case."""

_logger = logging.getLogger(__name__)


class PrometheusServer:
    """A server that can be asked from several threads at a time."""

    def __init__(self, address: str, settings: ServerSettings) -> None:
        self._address = address
        self._settings = settings
        self._scope = request_context.Scope(settings, address)
        # prometheus-api-client drops the warnings of an answer. The hook sees the answer in the thread that asked.
        self._answer = threading.local()
        self._session = transport.Session()
        if settings.ca_file is not None:
            self._session.verify = str(settings.ca_file)
        self._session.hooks["response"].append(self._check)
        self._client = prometheus_api_client.PrometheusConnect(
            url=address,
            auth=self._scope,
            session=self._session,
            timeout=(settings.connect_timeout_seconds, settings.timeout_seconds),
        )
        # The client mounted an adapter of its own at this address, with a pool of 10 and retries.
        self._session.mount(
            address,
            transport.BoundedAdapter(
                connections_max=settings.workers_per_server,
                connect_seconds=settings.connect_timeout_seconds,
                seconds=settings.timeout_seconds,
                bytes_max=settings.answer_bytes_max,
            ),
        )

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._address

    def read(self, query: str, ticks: range, namespace: str = "") -> Reading:
        """Ask for the value of *query* at all *ticks* and return a sample for each, or the problem. Never raises.

        *namespace* is that of the Rollout whose metric it is.
        """
        token = request_context.NAMESPACE.set(namespace)
        try:
            return Reading(samples=self._samples(query, ticks))
        except transport.QueryError as why:
            return self.problem(str(why))
        except Exception as error:  # noqa: BLE001 - each of four libraries has its own; all mean that there is no answer
            return self.problem(self._describe(error))
        finally:
            request_context.NAMESPACE.reset(token)

    def problem(self, why: str) -> Reading:
        """Return the Reading that says that this server cannot be read, and *why*."""
        return Reading(problem=f"Prometheus at {self._address}: {self._scope.scrub(why)}")

    def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()

    def _samples(self, query: str, ticks: range) -> tuple[Sample, ...]:
        self._answer.warnings = ()
        with contextlib.ExitStack() as self._answer.until_read:
            result = self._client.custom_query_range(
                query,
                start_time=datetime.datetime.fromtimestamp(ticks[0], datetime.UTC),
                end_time=datetime.datetime.fromtimestamp(ticks[-1], datetime.UTC),
                step=str(ticks.step),
                params={"timeout": f"{math.ceil(self._settings.timeout_seconds * 1000)}ms"} | self._scope.parameters(),
            )
            return response_parser.samples_of(result, self._answer.warnings, ticks)

    def _check(self, response: requests.Response, *_: object, **__: object) -> None:
        self._answer.until_read.enter_context(_PARSING)
        # They are shown to users, so they are cleared of what we sent like all that the server says.
        self._answer.warnings = tuple(self._scope.scrub(warning) for warning in response_parser.check(response))

    def _describe(self, error: Exception) -> str:
        known = isinstance(error, OSError | PrometheusApiClientException)
        if not known and not type(error).__module__.startswith("urllib3"):
            _logger.warning("unforeseen %s from Prometheus at %s", type(error).__name__, self._address)
        return transport.describe(
            error,
            connect_seconds=self._settings.connect_timeout_seconds,
            read_seconds=self._settings.timeout_seconds,
        )
