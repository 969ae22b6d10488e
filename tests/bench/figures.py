"""The table of figures in README.md: rows that were measured take the place of the older ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

HEADING = "| work | against | measured | target |"


def refilled(text: str, order: Iterable[str], results: Sequence[dict[str, Any]]) -> str:
    """`text` with what `results` measured, in the order of the bench; other rows stay."""
    before, rest = text.split(HEADING + "\n")
    rule, *lines = takewhile(lambda line: line.startswith("|"), rest.splitlines(keepends=True))
    after = rest[len(rule) + sum(map(len, lines)) :]
    table = _by_row(lines) | {r["row"]: _lines(r) for r in results if r["checks"]}
    return "".join(
        [
            before,
            HEADING,
            "\n",
            rule,
            *(line for row in order for line in table.get(row, ())),
            after,
        ]
    )


def _by_row(lines: Iterable[str]) -> dict[str, list[str]]:
    """A row has a line for each check; the lines behind its first begin with an empty cell."""
    found: dict[str, list[str]] = {}
    row = ""
    for line in lines:
        row = line.split("|")[1].strip() or row
        found.setdefault(row, []).append(line)
    return found


def _lines(result: dict[str, Any]) -> list[str]:
    lines = []
    for check in result["checks"]:
        name = "" if lines else result["row"]
        measured = f"{check['value']:.3g}{check['unit']}"
        if not check["reached"]:
            measured += " (not reached)"
        bound = "at least" if check["at_least"] else "at most"
        target = f"{bound} {check['target']:g}{check['unit']}"
        lines.append(f"| {name} | {check['what']} | {measured} | {target} |\n")
    return lines
