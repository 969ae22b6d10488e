"""How errors show the values that they name, and warnings the place."""

from __future__ import annotations

import sys

__all__ = ["caller_level", "shown"]

_MOST = 100


def shown(value: object) -> str:
    """repr() of `value`, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # it holds an int of more digits than Python writes
        return f"<{type(value).__name__} too long to show>"
    return text if len(text) <= _MOST else f"{text[: _MOST - 10]}…{text[-9:]}"


def caller_level() -> int:
    """The `stacklevel` that makes a warning name the first caller outside this package."""
    frame, level = sys._getframe(1), 1
    package = f"{__name__.partition('.')[0]}."
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(package):
        frame, level = frame.f_back, level + 1
    return level
