"""Waiting for a condition, never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PAUSE = 0.002


def wait_until(condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> float:
    """Polls until `condition()` is true; how many seconds that took. Fails after `seconds`."""
    started = time.monotonic()
    pause = threading.Event()
    while not condition():
        passed = time.monotonic() - started
        assert passed < seconds, f"did not come to hold within {seconds} s {what}"
        pause.wait(PAUSE)
    return time.monotonic() - started
