"""How figures are written for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned", "count", "duration", "latency", "rate", "size"]


def size(number: float) -> str:
    """Bytes, as "12.3 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def count(number: float) -> str:
    """A number in at most 5 letters."""
    for unit in ("", "k", "M", "G", "T"):
        if abs(number) < 999.5:
            digits = 0 if not unit else (1 if abs(number) < 99.95 else 0)
            return f"{number:.{digits}f}{unit}"
        number /= 1000
    return f"{number:.0f}P"


def rate(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def latency(seconds: float | None) -> str:
    """As "1.2 ms"."""
    if seconds is None:
        return "-"
    for factor, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def duration(seconds: float) -> str:
    """As "2h 05m"."""
    whole = int(max(0.0, seconds))
    if whole < 10:
        return f"{max(0.0, seconds):.2g}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def aligned(rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset({0})) -> list[str]:
    """Lines of a table; the columns of `left` begin below each other, others end so."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
