"""Waiting for a condition until a deadline.

Owns every wait in this package; nothing here knows what is waited for.
"""

import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], object], deadline_seconds: float, poll_seconds: float = POLL_SECONDS) -> bool:
    """Return True as soon as *condition* is truthy, False once *deadline_seconds* have passed."""
    ends = time.monotonic() + deadline_seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() >= ends:
            return False
        pause.wait(poll_seconds)
    return True
