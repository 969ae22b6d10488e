"""Cost reports as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .costs import CostReport

__all__ = ["table", "text_of"]


def text_of(report: CostReport) -> str:
    """A line each of requests, money and time."""
    lines = [
        f"requests  {report.requests:,}: {report.hits:,} hits, {report.misses:,} misses, hit rate"
        f" {report.hit_rate:.2%}; {report.computed:,} computed in {report.calls:,} calls",
        f"cost      {_money(report)}",
        f"time      {_time(report)}",
    ]
    if report.tokens is not None and report.tokens_computed is not None:
        saved = report.tokens - report.tokens_computed
        lines.insert(1, f"tokens    {report.tokens:,} asked for, {saved:,} saved")
    return "\n".join(lines)


def _money(report: CostReport) -> str:
    if report.cost_saved is None:
        return "not known: there is no price"
    least = "at least " if report.is_partial else ""
    text = (
        f"{least}{report.cost_saved:,.6g} saved of {report.cost_total:,.6g},"
        f" {report.cost_spent:,.6g} spent"
    )
    if report.is_partial:
        return f"{text}; {report.unpriced:,} of {report.requests:,} requests have no known price"
    return f"{text} ({report.cost_reduction:.2%} less)"


def _time(report: CostReport) -> str:
    saved = "not known" if report.seconds_saved is None else f"{report.seconds_saved:,.4g} s"
    text = f"saved {saved}"
    if report.lookup_seconds is not None:
        text += f", {report.lookup_seconds:,.4g} s spent on look-ups"
    if report.seconds_net is not None:
        text += f", {report.seconds_net:,.4g} s net"
    return text


def table(rows: Iterable[tuple[str, CostReport]]) -> str:
    """A line for each name."""
    head = (
        f"{'group':<20} {'requests':>12} {'hit rate':>9} {'saved':>14} {'of':>14} {'unpriced':>10}"
    )
    return "\n".join([head, *(_row(name, report) for name, report in rows)])


def _row(name: str, report: CostReport) -> str:
    saved, total = (
        "not known" if each is None else f"{each:,.6g}"
        for each in (report.cost_saved, report.cost_total)
    )
    return (
        f"{name:<20} {report.requests:>12,} {report.hit_rate:>9.2%} {saved:>14} {total:>14}"
        f" {report.unpriced:>10,}"
    )
