"""cache_vector_search(similar=...): what nearly the same queries answer, and what they must not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from clocked import ClockedCache
from similar_searches import (
    DIM,
    FIRST,
    Make,
    similar_search,
    similar_search_async,
    turned,
)
from sync_points import in_threads

import vcache
from vcache.errors import ConfigError

BOTH = pytest.mark.parametrize("make", [similar_search, similar_search_async])


@BOTH
def test_the_nearest_query_answers(cache: ClockedCache, make: Make) -> None:
    calls: list[Any] = []
    search = make(cache, calls)
    first = search("docs", FIRST)
    assert search("docs", turned(0.98)) == first
    assert search("docs", turned(0.9701)) == first
    assert search("docs", (5 * turned(0.99)).tolist()) == first
    assert len(calls) == 1
    info = search.cache_info()
    assert (info.hits, info.misses, info.similar) == (3, 1, 3)


@BOTH
def test_what_is_less_similar_is_computed(cache: ClockedCache, make: Make) -> None:
    calls: list[Any] = []
    search = make(cache, calls)
    first = search("docs", FIRST)
    assert search("docs", turned(0.9699)) != first
    assert search("docs", -FIRST) != first
    assert len(calls) == 3
    assert search.cache_info().similar == 0


def test_sync_and_async_decide_the_same(cache: ClockedCache) -> None:
    degrees = np.random.default_rng(3).uniform(0.9, 1.0, 60)
    answers = []
    for make in (similar_search, similar_search_async):
        calls: list[Any] = []
        search = make(ClockedCache(), calls, similar=0.95)
        answers.append(
            [search("docs", turned(x, seed=i % 5)) for i, x in enumerate(degrees)],
        )
        assert 1 < len(calls) < 60
    assert answers[0] == answers[1]


def test_off_by_default(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls, similar=None)
    search("docs", FIRST)
    search("docs", turned(0.99999))
    assert len(calls) == 2
    assert not hasattr(search, "nearest")


def test_an_exact_answer_comes_first(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    first = search("docs", FIRST)
    second = search.refresh("docs", turned(0.99))
    assert first != second
    assert search("docs", turned(0.99)) == second
    assert search("docs", FIRST) == first


def test_the_nearest_of_several(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls, similar=0.98)
    results = {x: search("docs", turned(x)) for x in (1.0, 0.93, 0.80)}
    assert len(calls) == 3
    assert search("docs", turned(0.995)) == results[1.0]
    assert search("docs", turned(0.925)) == results[0.93]
    assert search("docs", turned(0.81)) == results[0.80]


ENDS: dict[str, Callable[[ClockedCache, Any], Any]] = {
    "expired": lambda cache, search: cache.clock.advance(301),
    "deleted": lambda cache, search: cache.delete(search.cache_key("docs", FIRST)),
    "invalidate": lambda cache, search: search.invalidate("docs", FIRST),
    "pattern": lambda cache, search: cache.invalidate("*search*"),
    "tag": lambda cache, search: cache.invalidate_tags("doc"),
    "epoch": lambda cache, search: cache.bump_epoch("docs"),
    "clear": lambda cache, search: cache.clear(),
    "cache_clear": lambda cache, search: search.cache_clear(),
}


@BOTH
@pytest.mark.parametrize("end", ENDS)
def test_what_is_gone_answers_nothing(cache: ClockedCache, make: Make, end: str) -> None:
    calls: list[Any] = []
    search = make(cache, calls, ttl=300, depends_on=lambda _: ["doc"])
    first = search("docs", FIRST)
    assert search("docs", turned(0.99)) == first
    ENDS[end](cache, search)
    assert search("docs", turned(0.99)) != first
    assert len(calls) == 2


def test_a_key_that_is_found_missing_leaves_the_index(cache: ClockedCache) -> None:
    fails = False

    @cache.cache_vector_search(similar=0.97)
    def search(vector: Any) -> list[int]:
        if fails:
            raise OSError("the index is away")
        return [1]

    search(FIRST)
    fails = True
    search.invalidate(FIRST)
    assert search.nearest(turned(0.99)).similarity == pytest.approx(0.99)
    with pytest.raises(OSError, match="away"):
        search(turned(0.99))
    assert search.nearest(turned(0.99)) is None


def test_a_value_written_anew_is_what_answers(cache: ClockedCache) -> None:
    search = similar_search(cache, [])
    search("docs", FIRST)
    cache.set(search.cache_key("docs", FIRST), ["new"])
    assert search("docs", turned(0.99)) == ["new"]


@BOTH
def test_other_parameters_are_other_searches(cache: ClockedCache, make: Make) -> None:
    calls: list[Any] = []
    search = make(cache, calls, tenant="tenant")
    near = turned(0.999)
    search("docs", FIRST, 3, tenant="a", filters={"year": 1})
    others: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("other", near, 3), {"tenant": "a", "filters": {"year": 1}}),
        (("docs", near, 4), {"tenant": "a", "filters": {"year": 1}}),
        (("docs", near, 3), {"tenant": "b", "filters": {"year": 1}}),
        (("docs", near, 3), {"tenant": "a", "filters": {"year": 2}}),
        (("docs", near, 3), {"tenant": "a"}),
        (("docs", np.append(near, 0.0), 3), {"tenant": "a", "filters": {"year": 1}}),
        (("docs", near[:-1], 3), {"tenant": "a", "filters": {"year": 1}}),
    ]
    for args, named in others:
        assert search.nearest(*args, **named) is None
        search(*args, **named)
    assert len(calls) == 1 + len(others)
    search("docs", near, 3, tenant="a", filters={"year": 1})
    assert len(calls) == 1 + len(others)


def test_a_function_is_not_answered_by_another(cache: ClockedCache) -> None:
    calls: list[Any] = []
    one = similar_search(cache, calls, key_prefix="one")
    other = similar_search(cache, calls, key_prefix="other")
    assert one("docs", FIRST) != other("docs", turned(0.999))


@BOTH
def test_a_larger_search_answers_a_smaller_similar_one(cache: ClockedCache, make: Make) -> None:
    calls: list[Any] = []
    search = make(cache, calls, superset=True)
    first = search("docs", FIRST, 10)
    assert search("docs", turned(0.99), 4) == first[:4]
    assert len(search("docs", turned(0.99), 12)) == 12
    assert len(calls) == 2


@BOTH
def test_a_zero_vector_is_near_to_nothing(cache: ClockedCache, make: Make) -> None:
    calls: list[Any] = []
    search = make(cache, calls)
    search("docs", FIRST)
    search("docs", np.zeros(DIM))
    search("docs", np.full(DIM, 1e-9))
    search("docs", np.zeros(DIM))
    assert len(calls) == 2  # of zeros, those of the second are the same when rounded
    assert search.nearest("docs", np.zeros(DIM)) is None


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(
    cache: ClockedCache, make: Make, bad: float
) -> None:
    calls: list[Any] = []
    search = make(cache, calls)
    search("docs", FIRST)
    broken = np.append(FIRST[1:], bad)
    for call in (search, search.nearest):
        with pytest.raises(ValueError, match="argument 'vector'.*finite"):
            call("docs", broken)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "form",
    [
        lambda v: v.astype(np.float32),
        lambda v: v.astype(np.float16),
        lambda v: v.tolist(),
        lambda v: tuple(v.tolist()),
        lambda v: np.rint(v * 100).astype(np.int8),
        lambda v: np.asfortranarray(np.stack([v, v]))[0],
    ],
)
def test_vectors_of_any_form(cache: ClockedCache, form: Callable[[Any], Any]) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    search("docs", FIRST)
    search("docs", form(turned(0.995)))
    assert len(calls) == 1


def test_a_matrix_of_one_row_is_a_query_and_one_of_several_is_none(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    search("docs", FIRST[None])
    search("docs", turned(0.99)[None])
    assert len(calls) == 1
    search("docs", FIRST)  # whose result may have another form
    search("docs", np.stack([FIRST, FIRST]))
    search("docs", np.stack([FIRST, turned(0.999)]))
    assert len(calls) == 4


@pytest.mark.parametrize("vector", [None, "text", [], 5.0, [[]], {"a": 1}])
def test_what_is_no_vector_has_exact_hits_only(cache: ClockedCache, vector: Any) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    search("docs", vector)
    search("docs", vector)
    assert len(calls) == 1
    assert search.nearest("docs", vector) is None


def test_results_that_are_not_stored_answer_nothing(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls, cache_if=lambda found: False)
    search("docs", FIRST)
    search("docs", turned(0.99))
    assert len(calls) == 2
    assert search.nearest("docs", FIRST) is None


def test_blocks_without_the_cache_leave_it_out(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    first = search("docs", FIRST)
    with cache.bypass():
        assert search("docs", turned(0.99)) != first
    with cache.refreshing():
        assert search("docs", turned(0.999)) != first
    assert search("docs", turned(0.99)) == first


def test_a_hit_belongs_to_its_caller(cache: ClockedCache) -> None:
    search = similar_search(cache, [])
    first = search("docs", FIRST)
    search("docs", turned(0.99)).append("changed")
    assert search("docs", turned(0.99)) == search("docs", FIRST) == first


def test_records_are_decoded(cache: ClockedCache) -> None:
    @cache.cache_vector_search(
        similar=0.97,
        encode=lambda found: [str(n) for n in found],
        decode=lambda s: set(map(int, s)),
    )
    def search(vector: Any) -> set[int]:
        return {1, 2}

    assert search(FIRST) == search(turned(0.99)) == {1, 2}
    assert search.cache_info().similar == 1


def test_a_function_that_changes_its_vector(cache: ClockedCache) -> None:
    @cache.cache_vector_search(similar=0.97)
    def search(vector: Any) -> list[int]:
        vector[:] = 1.0
        return [1]

    search(FIRST.copy())
    assert search.nearest(FIRST).similarity == pytest.approx(1.0)
    assert search.nearest(np.ones(DIM)).similarity < 0.9


def test_methods(cache: ClockedCache) -> None:
    class Store:
        calls = 0

        @cache.cache_vector_search(similar=0.97, similar_vector="embedding")
        def search(self, embedding: Any) -> list[int]:
            self.calls += 1
            return [self.calls]

    store = Store()
    assert store.search(FIRST) == store.search(turned(0.99)) == [1]
    assert store.search.nearest(turned(0.99)).answers
    assert store.search.advice().compared == 0


def test_nearest_says_what_would_answer(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    assert search.nearest("docs", FIRST) is None
    search("docs", FIRST)
    near = search.nearest("docs", turned(0.98))
    assert near.key == search.cache_key("docs", FIRST)
    assert near.similarity == pytest.approx(0.98, abs=1e-6)
    assert near.answers
    assert near.refused is None
    assert not search.nearest("docs", turned(0.5)).answers
    assert len(calls) == 1
    assert search.cache_info().hits == 0


def test_a_computation_sees_the_similarity_that_was_too_low(cache: ClockedCache) -> None:
    seen = []

    @cache.cache_vector_search(similar=0.97)
    def search(vector: Any) -> list[int]:
        seen.append(vcache.current().similarity)
        return []

    search(FIRST)
    search(turned(0.9))
    search(turned(0.1, seed=2))
    assert seen == [None, pytest.approx(0.9, abs=1e-6), None]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"similar": 0}, ValueError, "similar=0: allowed is None or a cosine similarity"),
        ({"similar": 1.5}, ValueError, "similar=1.5"),
        ({"similar": float("nan")}, ValueError, "similar=nan"),
        ({"similar": True}, ValueError, "similar=True"),
        ({"similar": "0.9"}, ValueError, "similar='0.9'"),
        ({"similar": 0.9, "similar_vector": "query"}, ConfigError, "similar_vector='query'.*allow"),
        ({"similar": 0.9, "similar_text": "text"}, ConfigError, "similar_text='text'.*no such"),
        ({"similar": 0.9, "similar_text": 5}, ConfigError, "similar_text=5"),
        ({"similar": 0.9, "similar_memory": 0}, ValueError, "similar_memory=0: allowed"),
        ({"similar": 0.9, "similar_memory": "x"}, ValueError, "similar_memory='x'"),
        ({"similar": None, "similar_text": "namespace"}, ConfigError, "only with similar"),
        ({"similar": 0.9, "similar_size": 5}, TypeError, "similar_size: allowed are"),
    ],
)
def test_options_that_are_not_allowed(
    cache: ClockedCache, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        similar_search(cache, [], **options)


def test_advice_of_no_share(cache: ClockedCache) -> None:
    search = similar_search(cache, [])
    for precision in (0, 1.5, "high", float("nan")):
        with pytest.raises(ValueError, match=r"precision=.*allowed is a share"):
            search.advice(precision)


def test_threads_are_answered_alike(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls, similar=0.9)

    def work(number: int) -> int:
        """How many near queries were not answered."""
        others = 0
        for seed in range(100 * number, 100 * number + 80):
            query = np.random.default_rng(seed).standard_normal(DIM)
            own = search("docs", query)
            others += search("docs", turned(0.99, query)) != own
        return others

    others = in_threads(*[partial(work, number) for number in range(4)])
    assert sum(others) == 4 * 80 // 32  # those that are computed all the same
    assert len(calls) == 4 * 80 + sum(others)


FORKED = """
import os, threading
import numpy as np
import vcache

cache = vcache.Cache()
calls = []

@cache.cache_vector_search(similar=0.9)
def search(vector):
    calls.append(1)
    return [len(calls)]

base = np.random.default_rng(1).standard_normal(64)
first = search(base)
stop = threading.Event()

def busy():
    rng = np.random.default_rng(2)
    while not stop.is_set():
        search(rng.standard_normal(64))

thread = threading.Thread(target=busy)
thread.start()
codes = set()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            near = search(base + 0.01)
            new = np.arange(64.0)
            code = 0 if near == first and search(new) == search(new + 0.01) else 2
        finally:
            os._exit(code)
    codes.add(os.waitpid(pid, 0)[1])
stop.set()
thread.join()
print(codes)
"""


def test_a_forked_child_has_the_index_of_its_parent() -> None:
    assert run_alone(FORKED) == "{0}"


def test_one_event_loop_many_tasks(cache: ClockedCache) -> None:
    calls: list[Any] = []

    @cache.cache_vector_search(similar=0.97)
    async def search(vector: Any) -> list[int]:
        calls.append(1)
        return [len(calls)]

    async def main() -> None:
        await search(FIRST)
        found = await asyncio.gather(*[search(turned(0.99, seed=i)) for i in range(20)])
        assert found == [[1]] * 20

    asyncio.run(main())
    assert len(calls) == 1
