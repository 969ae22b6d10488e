from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from vcache.console import _conclusions, _text
from vcache.console._entry import Entry, InRedis, entry_of
from vcache.console._history import History
from vcache.console._live import Answer, Figures, Found, Live, Record, printable, total_of
from vcache.console._measuring import Match, compete
from vcache.console._server import ServerFigures
from vcache.console._snapshot import next_snapshot
from vcache.console._view import lines_of

WIRE = sorted((Path(__file__).resolve().parents[1] / "data" / "wire").glob("*.bin"))
LATENCY = {"get": {"memory": {"p50": 1e-6, "p95": 2e-6, "p99": 3e-6, "count": 5.0}}}


def live(name: str = "a", written: float = 100.0, **figures: Any) -> Live:
    record = Record("ns", "host", 7, 1.0, written, Figures(**figures), program="app.py")
    return Live(name, "redis", 0.5, record)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (_text.size, 0, "0 B"),
        (_text.size, 1536, "1.5 KiB"),
        (_text.size, 5 << 40, "5.0 TiB"),
        (_text.count, 999, "999"),
        (_text.count, 1_234, "1.2k"),
        (_text.count, 999_700, "1.0M"),
        (_text.count, 10**18, "1000P"),
        (_text.rate, None, "-"),
        (_text.rate, 0.5, "50.0%"),
        (_text.latency, 2.5e-7, "250 ns"),
        (_text.latency, 0.0025, "2.5 ms"),
        (_text.latency, 3.0, "3 s"),
        (_text.duration, 0.25, "0.25s"),
        (_text.duration, 125, "2m 05s"),
        (_text.duration, 7_500, "2h 05m"),
        (_text.duration, 90_000, "1d 01h"),
        (_text.duration, -5, "0s"),
    ],
)
def test_how_figures_are_written(write: Callable[[Any], str], value: Any, text: str) -> None:
    assert write(value) == text


@given(st.integers(0, 2**63))
def test_counts_are_short(number: int) -> None:
    assert len(_text.count(number)) <= 5


def test_what_cannot_be_printed_is_replaced() -> None:
    given = {"a\x1b": ["b\n", {"c": "\x07", "d": 1}], 5: "ü"}
    assert printable(given) == {"a?": ["b?", {"c": "?", "d": 1}], 5: "ü"}


def header(**changes: int) -> bytes:
    fields = {
        "kind": 1, "dtype": 1, "flags": 0, "dim": 4, "ndim": 1, "tags": 0, "metadata": 0,
        "payload": 16, "original": 0, "created": 5_000, "expires": 9_000, "generation": 3,
    } | changes  # fmt: skip
    return struct.pack(
        "<4sBBBBQ16s4IBBHIIIQQQff",
        *(b"VCHE", 1, fields["kind"], fields["dtype"], fields["flags"], 0, b"f" * 16),
        *(fields["dim"], 0, 0, 0, fields["ndim"], 0, fields["tags"], fields["metadata"]),
        *(fields["payload"], fields["original"], fields["created"], fields["expires"]),
        *(fields["generation"], 0.5, 0.25),
    )


def test_an_entry_is_read_by_its_header() -> None:
    metadata = msgspec.msgpack.encode({"source": 1, "\x1b": 2})
    tags = (77).to_bytes(8, "little") + b"\x02\x00t1" + b"\x01\x00x"
    data = header(flags=0x21, metadata=len(metadata), tags=len(tags)) + metadata + tags
    assert entry_of(data) == Entry(
        kind="vector",
        dtype="float32",
        shape=(4,),
        stored_bytes=128 + 16,
        payload_bytes=16,
        compressed=False,
        precision="as set",
        encrypted=False,
        created=5.0,
        expires=9.0,
        generation=3,
        cost=0.5,
        seconds=0.25,
        tags=(b"t1", b"x"),
        tag_stamp=77,
        metadata_keys=("source", "?"),
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"VCHE", header()[:95], b"XCHE" + header()[4:], header(kind=2), header(dtype=8),
     header(ndim=5), header(metadata=65_537)],
)  # fmt: skip
def test_what_is_no_entry(data: bytes) -> None:
    assert entry_of(data) is None


@pytest.mark.parametrize("path", WIRE, ids=lambda path: path.stem)
def test_every_form_that_was_ever_written_is_read(path: Path) -> None:
    data = path.read_bytes()
    entry = entry_of(data[: 96 + 65_536])
    assert entry is not None
    assert entry.stored_bytes == len(data)


@given(st.binary(max_size=300), st.integers(0, 255), st.integers(0, 400), st.integers(0, 400))
def test_no_bytes_break_the_reader(rest: bytes, flags: int, metadata: int, tags: int) -> None:
    entry = entry_of(header(flags=flags, metadata=metadata, tags=tags) + rest)
    assert entry is not None
    assert (entry.tags is None) == bool(flags & 0x04)


def test_paces_are_of_two_records() -> None:
    first = next_snapshot(None, Found([live(requests=10, hits=5)]), [], 1.0)
    assert first.pace is None
    same = next_snapshot(first, Found([live(requests=10, hits=5)]), [], 2.0)
    assert same.pace is None
    later = live(written=102.0, requests=30, hits=20)
    moved = next_snapshot(same, Found([later, live("b", requests=7)]), [], 3.0)
    assert moved.paces["a"].per_second("requests") == 10
    assert moved.pace is not None
    assert moved.pace.counts["hits"] == 7.5
    still = next_snapshot(moved, Found([later]), [], 4.0)
    assert still.paces["a"] == moved.paces["a"], "kept while it tells nothing new"
    restarted = next_snapshot(moved, Found([live(written=103.0)]), [], 5.0)
    assert restarted.paces["a"].counts["requests"] == 0


def test_totals() -> None:
    total = total_of([live(requests=10, hits=5, memory_hits=4, redis_hits=1), live("b")])
    assert (total["hit_rate"], total["memory_hit_rate"]) == (0.5, 0.4)
    assert total_of([])["hit_rate"] is None


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    caches=st.integers(0, 30),
    groups=st.integers(0, 30),
    plain=st.booleans(),
    numbers=st.integers(-5, 2**40),
    name=st.text(max_size=60),
)
def test_a_view_fits_any_terminal(
    width: int, height: int, caches: int, groups: int, plain: bool, numbers: int, name: str
) -> None:
    figures = {
        "requests": numbers,
        "hits": numbers // 2,
        "latency": LATENCY,
        "groups": {printable(f"{name}{n}"): {"misses": n} for n in range(groups)},
        "policy": {"active": printable(name), "leader": 5},
        "model": {"version": 3},
        "redis": {"breaker": "closed", "coherence": None},
    }
    found = Found([live(str(n), **figures) for n in range(caches)], {"folder": "broken"})
    servers = [ServerFigures("s", {"keys": 1, "used_memory": 5}), ServerFigures("t", {}, "away")]
    snapshot = next_snapshot(None, found, servers, 0.0)
    lines = lines_of(snapshot, width, height, plain)
    assert 0 < len(lines) <= height
    assert all(cell_len(line.plain) <= width for line in lines)
    assert all("\n" not in line.plain for line in lines)


def facts(**changes: Any) -> _conclusions.Facts:
    given: dict[str, Any] = {
        "entry": InRedis(asked=False),
        "caches": [],
        "answers": {},
        "histories": [],
        "servers": [],
        "now": 1000.0,
    }
    return _conclusions.Facts(**(given | changes))


def test_why_memory_does_not_have_it() -> None:
    told: dict[str, str] = {}
    for name, figures in {
        "none": {},
        "quiet": {"memory_limit": 1},
        "evicts": {"memory_limit": 1, "evictions": 5, "policy": {"active": "lru"}},
        "learns": {"memory_limit": 1, "evictions": 5, "policy": {"active": "learned"}},
    }.items():
        one = live(name, **figures)
        lines = _conclusions.conclusions(
            facts(caches=[one], answers={name: Answer("q", held=False)})
        )
        told[name] = " ".join(lines)
    assert "no memory tier" in told["none"]
    assert "evicted nothing" in told["quiet"]
    assert "under lru, which keeps no list of them" in told["evicts"]
    assert "under learned, which remembers this key no more" in told["learns"]


def test_why_redis_does_not_have_it() -> None:
    entry = InRedis(asked=True)
    for figures, says in (
        ({"evicted_keys": 0}, "has evicted nothing"),
        ({"evicted_keys": 1234, "maxmemory_policy": "allkeys-lru"}, "1.2k keys"),
        ({}, "does not say whether it evicts"),
    ):
        lines = _conclusions.conclusions(facts(entry=entry, servers=[ServerFigures("s", figures)]))
        assert any(says in line for line in lines), says
    lines = _conclusions.conclusions(facts(entry=InRedis(asked=True, failures=("away",))))
    assert lines == []
    assert "could not be asked" in " ".join(
        _conclusions.unknowns(facts(entry=InRedis(asked=True, failures=("away",))))
    )


def test_what_a_log_tells() -> None:
    seen = History("log", {"redis": 1}, 2, 900.0, 950.0, None, 900.0, "redis", 800.0)
    never = History("log", {}, 2, 900.0, 950.0, None, None, None, 800.0)
    (line,) = _conclusions._of_logs(facts(histories=[seen]))
    assert "1m 40s ago: a hit in redis" in line
    (line,) = _conclusions._of_logs(facts(histories=[never]))
    assert "2 times and never there since the log begins, 3m 20s ago" in line


def test_measuring_takes_the_best_of_both() -> None:
    calls = {"ours": 0, "theirs": 0}

    def call(name: str) -> None:
        calls[name] += 1

    match = Match("work", 2, lambda: call("ours"), "other", lambda: call("theirs"))
    measured = compete(match, 0.01)
    assert measured.against_seconds is not None
    assert measured.faster == measured.against_seconds / measured.seconds
    assert min(calls.values()) >= 5
    alone = compete(Match("work", 1, lambda: call("ours")), 0.01)
    assert (alone.against_seconds, alone.faster) == (None, None)
