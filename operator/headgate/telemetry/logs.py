"""How log lines look: for people or as JSON, each with the Rollout that it is about."""

import logging
import sys
import time
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


class _ForPeople(logging.Formatter):
    """Writes `2026-01-31T12:00:00.123Z WARNING shop/web: what happened`; what is said stays on its line."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(about)s%(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        rollout = getattr(record, "rollout", "")
        record.about = f"{rollout}: " if rollout else ""
        record.message = record.message.replace("\n", "\\n").replace("\r", "\\r")
        detail = getattr(record, "observation", "")
        return super().formatMessage(record) + (f" observation={detail}" if detail else "")


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all log lines to *stream* (standard error), written as *log_format* says, from *level* on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    if log_format == "json":
        handler.setFormatter(
            JsonFormatter(
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
