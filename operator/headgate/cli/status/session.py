"""One use of `headgate status`: finds the API server, reads, shows, and says how it ended.

Owns what is said where something cannot be read. Must not know how anything looks.
"""

import argparse
import asyncio
import contextlib
import logging
import sys

from headgate.adapters import cluster
from headgate.api import names
from headgate.cli.command import CommandError
from headgate.cli.status import ending, facts, reading, terminal
from headgate.cli.status.facts import State
from headgate.cli.status.reading import Follower, MissingError
from headgate.core.faults import Fault
from headgate.core.model import Key, Kind

REDRAW_SECONDS = 1.0
"""How often a screen is drawn without news, since it says how long ago something was."""
EVENTS_SECONDS = 1.0
"""How long the Events about the end are waited for: they are posted beside the status."""
NAMED = 10
"""How many others are named where the one that was asked for is missing."""


def run(arguments: argparse.Namespace) -> int:
    """Do what *arguments* say and return the exit code.

    Raises:
        CommandError: if the Rollout cannot be read.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # what goes wrong is told in one line, by us
    return asyncio.run(show(arguments))


async def show(arguments: argparse.Namespace) -> int:
    """Do what *arguments* say and return the exit code.

    Raises:
        CommandError: if the Rollout cannot be read.
    """
    try:
        access = await cluster.find(arguments.kubeconfig, arguments.context)
    except cluster.NoAccessError as error:
        raise CommandError(str(error)) from None
    key = Key(arguments.namespace or access.namespace, arguments.name)
    client = cluster.Cluster(access)
    try:
        if not arguments.watch:
            state = facts.state(await reading.once(client, key))
            terminal.print_once(state)
            return ending.code(state)
        return await _follow(client, key, arguments.timeout)
    except MissingError:
        raise CommandError(await _missing(client, key)) from None
    except Fault as fault:
        raise CommandError(_unreadable(fault, key, access)) from None
    finally:
        await client.close()


async def _follow(client: cluster.Cluster, key: Key, timeout_seconds: float) -> int:
    follower, view = Follower(client, key), terminal.following()
    task = asyncio.create_task(follower.run())
    loop, last = asyncio.get_running_loop(), State()
    deadline = loop.time() + timeout_seconds
    try:
        while loop.time() < deadline:
            await _news(follower, task, min(REDRAW_SECONDS, deadline - loop.time()))
            if (objects := follower.objects) is not None:
                last = facts.state(objects)
                view.show(last)
                if (code := ending.over(last)) is not None:
                    await asyncio.sleep(EVENTS_SECONDS)
                    view.show(facts.state(follower.objects or objects))
                    return code
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    stands = f"is {last.phase}" if last.name else "has not been read"
    sys.stderr.write(f"headgate status: {key} {stands} at the end of --timeout\n")
    return ending.TIMED_OUT


async def _news(follower: Follower, task: "asyncio.Task[None]", seconds: float) -> None:
    """Wait for a change, for so many *seconds* at most, and raise what ended the *task*."""
    change = asyncio.create_task(follower.changed.wait())
    await asyncio.wait({change, task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    change.cancel()
    if task.done():
        await task
    if follower.changed.is_set():
        await asyncio.sleep(reading.GATHER_SECONDS)
        follower.changed.clear()


async def _missing(client: cluster.Cluster, key: Key) -> str:
    """Return that there is no such Rollout, and which ones there are."""
    others: list[str] = []
    with contextlib.suppress(Fault):
        others = [thing["metadata"]["name"] for thing in await client.list_metadata(Kind.ROLLOUT, key.namespace)]
    shown = ", ".join(others[:NAMED]) + (", …" if len(others) > NAMED else "")
    there = f"there {'is' if len(others) == 1 else 'are'} {shown}" if others else "none is known there"
    return f"no Rollout {key.name} in the namespace {key.namespace}: {there} (another namespace: -n NAMESPACE)"


def _unreadable(fault: Fault, key: Key, access: cluster.Access) -> str:
    """Return what is in the way, and what to do about it."""
    if isinstance(fault, cluster.NotServed):
        remedy = "install its definition: kubectl apply --server-side -f crds/, or the chart"
        return f"the cluster of {access.source} does not know {names.RESOURCE}; {remedy}"
    if isinstance(fault, cluster.Forbidden):
        return f"{fault}; ask for the right to get, list and watch {names.RESOURCE} in the namespace {key.namespace}"
    server = f"the API server {access.configuration.host}"
    if isinstance(fault, cluster.Unauthorized):
        return f"{server} does not accept the credentials of {access.source}: log in again"
    if isinstance(fault, cluster.NotAName):
        return str(fault)
    return f"{server} of {access.source} cannot be asked: {fault}"
