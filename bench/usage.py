"""What a process uses, as the kernel says. Linux only."""

import os
from pathlib import Path
from typing import Final

USER_TICKS: Final = 11
"""Where user time stands behind the command's closing parenthesis in /proc/PID/stat; system time follows."""
KIBIBYTES: Final = 1024


def cpu_seconds(pid: int) -> float:
    """Return the processor time that all threads of *pid* have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[USER_TICKS]) + int(fields[USER_TICKS + 1])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return how much memory *pid* holds."""
    return _mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """Return how much memory *pid* held at most."""
    return _mib(pid, "VmHWM")


def _mib(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / KIBIBYTES for line in lines if line.startswith(f"{name}:"))
