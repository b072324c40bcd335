"""Runs the operator as a process: reads the environment, hears signals, and ends within a limit.

`python -m headgate` and `headgate run` are the same. All settings come from the environment (`headgate run --help`).
What the operator consists of stands in `assembly`.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import Final

from headgate import settings
from headgate.adapters import cluster
from headgate.adapters.metrics.settings import ServerSettings
from headgate.assembly import Operator, metrics_servers
from headgate.telemetry import logs
from headgate.telemetry.server import ListenError

WRONG_SETTINGS: Final = 2
SWITCH_SECONDS: Final = 0.0005
BACKSTOP_SECONDS: Final = 1.5

_log = logging.getLogger("headgate")


async def _run(options: settings.Settings, servers: ServerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ending(number: signal.Signals) -> None:
        _log.info("asked to end by %s", number.name)
        stop.set()
        _end_within(options.shutdown_seconds + BACKSTOP_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending, number)
    try:
        access = await cluster.find()
        await Operator(options, servers, access).run(stop)
    finally:
        _end_within(BACKSTOP_SECONDS)  # whatever the reason: nothing but threads can be left


def _end_within(seconds: float) -> None:
    """End the process in so many *seconds* if it has not ended by then.

    A thread that hangs in a library must not hold up the end, and Python waits for each that is no
    daemon. All state is in the cluster.
    """
    backstop = threading.Timer(seconds, os._exit, [1])
    backstop.daemon = True
    backstop.start()


def main() -> int:
    """Run the operator until it is told to end, and return the exit code."""
    if len(sys.argv) > 1:
        sys.stderr.write("headgate: python -m headgate runs the operator and takes no arguments; see headgate --help\n")
        return WRONG_SETTINGS
    try:
        options = settings.load()
        servers = metrics_servers(options)
    except settings.InvalidSettingsError as error:
        sys.stderr.write(f"headgate: {error}\n")
        return WRONG_SETTINGS
    # Other threads (kopf's, a query's) hold the interpreter for 5 ms at a time otherwise, once for each step of a pass.
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(options.log_format, options.log_level)
    for name, nearest in settings.unknown().items():
        _log.warning("the environment variable %s is no setting%s", name, f": {nearest} is" if nearest else "")
    try:
        asyncio.run(_run(options, servers))
    except (cluster.NoAccessError, ListenError) as error:
        _log.error("%s", error)
        return 1
    except Exception:  # noqa: BLE001 - the last one to hear of it
        _log.exception("Headgate ends because of a bug; it is safe to start it again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
