"""The one way out: makes a request of the API server, and makes of its answer an object or a fault."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import ApiClient

from headgate import __version__
from headgate.adapters.cluster import answers, errors
from headgate.adapters.cluster.access import Access, NoAccessError
from headgate.adapters.cluster.answers import Answer
from headgate.adapters.cluster.freshness import Freshness
from headgate.adapters.cluster.requests import Request
from headgate.core.faults import Conflict, Fault, Refused
from headgate.core.model import Json

_SUCCESS: Final = range(200, 300)
_VERBS: Final = {"GET": "read", "POST": "create", "PATCH": "patch", "DELETE": "delete"}

RequestHook = Callable[[str, str, str, float], None]
"""Hears of every request when it is over: verb, plural, outcome (ok, missing, a fault's name, cancelled), seconds."""


def ignore(_verb: str, _plural: str, _outcome: str, _seconds: float) -> None:
    """Hear nothing."""


class Exchange:
    """One API server. Close it at the end."""

    def __init__(self, access: Access, timeout_seconds: float, on_request: RequestHook) -> None:
        configuration = access.configuration
        configuration.retries = None  # who retries, and when, is the work queue's to decide
        # Or aiohttp reads ~/.netrc and the environment's proxies in two threads, for every request: a third of a pass.
        # The proxy is in the configuration by now.
        configuration.client_session_kwargs = {"trust_env": False}
        self._api = ApiClient(configuration)
        self._api.user_agent = f"headgate/{__version__}"
        self._timeout_seconds = timeout_seconds
        self._on_request = on_request
        self._intake = answers.Intake()
        self.long_lists = asyncio.Semaphore(1)
        """One list that is longer than a page is meant to be is read on at a time."""
        self.freshness = Freshness()

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]  # typed in part only

    async def call_unless_missing(self, request: Request) -> Json | None:
        """Make *request* and return the object that comes back; None if there is none."""
        try:
            return (await self.call(request)).thing
        except errors.NotFound:
            return None

    async def call(self, request: Request) -> Answer:
        """Make *request* and return its answer, or raise the fault that its failure means."""
        path, started, outcome = request.path, time.perf_counter(), "cancelled"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(request, path)
            outcome = "ok"
            self.freshness.note(request.resource, version(answer.thing))
        except errors.NotFound:
            outcome = "missing"
            raise
        except Fault as fault:
            outcome = _outcome(fault)
            raise
        except TimeoutError:
            outcome = "unreachable"
            raise errors.RetryLater(f"no answer within {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, NoAccessError) as error:
            # ValueError: an answer that is no JSON, or no UTF-8, comes from something between us and the server.
            outcome = "unreachable"
            raise errors.RetryLater(f"{type(error).__name__}: {error}"[: errors.WORDS_MAX]) from error
        except (TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            # An answer of a shape that was not thought of must stay the trouble of what was asked for. Its own words
            # are not repeated: they may be the object's.
            outcome = "unreachable"
            raise errors.RetryLater(f"the answer has no shape that is known ({type(error).__name__})") from error
        finally:
            self._on_request(_VERBS[request.verb], request.resource.plural, outcome, time.perf_counter() - started)
        return answer

    async def head(self, request: Request, most_bytes: int) -> bytes:
        """Make *request* and return the beginning of its answer: at least *most_bytes*, or all of it.

        Raises:
            Unreachable: if there is no answer, or one that is no success.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._sent(request, request.path)
                try:
                    response.raise_for_status()
                    return await answers.beginning(response, most_bytes)
                finally:
                    response.close()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, NoAccessError) as error:
            raise errors.RetryLater(f"{type(error).__name__}: {error}"[: errors.WORDS_MAX]) from error

    async def lines(self, request: Request, seconds: float) -> AsyncIterator[bytes]:
        """Make *request* and yield the lines of its answer as they come, for so many *seconds* at most.

        Raises:
            Fault: if there is no answer, one that is no success, or one that breaks off.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._sent(request, request.path, seconds)
            try:
                if response.status not in _SUCCESS:
                    data = await answers.beginning(response, answers.SMALL_BYTES)
                    raise errors.fault(response.status, response.headers, data, request)
                async for line in answers.lines(response):
                    yield line
            finally:
                response.close()
        except TimeoutError:
            raise errors.RetryLater(f"no answer within {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, NoAccessError) as error:
            raise errors.RetryLater(f"{type(error).__name__}: {error}"[: errors.WORDS_MAX]) from error

    async def _exchange(self, request: Request, path: str) -> Answer:
        response = await self._sent(request, path)
        try:
            data = await self._intake.body(response)
        except answers.TooLarge:
            if response.status in _SUCCESS:
                raise
            # A failure that repeats a whole object: its first words are not worth the rest.
            raise errors.wordless(response.status) from None
        if response.status not in _SUCCESS:
            raise errors.fault(response.status, response.headers, data, request)
        return Answer(answers.parsed(data), len(data))

    async def _sent(self, request: Request, path: str, seconds: float = 0.0) -> aiohttp.ClientResponse:
        method, url, headers, payload, _ = await self._api.param_serialize(
            request.verb,
            path,
            query_params=list(request.query.items()),
            header_params={"Content-Type": request.content_type, "Accept": request.accept},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=seconds or self._timeout_seconds)
        answer = await self._api.call_api(method, url, headers, payload, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response


def version(thing: Mapping[str, Any]) -> Any:
    """Return the resourceVersion of *thing*; None for a list, whose own one no other server may have heard of."""
    metadata = thing.get("metadata")
    return None if "items" in thing or not isinstance(metadata, dict) else metadata.get("resourceVersion")


def _outcome(fault: Fault) -> str:
    if isinstance(fault, Conflict):
        return "conflict"
    return "refused" if isinstance(fault, Refused) else "unreachable"
