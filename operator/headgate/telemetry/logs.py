"""How log lines look: for people or as JSON, each with the Rollout that it is about.

What an exception says may quote what was read: `invalid literal for int(): 'a password'`. So of exceptions a line shows
the kind and the place, and the words of those kinds only that speak of code. kopf and asyncio put the words into their
messages as well; they are taken out there.
"""

import logging
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from headgate.core.model import Key

_QUIET: Final = {
    "kopf": logging.WARNING,  # it reports every handled event at INFO
    "kopf._cogs.clients": logging.CRITICAL,  # reports each attempt of an outage; we report the outage
    "kopf._core.reactor.running": logging.ERROR,  # warns that it gets no signals in its thread, as it should
    "kubernetes": logging.WARNING,
    "asyncio": logging.WARNING,
    "aiohttp.access": logging.WARNING,
}


def about(key: Key) -> dict[str, str]:
    """Return the `extra` that ties a log line to the Rollout *key*."""
    return {"rollout": str(key)}


ExcInfo = tuple[type[BaseException], BaseException, types.TracebackType | None] | tuple[None, None, None]

WITHHELD: Final = "…"
_OF_CODE: Final = (AttributeError, NameError, TypeError, ImportError, RecursionError, NotImplementedError, MemoryError)
"""Kinds of exception whose words are about names and types, and never about values."""


def _words(error: BaseException) -> str:
    """Return what *error* says, as far as that cannot quote anything that was read."""
    open_ = isinstance(error, _OF_CODE) or type(error) is OSError
    words = str(error) if open_ else WITHHELD if error.args else ""
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.") + (words and f": {words}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error* and what it came from, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _chain(part)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _trace(exc_info: ExcInfo) -> str:
    """Return where an exception came from, without what it says of values."""
    parts = []
    for error in reversed(list(_chain(exc_info[1]))):
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{_words(error)}")
    return "\n\n".join(parts)


def _without_words(record: logging.LogRecord) -> bool:
    """Take out of a message what its exceptions say, and keep the record."""
    for error in _chain(record.exc_info[1]) if record.exc_info else ():
        for said, shown in ((repr(error), f"{type(error).__name__}({WITHHELD})"), (str(error), WITHHELD)):
            message = record.getMessage()
            if said and said in message and str(error) not in _words(error):
                record.msg, record.args = message.replace(said, shown), None
    return True


class _AsJson(JsonFormatter):
    """Writes one JSON object."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's name
        return _trace(ei)


class _ForPeople(logging.Formatter):
    """Writes `2026-01-31T12:00:00.123Z WARNING shop/web: what happened`; what is said stays on its line."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(about)s%(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's name
        return _trace(ei)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        rollout = getattr(record, "rollout", "")
        record.about = f"{rollout}: " if rollout else ""
        # What objects say is quoted in it: neither a line of its own nor a command to a terminal may come of that.
        record.message = "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in record.message
        )
        detail = getattr(record, "observation", "")
        return super().formatMessage(record) + (f" observation={detail}" if detail else "")


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all log lines to *stream* (standard error), written as *log_format* says, from *level* on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_without_words)
    if log_format == "json":
        handler.setFormatter(
            _AsJson(
                "%(asctime)s %(levelname)s %(name)s %(message)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                datefmt="%Y-%m-%dT%H:%M:%S%z",
            )
        )
    else:
        handler.setFormatter(_ForPeople())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
