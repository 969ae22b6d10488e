"""What `top` shows: lines of text that fit a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live as Screened
from rich.text import Text

from ._live import Live, total_of
from ._server import ServerFigures
from ._snapshot import Snapshot
from ._text import aligned, count, duration, latency, rate, size
from .stats import HINT, group_rows, policy_of

__all__ = ["Screen", "is_screen", "lines_of", "print_view"]

_MOST_ROWS = 8  # of a table


def is_screen() -> bool:
    """Whether the output is a terminal that can be drawn on."""
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal


def print_view(snapshot: Snapshot) -> None:
    """Prints it, as long as it is."""
    console = Console(highlight=False)
    for line in lines_of(snapshot, console.width, 1000, _is_plain(console)):
        console.print(line, soft_wrap=True)


class Screen:
    """A terminal's second screen, which gives way to the first at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = Screened(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        width, height = self._console.size
        lines = lines_of(snapshot, width, height, _is_plain(self._console))
        self._live.update(Group(*lines), refresh=True)


def _is_plain(console: Console) -> bool:
    """Whether the terminal cannot write more than ASCII."""
    return not console.encoding.lower().replace("-", "").startswith("utf8")


def lines_of(snapshot: Snapshot, width: int, height: int, plain: bool = False) -> list[Text]:
    """At most `height` lines of at most `width` columns."""
    sections = [[_header(snapshot), *_servers(snapshot)]]
    if snapshot.caches:
        sections += [
            [*_rates(snapshot, min(width, 100), plain), _saved(snapshot)],
            _latencies(snapshot),
            _caches(snapshot),
            _groups(snapshot.caches),
        ]
    else:
        sections.append([Text(HINT)])
    if height < 20:
        sections = [sections[0] + sections[1], *sections[2:]]
    lines = _joined(_fitted([each for each in sections if each], height))
    for line in lines:
        line.truncate(width, overflow="crop" if plain else "ellipsis")
        line.no_wrap = True
    return lines


def _fitted(sections: list[list[Text]], height: int) -> list[list[Text]]:
    """The last tables lose rows first, then whole tables go."""
    while sum(map(len, sections)) + len(sections) - 1 > height and len(sections) > 1:
        longest = max(reversed(sections[1:]), key=len)
        if len(longest) > 3:
            longest.pop()
        else:
            sections.pop()
    sections[0] = sections[0][:height]
    return sections


def _joined(sections: Sequence[Sequence[Text]]) -> list[Text]:
    lines: list[Text] = []
    for section in sections:
        lines += [Text(""), *section] if lines else section
    return lines


def _header(snapshot: Snapshot) -> Text:
    names = sorted({live.record.namespace for live in snapshot.caches})
    clock = time.strftime("%H:%M:%S", time.localtime(snapshot.time))
    number = len(snapshot.caches)
    text = Text("vcache top", style="bold")
    text.append(f"  {clock}  {number} cache{'' if number == 1 else 's'}", style="not bold")
    if names:
        text.append(f"  {', '.join(names)}", style="not bold dim")
    return text


def _servers(snapshot: Snapshot) -> list[Text]:
    lines = [_server(server) for server in snapshot.servers]
    away = {server.server for server in snapshot.servers}
    lines += [
        Text(f"{where}  {why}", style="red")
        for where, why in snapshot.failures.items()
        if where not in away
    ]
    return lines[:4]


def _server(server: ServerFigures) -> Text:
    if not server.figures:
        return Text(f"{server.server}  {server.error}", style="red")
    told = server.figures
    most = told.get("maxmemory", 0)
    parts = [
        f"{count(told['keys'])} keys" if "keys" in told else "",
        size(told["used_memory"]) + (f" of {size(most)}" if most else "")
        if "used_memory" in told
        else "",
        f"{count(told.get('evicted_keys', 0))} evicted",
        f"{count(told.get('instantaneous_ops_per_sec', 0))} ops/s",
    ]
    return Text(f"{server.server}  {', '.join(part for part in parts if part)}")


def _rates(snapshot: Snapshot, width: int, plain: bool) -> list[Text]:
    total, pace = total_of(snapshot.caches), snapshot.pace
    now: dict[str, Any] = total if pace is None or not pace.counts["requests"] else pace.counts
    requests = now["requests"]
    shares = (
        ("memory", now["memory_hits"], "green"),
        ("redis", now["redis_hits"], "cyan"),
        ("source", requests - now["hits"], "yellow"),
    )
    speed = "" if pace is None else f"{count(pace.counts['requests'])}/s, "
    since = "since they were made" if now is total else "now"
    head = Text(f"requests  {speed}hit rate ")
    head.append(rate(now["hits"] / requests if requests else None), style="bold")
    head.append(f" {since}, {rate(total['hit_rate'])} of {count(total['requests'])} in all")
    lines = [head]
    for name, part, style in shares:
        share = part / requests if requests > 0 else 0.0
        lines.append(_bar(name, min(1.0, max(0.0, share)), width, style, plain))
    return lines


def _bar(name: str, share: float, width: int, style: str, plain: bool) -> Text:
    room = max(10, width - 20)
    full = round(share * room)
    on, off = ("#", "-") if plain else ("█", "░")
    line = Text(f"{name:<8}  ")
    line.append(on * full, style=style)
    line.append(off * (room - full), style="dim")
    line.append(f"  {share:>6.1%}")
    return line


def _saved(snapshot: Snapshot) -> Text:
    total = total_of(snapshot.caches)
    policies = sorted({policy_of(live.record.stats) for live in snapshot.caches})
    return Text(
        f"saved     {duration(total['seconds_saved'])} of computing, {total['cost_saved']:.4g} of"
        f" cost   policy {'; '.join(policies)}"
    )


def _latencies(snapshot: Snapshot) -> list[Text]:
    rows = [
        (operation, tier, *(latency(told.get(name)) for name in ("p50", "p95", "p99")))
        for operation, tier, told in snapshot.latencies()[:_MOST_ROWS]
    ]
    name = "latency" if len(snapshot.caches) == 1 else "worst latency"
    return _table((name, "tier", "p50", "p95", "p99"), rows, frozenset({0, 1}))


def _caches(snapshot: Snapshot) -> list[Text]:
    busiest = sorted(snapshot.caches, key=lambda live: _speed(snapshot, live), reverse=True)
    rows = [_cache_row(snapshot, live) for live in busiest[:_MOST_ROWS]]
    headings = ("cache", "req/s", "hits", "memory", "of", "entries", "evict/s", "redis")
    return _table(headings, rows, frozenset({0, 7}))


def _speed(snapshot: Snapshot, live: Live) -> float:
    pace = snapshot.paces.get(live.id)
    return 0.0 if pace is None else pace.per_second("requests")


def _cache_row(snapshot: Snapshot, live: Live) -> tuple[str, ...]:
    figures, pace = live.record.stats, snapshot.paces.get(live.id)
    hits = figures.hits / figures.requests if figures.requests else None
    redis = figures.redis or {}
    state = str(redis.get("breaker", "-"))
    if state == "closed":
        state = str(redis.get("coherence", state))
    return (
        live.name[:28],
        "-" if pace is None else count(pace.per_second("requests")),
        rate(hits),
        size(figures.memory_bytes),
        size(figures.memory_limit),
        count(figures.entries),
        "-" if pace is None else count(pace.per_second("evictions")),
        state[:10],
    )


def _groups(caches: Sequence[Live]) -> list[Text]:
    rows = [(name[:40], *rest) for name, *rest in group_rows(caches)[:_MOST_ROWS]]
    return _table(("busiest groups", "requests", "hit rate"), rows)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset({0})
) -> list[Text]:
    if not rows:
        return []
    lines = aligned([headings, *rows], left)
    return [Text(lines[0], style="bold dim"), *map(Text, lines[1:])]
