"""Writing files whole or not at all, and taking turns through file locks.

Owns atomic writes and locks; knows nothing of what is written.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Put *content* at *path* so that a reader, or a crash, never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    Path(temporary).chmod(mode)
    Path(temporary).replace(path)


@contextlib.contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold the lock of the file *path*, made if missing; it is free again when this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_still(path: Path, descriptor: int) -> bool:
    """Return whether the open folder is the one that has the name *path* now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold the lock of the folder *path*, made if missing.

    Who held it before us may have removed the folder: then our lock is on a
    folder without a name, and we try again on the one that has the name now.
    """
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        except FileExistsError:
            if path.exists():
                raise
            continue  # it was there when mkdir tried, and gone when mkdir looked whether it is a folder
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)
