"""Lets one world have several futures: each is played in a copy of the process, which is what fork makes.

A world cannot be copied in any other way, for its agenda holds what is going to be called.
"""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")


def branched(play: Callable[[], _Answer]) -> _Answer:
    """Return what *play* returns, all of whose other effects are lost.

    Raises:
        AssertionError: if it raises, with its traceback.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        _played(play, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert told, "the branch has died"
    answer, failure = pickle.loads(told)  # noqa: S301  # written by the child above
    assert not failure, failure
    found: _Answer = answer
    return found


def _played(play: Callable[[], _Answer], pipe: int) -> None:
    """Play in the child, tell how it went, and end there: no clean-up of the parent's is for the child to do."""
    told: tuple[_Answer | None, str]
    try:
        told = (play(), "")
    except BaseException:  # noqa: BLE001  # whatever it is, the parent raises it
        told = (None, traceback.format_exc())
    try:
        with os.fdopen(pipe, "wb") as writer:
            writer.write(pickle.dumps(told))
    finally:
        os._exit(0)
