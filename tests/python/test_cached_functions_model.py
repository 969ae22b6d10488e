"""Cached functions against the functions themselves, over random calls and invalidations."""

from __future__ import annotations

from typing import Any

from clocked import ClockedCache
from hypothesis import given, settings
from hypothesis import strategies as st

ITEMS = st.integers(0, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.lists(ITEMS, max_size=8)),
        st.tuples(st.just("change"), ITEMS),
        st.tuples(st.just("refresh"), st.lists(ITEMS, max_size=4)),
        st.tuples(st.just("later"), st.integers(1, 60)),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_batches(steps: list[tuple[str, Any]]) -> None:
    """Each item is its own, in its place, and computed only where it has to be."""
    versions, stored, calls = dict.fromkeys(range(7), 0), set[int](), list[list[int]]()
    with ClockedCache(memory_ttl=None) as cache:

        @cache.cached_batch(over="items", ttl=None)
        def process(items: list[int]) -> dict[int, list[int]]:
            calls.append(items)
            return {item: [item, versions[item]] for item in reversed(items)}

        for name, argument in steps:
            expected = list[list[int]]()
            if name == "change":
                versions[argument] += 1
                assert process.invalidate([argument, argument]) == (argument in stored)
                stored.discard(argument)
            elif name == "later":
                cache.clock.advance(argument)
                if argument > 50:
                    process.cache_clear()
                    stored.clear()
            else:
                wanted = list(dict.fromkeys(argument))
                new = [item for item in wanted if name == "refresh" or item not in stored]
                expected = [new] if new else []
                call = process if name == "call" else process.refresh
                assert call(argument) == [[item, versions[item]] for item in argument]
                stored.update(argument)
            assert calls == expected
            calls.clear()


SEARCHES = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.integers(1, 12), st.booleans()), max_size=25
)


@settings(max_examples=200, deadline=None)
@given(searches=SEARCHES, there=st.integers(0, 12), columns=st.booleans())
def test_superset(searches: list[tuple[str, int, bool]], there: int, columns: bool) -> None:
    """Rows and those for whom they are never differ from what the search would return."""
    rows, known, calls = there, dict[str, int](), list[int]()
    epoch = 0

    def find(org: str, top_k: int) -> Any:
        found = [f"{org}{epoch}:{number}" for number in range(min(top_k, rows))]
        return (found, list(range(len(found)))) if columns else found

    with ClockedCache() as cache:

        @cache.cache_vector_search(superset=True, tenant="org")
        def search(namespace: str, org: str, top_k: int) -> Any:
            calls.append(top_k)
            return find(org, top_k)

        for org, top_k, changes in searches:
            if changes:
                epoch, known = epoch + 1, {}
                cache.bump_epoch("docs")
            assert search("docs", org, top_k) == find(org, top_k)
            largest = known.get(org, 0)
            answered = top_k <= largest or (org in known and rows < largest)
            assert calls == ([] if answered else [top_k])
            if not answered:
                known[org] = top_k
            calls.clear()
