"""Processes that outlive us: started, recognised again and ended, by pid.

A pid alone is no proof: the kernel gives it away again. So a process is known
by its pid, the boot it runs in and its start time, and is signalled through a
pidfd, which keeps meaning the same process. A process that was started but
never recorded (we were killed in between) is found by the mark in its
environment. Knows nothing of what the processes are. Linux only.
"""

import contextlib
import dataclasses
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hack.cluster.errors import ClusterError

MARK = "HEADGATE_CLUSTER_PROCESS"
KILL_SECONDS = 10.0
# Fields of /proc/PID/stat after the command's closing parenthesis: state is the 3rd field, start time the 22nd.
STATE_FIELD, STARTED_FIELD = 0, 19


@dataclasses.dataclass(frozen=True)
class Process:
    """One process, told apart from every later one with its pid."""

    pid: int
    boot: str
    started_ticks: int


def start(argv: Sequence[str], environment: Mapping[str, str], mark: str, log: Path) -> Process:
    """Start *argv* in a session of its own, marked with *mark*, all it says appended to *log*."""
    if not sys.platform.startswith("linux"):
        raise ClusterError("the local cluster needs Linux (/proc and pidfd); elsewhere use kind: make cluster ON=kind")
    log.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    try:
        pid = os.posix_spawnp(argv[0], [*argv], {**environment, MARK: mark}, file_actions=actions, setsid=True)
    except OSError as error:
        raise ClusterError(f"cannot start {argv[0]}: {error.strerror}") from None
    finally:
        os.close(output)
    return identify(pid)


def identify(pid: int) -> Process:
    """Return the process that has *pid* now."""
    return Process(pid, boot(), _stat(pid)[1])


def boot() -> str:
    """Return what is different after each boot of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def is_running(process: Process) -> bool:
    """Tell whether this very process still runs; a zombie does not, and is reaped where it is ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return _is_same(process)


def end(process: Process, grace_seconds: float = 0.0) -> None:
    """End this very process: SIGTERM, and SIGKILL after *grace_seconds*; without grace SIGKILL at once."""
    with _opened(process) as descriptor:
        if descriptor is None:
            return
        if grace_seconds > 0:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if grace_seconds <= 0 or not _has_ended(descriptor, grace_seconds):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        if not _has_ended(descriptor, KILL_SECONDS):
            raise ClusterError(f"process {process.pid} did not end within {KILL_SECONDS:.0f} s of SIGKILL; see 'ps'")
    is_running(process)


def send(process: Process, what: signal.Signals) -> None:
    """Send a signal to this very process."""
    with _opened(process) as descriptor:
        if descriptor is None:
            raise ClusterError(f"process {process.pid} has ended: no {what.name} can be sent to it")
        signal.pidfd_send_signal(descriptor, what)


def marked(beginning: str) -> list[Process]:
    """Return every running process whose mark starts with *beginning*: started by us, or by one of those."""
    wanted = f"{MARK}={beginning}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        # Gone meanwhile, or another user's: neither was started by us.
        with contextlib.suppress(OSError):
            if any(entry.startswith(wanted) for entry in (folder / "environ").read_bytes().split(b"\0")):
                found.append(identify(int(folder.name)))
    return [process for process in found if process.pid != os.getpid()]


def _stat(pid: int) -> tuple[str, int]:
    """Return state and start time; a process that is gone counts as a zombie that never started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "Z", -1
    return fields[STATE_FIELD], int(fields[STARTED_FIELD])


def _is_same(process: Process) -> bool:
    state, started_ticks = _stat(process.pid)
    return state not in "ZX" and started_ticks == process.started_ticks and process.boot == boot()


@contextlib.contextmanager
def _opened(process: Process) -> Iterator[int | None]:
    """Give a pidfd of this very process, None if it has ended.

    First opened, then compared: from there on the pid cannot be another's.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        yield None
        return
    try:
        yield descriptor if _is_same(process) else None
    finally:
        os.close(descriptor)


def _has_ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
