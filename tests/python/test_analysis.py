"""Hit rates, reuse, costs, sizes and what-ifs of look-ups."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from drifting_ids import drifting_ids
from hypothesis import given
from hypothesis import strategies as st
from look_ups import look_ups, of_keys

from vcache import Cache, sim
from vcache import analysis as an

LOG = look_ups(
    [
        (60.0, 1, "emb", "", 0, 0),
        (61.0, 1, "emb", "memory", 100, 0.5),
        (70.0, 2, "search", "", 0, 0),
        (119.9, 1, "emb", "redis", 100, 0.5),
        (200.0, 2, "search", "memory", 900, 2.0),
        (210.0, 3, "emb", "", 0, 0),
    ]
)


def columns(table: np.ndarray, *names: str) -> list[tuple[Any, ...]]:
    return table[list(names)].tolist()


def test_hit_rates_of_all() -> None:
    (row,) = an.hit_rates(LOG)
    assert row.dtype.names == (
        *("requests", "hits", "memory_hits", "redis_hits"),
        *("hit_rate", "memory_hit_rate", "redis_hit_rate"),
    )
    assert row.tolist() == (6, 3, 2, 1, 0.5, 2 / 6, 1 / 6)


def test_hit_rates_by_group_and_window() -> None:
    by_group = an.hit_rates(LOG, by="group")
    assert columns(by_group, "group", "requests", "hits") == [("emb", 4, 2), ("search", 2, 1)]
    by_time = an.hit_rates(LOG, window="1m")
    assert columns(by_time, "time", "requests", "memory_hits", "redis_hits") == [
        (60.0, 4, 1, 1),
        (180.0, 2, 1, 0),  # nothing was looked up in the minute from 120 on
    ]
    both = an.hit_rates(LOG, by="group", window=60)
    assert columns(both, "time", "group", "requests") == [
        *((60.0, "emb", 3), (60.0, "search", 1)),
        *((180.0, "emb", 1), (180.0, "search", 1)),
    ]


@given(
    st.lists(
        st.tuples(
            *(st.floats(-1e9, 1e9), st.integers(0, 9), st.sampled_from("abc")),
            *(st.sampled_from(["", "memory", "redis"]), st.just(1), st.just(0.5)),
        ),
        max_size=60,
    ),
    st.sampled_from([None, 0.5, 1e4, "1h"]),
    st.sampled_from([None, "group"]),
)
def test_rows_sum_to_the_whole(rows: list[Any], window: Any, by: Any) -> None:
    log = look_ups(rows)
    (whole,) = an.hit_rates(log)
    parts = an.hit_rates(log, by=by, window=window)
    for name in ("requests", "hits", "memory_hits", "redis_hits"):
        assert parts[name].sum() == whole[name]
    spent = an.costs(log, by=by, window=window)
    assert spent["requests"].tolist() == parts["requests"].tolist()
    assert spent["hits"].tolist() == parts["hits"].tolist()
    np.testing.assert_allclose(
        spent["cost_saved"] + spent["cost_spent"], parts["requests"] * 0.5, rtol=1e-6
    )


def test_stats_say_what_the_log_says() -> None:
    with Cache() as cache:
        cache.set("emb:a", 1)
        cache.mget(["emb:a", "emb:b", "search:c", "emb:a"])
        stats = cache.stats()
    assert columns(an.hit_rates(stats), "requests", "hits", "hit_rate") == [(4, 2, 0.5)]
    assert columns(an.hit_rates(stats, by="group"), "group", "requests", "memory_hits") == [
        ("emb", 3, 2),
        ("search", 1, 0),
    ]
    with pytest.raises(ValueError, match="window=60: Stats tell of no time"):
        an.hit_rates(stats, window=60)


def test_latencies() -> None:
    with Cache() as cache:
        assert len(an.latencies(cache.stats())) == 0
        cache.set("a", 1)
        for _ in range(200):
            cache.mget(["a"])
        found = an.latencies(cache.stats())
    row = found[(found["operation"] == "mget") & (found["tier"] == "memory")][0]
    assert 0 < row["p50"] <= row["p95"] <= row["p99"] < 1
    assert row["count"] > 0
    with pytest.raises(TypeError, match="stats=3 is of type int: allowed are Stats"):
        an.latencies(3)  # type: ignore[arg-type]


def test_objects() -> None:
    found = an.objects(LOG)
    assert columns(found, "key", "group", "requests", "hits", "size", "cost") == [
        *((1, "emb", 3, 2, 100, 0.5), (2, "search", 2, 1, 900, 2.0), (3, "emb", 1, 0, 0, 0.0)),
    ]
    assert columns(found, "first", "last") == [(60.0, 119.9), (70.0, 200.0), (210.0, 210.0)]


def test_sizes() -> None:
    (whole,) = an.sizes(LOG)
    assert whole.tolist()[:4] == (3, 1, 1000, 500.0)
    assert whole["largest"] == 900
    by_group = an.sizes(an.objects(LOG), by="group")
    assert columns(by_group, "group", "objects", "unknown", "bytes") == [
        ("search", 1, 0, 900),
        ("emb", 2, 1, 100),
    ]
    (unknown,) = an.sizes(LOG[-1:])
    assert np.isnan(unknown["p50"])


def test_costs() -> None:
    found = an.costs(LOG)
    assert columns(found, *("group", "requests", "hits", "unknown")) == [
        ("emb", 4, 2, 1),  # nothing says what key 3 costs
        ("search", 2, 1, 0),
    ]
    assert columns(found, *("cost_requested", "cost_saved", "cost_spent")) == [
        (1.5, 1.0, 0.5),
        (4.0, 2.0, 2.0),
    ]
    assert an.costs(LOG, by=None)["cost_saved"].tolist() == [3.0]


@given(st.lists(st.integers(0, 12), max_size=80))
def test_reuse_distances_are_those_of_a_count(keys: list[int]) -> None:
    expected, last = [], dict[int, int]()
    for place, key in enumerate(keys):
        between = set(keys[last[key] + 1 : place]) if key in last else None
        expected.append(-1 if between is None else len(between))
        last[key] = place
    assert an.reuse_distances(of_keys(keys)).tolist() == expected


@pytest.mark.parametrize("capacity", [1, 60, 1_000])
def test_reuse_distances_say_what_lru_hits(capacity: int) -> None:
    ids = drifting_ids(30_000, seed=2, drift=0.001)
    distances = an.reuse_distances(of_keys(ids))
    hits = np.count_nonzero((distances >= 0) & (distances < capacity))
    assert hits == sim.replay(ids, "lru", capacity).hits


def test_reuse_times() -> None:
    found = an.reuse_times(LOG)
    assert np.isnan(found[[0, 2, 5]]).all()
    assert found[[1, 3, 4]] == pytest.approx([1.0, 58.9, 130.0])


def test_a_trace_knows_what_misses_do_not_say() -> None:
    given = an.trace(LOG)
    assert given.ids.tolist() == LOG["key"].tolist()
    assert given.sizes is not None
    assert given.sizes.tolist() == [100, 100, 900, 100, 900, 500]  # the last: the mean
    assert given.costs is not None
    assert given.costs.tolist() == [0.5, 0.5, 2, 0.5, 2, 0]
    with pytest.raises(ValueError, match="at least one is needed"):
        an.trace(LOG[:0])


def test_what_if_replays_through_the_simulator() -> None:
    ids = drifting_ids(20_000, seed=3)
    log = of_keys(ids)
    found = an.what_if(log, ["lru", "belady"], ["1%", "10%", "10%"])
    assert found["policy"].tolist() == ["lru", "lru", "belady", "belady"]
    assert found["requests"].tolist() == [20_000] * 4
    for row in found:
        result = sim.replay(an.trace(log), row["policy"], int(row["capacity"]), unit="bytes")
        assert result.miss_ratio == row["miss_ratio"]
        assert result.cost_saved == row["cost_saved"]
    entries = an.what_if(an.trace(log), ["lru"], [40], unit="entries")
    assert entries["hits"].tolist() == [sim.replay(ids, "lru", 40).hits]


def test_the_recommended_size_is_that_of_the_simulator() -> None:
    log = of_keys(drifting_ids(20_000, seed=3))
    options: Any = {"within": 0.1, "sizes": ["1%", "10%", "50%", "100%"]}
    found = an.recommend_size(log, **options)
    expected = sim.recommend_size(an.trace(log), unit="bytes", **options)
    assert (found.size, found.unit) == (expected.size, "bytes")
    assert found.miss_ratio <= found.best_miss_ratio * 1.1
    assert found.curve.miss_ratios.tolist() == expected.curve.miss_ratios.tolist()


def test_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = an.frame(LOG)
    assert list(frame) == ["time", "key", "group", "tier", "size", "cost", "hit"]
    assert frame["time"][0] == pandas.Timestamp("1970-01-01 00:01", tz="UTC")
    assert frame["tier"].tolist() == ["miss", "memory", "miss", "redis", "memory", "miss"]
    assert frame.groupby("group", observed=True)["hit"].mean().to_dict() == {
        "emb": 0.5,
        "search": 0.5,
    }
    assert frame["key"].dtype == "u8"
    empty = an.frame(LOG[:0])
    assert len(empty) == 0
    assert list(empty.dtypes.astype(str)) == list(frame.dtypes.astype(str))
    assert an.frame(an.objects(LOG))["first"].dtype == frame["time"].dtype
    assert an.frame(an.hit_rates(LOG, by="group"))["requests"].tolist() == [4, 2]


def test_frames_of_stats() -> None:
    pytest.importorskip("pandas")
    with Cache() as cache:
        before = cache.stats()
        cache.get("a")
        frame = an.frame([before, cache.stats()])
    assert frame["requests"].tolist() == [0, 1]
    assert set(frame.dtypes.astype(str)) == {"int64", "float64"}
    assert len(an.frame(before)) == 1
    with pytest.raises(TypeError, match=r"source of shape \(1, 1\): allowed is one dimension"):
        an.frame(an.hit_rates(LOG).reshape(1, 1))
    for bad in ([1], [before, None]):
        with pytest.raises(TypeError, match=r"source holds .*: allowed are Stats"):
            an.frame(bad)  # type: ignore[arg-type]


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'vcache\[analysis\]'"):
        an.frame(LOG)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: an.hit_rates(LOG, by="tier"), "by='tier': allowed are None and 'group'"),
        (lambda: an.hit_rates(LOG, window=0), "window=0: allowed is more than 0"),
        (lambda: an.costs(LOG, window="soon"), "window='soon': allowed is"),
        (lambda: an.sizes(LOG, by="key"), "by='key': allowed"),
        (lambda: an.what_if(LOG, []), r"policies=\[\]: allowed is a sequence"),
        (lambda: an.what_if(LOG, "lru"), "policies='lru': allowed is a sequence"),
        (lambda: an.what_if(LOG, ["mru"]), "policy='mru': allowed are"),
        (lambda: an.what_if(LOG, ["lru"], ["200%"]), r"sizes\[0\]='200%': allowed are"),
        (lambda: an.what_if(LOG, ["lru"], unit="kB"), "unit='kB': allowed are"),
    ],
)
def test_bad_arguments(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_public_names() -> None:
    assert set(dir(an)) == set(an.__all__)
    with pytest.raises(AttributeError, match="no attribute 'plot_everything'"):
        an.plot_everything  # noqa: B018
