"""Reports of what ran: embeddings, functions and a whole cache."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads

from vcache import Cache, EmbeddingCache
from vcache.costs import Upkeep
from vcache.errors import ConfigError
from vcache.prices import Price, PriceTable


def rows(texts: list[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


def make(cache: ClockedCache, **options: Any) -> EmbeddingCache:
    return EmbeddingCache(rows, **({"model": "m", "cache": cache} | options))


def words(text: str) -> int:
    return len(text.split())


def test_without_a_price_money_is_not_known(cache: ClockedCache) -> None:
    embeddings = make(cache)
    embeddings.embed(["a", "b", "a"])
    report = embeddings.report()
    assert (report.cost_total, report.cost_spent, report.cost_saved) == (None, None, None)
    assert (report.requests, report.unpriced, report.calls) == (3, 3, 1)
    assert make(cache, prices={"another": 1}).report().cost_saved is None
    assert cache.stats().cost_saved == 0


def test_a_price_for_each_embedding_comes_of_the_table(cache: ClockedCache) -> None:
    embeddings = make(cache, prices=PriceTable({"m": 0.5, "n": 9}))
    embeddings.embed(["a", "b", "a"])
    embeddings.embed(["a", "b", "c"])
    report = embeddings.report()
    assert (report.cost_total, report.cost_spent, report.cost_saved) == (3.0, 1.5, 1.5)
    assert report.cost_per_embedding == 0.5
    assert cache.stats().cost_saved == pytest.approx(1.0)


def test_tokens(cache: ClockedCache) -> None:
    embeddings = make(cache, prices={"m": {"per_token": 0.1}}, count_tokens=words)
    embeddings.embed(["one", "now three words", "one"])
    embeddings.embed(["now three words", "and two"])
    report = embeddings.report()
    assert (report.tokens, report.tokens_computed) == (1 + 3 + 1 + 3 + 2, 1 + 3 + 2)
    assert report.cost_total == pytest.approx(1.0)
    assert report.cost_spent == pytest.approx(0.6)
    assert report.cost_saved == pytest.approx(0.4)
    assert report.cost_reduction == pytest.approx(0.4)
    assert "10 asked for, 4 saved" in str(report)
    # What is stored with each is the mean of its batch: (1 + 3) / 2 tokens.
    assert cache.stats().cost_saved == pytest.approx(0.2)


def test_a_price_by_tokens_without_a_counter_is_not_known(cache: ClockedCache) -> None:
    embeddings = make(cache, prices={"m": {"per_token": 0.1, "per_call": 1}})
    embeddings.embed(["a"])
    report = embeddings.report()
    assert (report.cost_saved, report.unpriced, report.tokens) == (None, 1, None)


def test_texts_that_cannot_be_counted_have_no_price(cache: ClockedCache) -> None:
    def count(text: str) -> Any:
        if text == "raises":
            raise LookupError
        return {"half": 0.5, "less": -1, "none": None}.get(text, 10)

    embeddings = make(cache, prices={"m": {"per_token": 0.1}}, count_tokens=count)
    assert len(embeddings.embed(["ten", "raises", "half", "less", "none"])) == 5
    embeddings.embed(["ten", "raises"])
    report = embeddings.report()
    assert (report.requests, report.unpriced, report.is_partial) == (7, 5, True)
    assert report.cost_total == pytest.approx(2.0)
    assert report.cost_saved == pytest.approx(1.0)
    assert report.tokens is None
    assert "5 of 7 requests have no known price" in str(report)


def test_calls(cache: ClockedCache) -> None:
    embeddings = make(cache, prices={"m": {"per_call": 1.0}}, batch_size=2)
    embeddings.embed(["a", "b", "c", "d", "e"])  # three calls
    embeddings.embed(["a", "b", "c"])  # none, of two
    embeddings.embed(["a", "z"])  # one, of one
    report = embeddings.report()
    assert (report.calls, report.cost_spent, report.cost_total) == (4, 4.0, 6.0)


def test_seconds(cache: ClockedCache) -> None:
    embeddings = make(cache, prices=Price(per_second=3600.0))
    embeddings.embed(["a", "b"])
    embeddings.embed(["a", "b"])
    report = embeddings.report()
    assert report.seconds_saved is not None
    assert report.cost_saved is not None
    assert report.cost_saved > 0
    assert report.cost_saved == pytest.approx(3600 * report.seconds_saved)
    assert cache.stats().cost_saved > 0


def test_nothing_computed_here_says_nothing_of_times(cache: ClockedCache) -> None:
    make(cache).embed(["a", "b"])
    other = make(cache, prices=Price(per_second=1.0))
    assert other.report().cost_saved == 0, "nothing was asked for"
    other.embed(["a", "b"])
    report = other.report()
    assert (report.hits, report.seconds_saved, report.seconds_net) == (2, None, None)
    assert (report.cost_saved, report.unpriced) == (None, 2)


def test_look_ups_and_memory_are_measured(cache: ClockedCache) -> None:
    embeddings = make(cache, cost_per_embedding=1.0)
    embeddings.embed(["a", "b"])
    report = embeddings.report()
    assert report.lookup_seconds is not None
    assert report.lookup_seconds > 0
    assert report.memory_bytes is not None
    assert 0 < report.memory_bytes == cache.stats().memory_bytes
    month = report.savings(upkeep=Upkeep(redis=1, memory=1, second=1))
    assert month.unknown == ()
    assert month.net is not None
    assert month.gross is not None
    assert month.net < month.gross


def test_a_call_that_failed_saves_no_calls(cache: ClockedCache) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        if "fail" in texts:
            raise LookupError
        return rows(texts)

    embeddings = EmbeddingCache(
        embed, model="m", cache=cache, batch_size=1, prices={"m": {"per_call": 1}}
    )
    with pytest.raises(LookupError):
        embeddings.embed(["a", "fail", "b"])
    report = embeddings.report()
    assert (report.cost_total, report.cost_spent, report.cost_saved) == (1, 1, 0)


def test_who_waits_for_another_saves(cache: ClockedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    waiters, begun, go_on = Waiters(monkeypatch), threading.Event(), threading.Event()

    def embed(texts: list[str]) -> list[list[float]]:
        begun.set()
        assert go_on.wait(DEADLINE)
        return rows(texts)

    embeddings = EmbeddingCache(embed, model="m", cache=cache, cost_per_embedding=1.0)

    def second() -> None:
        assert begun.wait(DEADLINE)
        embeddings.embed(["a", "a"])

    def release() -> None:
        waiters.wait_for(1)
        go_on.set()

    in_threads(lambda: embeddings.embed(["a"]), second, release)
    report = embeddings.report()
    assert (report.misses, report.computed, report.cost_saved) == (3, 1, 2.0)


def test_what_goes_on_after_its_caller_left_is_paid_for(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters = Waiters(monkeypatch)

    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def embed(texts: list[str]) -> list[list[float]]:
            begun.set()
            await go_on.wait()
            return rows(texts)

        embeddings = EmbeddingCache(embed, model="m", cache=cache, prices=Price(per_call=1.0))
        first = asyncio.create_task(embeddings.aembed(["a"]))
        await begun.wait()
        second = asyncio.create_task(embeddings.aembed(["a"]))
        await asyncio.to_thread(waiters.wait_for, 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        await second
        report = embeddings.report()
        assert (report.computed, report.calls, report.requests) == (1, 1, 2)
        assert report.cost_spent == 1.0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prices": {"m": -1}}, "prices['m']=-1"),
        ({"prices": 3}, "prices=3 of type int: allowed is a mapping"),
        ({"prices": {"m": 1}, "cost_per_embedding": 1}, "allowed is one of the two"),
        ({"count_tokens": 5}, "count_tokens=5 of type int: allowed is a callable"),
        ({"cost_per_embedding": -1}, "cost_per_embedding=-1"),
    ],
)
def test_bad_arguments(cache: ClockedCache, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make(cache, **options)
    assert said in str(raised.value)


def test_a_function(cache: ClockedCache) -> None:
    @cache.cached(key_prefix="f")
    def double(x: int) -> int:
        return 2 * x

    for x in (1, 2, 1, 1):
        double(x)
    report = double.cost_report(0.25)
    assert (report.hits, report.misses, report.computed, report.calls) == (2, 2, 2, 2)
    assert (report.cost_total, report.cost_spent, report.cost_saved) == (1.0, 0.5, 0.5)
    assert report.seconds_saved is not None
    assert report.seconds_saved > 0
    assert double.cost_report().cost_saved is None
    timed = double.cost_report(Price(per_second=2.0))
    assert timed.cost_saved == pytest.approx(2 * report.seconds_saved)
    double.cache_clear()
    assert double.cost_report(0.25).requests == 0
    assert double.cost_report(Price(per_second=1)).cost_saved == 0


def test_a_refresh_is_paid_for(cache: ClockedCache) -> None:
    @cache.cached(key_prefix="f")
    def same(x: int) -> int:
        return x

    same(1)
    same.refresh(1)
    same.refresh(1)
    report = same.cost_report({"per_call": 1})
    assert (report.cost_total, report.cost_spent, report.cost_saved) == (1.0, 3.0, -2.0)


def test_an_async_function_and_a_search(cache: ClockedCache) -> None:
    @cache.cached(key_prefix="f")
    async def double(x: int) -> int:
        return 2 * x

    @cache.cache_vector_search(key_prefix="s")
    def search(namespace: str, vector: list[float], top_k: int = 10) -> list[int]:
        return [top_k]

    async def main() -> None:
        for _ in range(3):
            await double(1)

    asyncio.run(main())
    assert double.cost_report(1.0).cost_saved == 2.0
    for _ in range(4):
        search("n", [1.0, 2.0])
    assert search.cost_report(1.0).cost_saved == 3.0


def test_a_function_of_a_list_counts_items(cache: ClockedCache) -> None:
    @cache.cached_batch(over="items", key_prefix="b")
    def double(items: list[int]) -> list[int]:
        return [2 * item for item in items]

    double([1, 2, 3])
    double([1, 2, 4])
    report = double.cost_report(1.0)
    assert (report.requests, report.computed, report.calls) == (6, 4, 2)
    assert report.cost_saved == 2.0


def fill(cache: ClockedCache) -> None:
    cache.set("emb:a", [1], cost=0.5)
    for key in ("emb:a", "emb:a", "emb:b", "user:1", "plain"):
        cache.get(key)


def test_a_whole_cache_by_group(cache: ClockedCache) -> None:
    fill(cache)
    costs = cache.cost_report({"emb": 0.25, "user": {"per_call": 2.0}})
    emb, user, rest = (costs.groups[name] for name in ("emb", "user", "-"))
    assert (emb.hits, emb.misses, emb.cost_saved, emb.cost_total) == (2, 1, 0.5, 0.75)
    assert (user.cost_saved, user.cost_total) == (0.0, 2.0)
    assert (rest.cost_saved, rest.unpriced) == (None, 1)
    assert (costs.total.hits, costs.total.misses) == (2, 3)
    assert (costs.total.cost_saved, costs.total.unpriced) == (0.5, 1)
    assert costs.total.is_partial
    assert costs.recorded == pytest.approx(1.0)


def test_a_whole_cache_without_prices(cache: ClockedCache) -> None:
    fill(cache)
    costs = cache.cost_report()
    assert costs.total.cost_saved is None
    assert {report.cost_saved for report in costs.groups.values()} == {None}
    fresh = ClockedCache()
    assert fresh.cost_report().recorded is None
    assert fresh.cost_report({"emb": 1}).total.cost_saved is None
    fresh.close()


def test_a_group_by_tokens_is_not_known(cache: ClockedCache) -> None:
    fill(cache)
    groups = cache.cost_report({"emb": {"per_token": 1}, "user": {"per_second": 1}}).groups
    assert (groups["emb"].cost_saved, groups["user"].cost_saved) == (None, None)


def test_forms_of_a_report(cache: ClockedCache) -> None:
    fill(cache)
    costs = cache.cost_report({"emb": 0.25})
    rows_ = costs.rows()
    assert [row["group"] for row in rows_] == ["-", "emb", "user", "total"]
    assert len({frozenset(row) for row in rows_}) == 1, "one set of columns"
    text = str(costs)
    assert "emb " in text
    assert "not known" in text
    assert costs.as_dict()["groups"]["emb"]["cost_saved"] == 0.5
    assert costs.total.memory_bytes == cache.stats().memory_bytes


def test_bad_prices_of_a_cache(cache: ClockedCache) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: cache.cost_report({"emb": "x"}),
        lambda: cache.cost_report(5),  # type: ignore[arg-type]
        lambda: cache.cached(key_prefix="f")(rows).cost_report("x"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="allowed is"):
            call()


def test_the_prices_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VCACHE_PRICES", '{"m": 0.5}')
    cache = ClockedCache()
    monkeypatch.setattr("vcache.env._shared", cache)
    embeddings = EmbeddingCache(rows, model="m")
    embeddings.embed(["a", "a"])
    assert embeddings.report().cost_saved == 0.5
    assert make(cache).report().cost_saved is None, "not those of a cache that is given"
    assert EmbeddingCache(rows, model="n").report().cost_saved is None
    cache.close()


def test_an_embedding_cache_pickles_with_its_prices() -> None:
    with Cache() as cache:
        made = EmbeddingCache(rows, model="m", cache=cache, prices=PriceTable({"m": 0.5}))
        copy = pickle.loads(pickle.dumps(made))
        copy.embed(["a", "a"])
        assert copy.report().cost_saved == 0.5
        copy._cache.close()
