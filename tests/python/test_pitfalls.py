"""What other caches of embeddings got wrong, over a cache in memory."""

from __future__ import annotations

import gc
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from similar_searches import FIRST, ONE_QUESTION, OTHER_QUESTIONS, turned, who_answers
from texts_of import DIM, row

from vcache import MISSING, Cache, EmbeddingCache
from vcache.keys import KeyGen

TEXTS = st.lists(st.text(max_size=3), max_size=12)
PARTS = st.lists(st.text(alphabet="a:%+*?=&\0é\ud800 ", max_size=4), min_size=1, max_size=4)


@settings(max_examples=60)
@given(known=TEXTS, asked=TEXTS, size=st.integers(1, 5))
def test_each_input_of_a_mixed_batch_gets_its_own_vector(
    known: list[str], asked: list[str], size: int
) -> None:
    """Hits, misses and duplicates in any order, each computed once."""
    computed: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        computed.extend(texts)
        return [row(text) for text in texts]

    with Cache() as cache:
        embeddings = EmbeddingCache(embed, model="m", cache=cache, batch_size=size)
        for texts in (known, asked):
            matrix = embeddings.embed(texts)
            wanted = np.array([row(text) for text in texts], "f4").reshape(matrix.shape)
            np.testing.assert_array_equal(matrix, wanted)
        assert sorted(computed) == sorted({*known, *asked})


@settings(max_examples=60)
@given(known=TEXTS, asked=TEXTS, seed=st.integers(0, 9))
def test_a_provider_may_answer_in_any_order(known: list[str], asked: list[str], seed: int) -> None:
    """One that says for which key each answer is."""

    def answer(keys: list[str]) -> dict[str, Any]:
        answers = [(key, np.float32(row(key))) for key in keys]
        random.Random(seed).shuffle(answers)
        return dict(answers)

    known, asked = [f"k{text}" for text in known], [f"k{text}" for text in asked]
    with Cache() as cache:
        for keys in (known, asked, asked):
            got = cache.get_or_set_many(keys, answer)
            assert [each.tolist() for each in got] == [row(key) for key in keys]


def test_no_two_kinds_of_vector_share_a_key() -> None:
    """Of one text: each model, width, kind and normalisation has its own."""

    def make(**options: Any) -> EmbeddingCache:
        def embed(texts: list[str]) -> Any:
            width = options.get("dims") or DIM
            return [[len(made) + 1.0] * width for _ in texts]

        return EmbeddingCache(embed, cache=cache, **({"model": "m"} | options))

    variants: list[dict[str, Any]] = [
        {},
        {"model": "m:document"},
        {"model": "other"},
        {"dims": 2},
        {"dims": DIM},
        {"kind": "query"},
        {"kind": "m"},
        {"normalize": True},
        {"kind": "query", "normalize": True},
    ]
    with Cache() as cache:
        made: list[Any] = []
        for options in variants:
            made.append(make(**options).embed_one("text").tolist())
        again = [make(**options).embed_one("text").tolist() for options in variants]
        assert again == made, "each its own, as it was computed first"
        assert cache.stats().misses == len(variants)


@settings(max_examples=300)
@given(one=PARTS, other=PARTS)
def test_no_split_of_fields_makes_the_key_of_another(one: list[str], other: list[str]) -> None:
    with Cache() as cache:

        @cache.cached(key_prefix="f")
        def joined(*parts: str) -> str:
            raise AssertionError

        def keys(parts: list[str]) -> dict[str, tuple[object, str]]:
            """What is named in each way, and its key."""
            model, text = parts[0], ":".join(parts[1:])
            found: dict[str, tuple[object, str]] = {"f": (parts, joined.cache_key(*parts))}
            if "\ud800" in "".join(parts):
                return found
            found["k"] = parts, KeyGen("k").resource("r", *parts)
            if model:
                embeddings = EmbeddingCache(lambda _: [], model=model, cache=cache)
                found["emb"] = (model, text), embeddings.key(text)
            return found

        mine, theirs = keys(one), keys(other)
        for way in mine.keys() & theirs.keys():
            (named, key), (named_by_them, their_key) = mine[way], theirs[way]
            assert (key == their_key) == (named == named_by_them)


def test_a_key_of_text_is_not_that_of_its_bytes_as_text() -> None:
    with Cache() as cache:

        @cache.cached(key_prefix="f")
        def function(x: object) -> str:
            return repr(x)

        given_as = [b"hi", "hi", "6869", "b'hi'", ["h", "i"], 6869, 6869.0, True, 1, "1", None]
        assert [function(x) for x in given_as] == [repr(x) for x in given_as]
        assert [function(x) for x in given_as] == [repr(x) for x in given_as]


@pytest.mark.parametrize("end", ["evicted", "deleted", "cleared", "closed", "expired"])
def test_a_returned_array_cannot_be_changed_and_outlives_its_entry(cache: Any, end: str) -> None:
    vectors = np.arange(8 * 4096, dtype="f4").reshape(8, 4096)
    cache.set_vectors(range_of(8), vectors)
    rows = [cache.get(key) for key in range_of(8)]
    for each in rows:
        with pytest.raises(ValueError, match="read-only"):
            each[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            each.flags.writeable = True
    if end == "evicted":
        for number in range(12_000):  # more than the budget holds, so that the memory is used anew
            cache.set(f"more {number}", np.full(4096, -1, "f4"))
        assert cache.mget(range_of(8), MISSING) == [MISSING] * 8
    elif end == "deleted":
        assert cache.mdelete(range_of(8)) == 8
    elif end == "cleared":
        cache.clear()
    elif end == "closed":
        cache.close()
    else:
        cache.clock.advance(4000)
        assert not cache.exists("0")
    if end != "closed":
        for number in range(100):
            cache.set(f"after {number}", np.full(4096, -2, "f4"))
    gc.collect()
    np.testing.assert_array_equal(np.stack(rows), vectors)


@settings(max_examples=40)
@given(
    threshold=st.floats(0.05, 1.0),
    apart=st.lists(st.floats(-1e-3, 1e-3) | st.floats(-1.0, 1.0), min_size=1, max_size=10),
)
def test_a_threshold_decides_the_same_in_sync_and_async(
    threshold: float, apart: list[float]
) -> None:
    """Of queries about as similar as the threshold, and of others; above it one answers."""
    degrees = [min(max(threshold + each, -1.0), 1.0) for each in apart]
    queries = [(ONE_QUESTION, turned(each, seed=n)) for n, each in enumerate(degrees, start=10)]
    with Cache() as first, Cache() as second:
        plain = who_answers(first, queries, is_async=False, similar=threshold)
        assert who_answers(second, queries, is_async=True, similar=threshold) == plain
    for degree, answered in zip(degrees, plain, strict=True):
        if abs(degree - threshold) > 1e-6:
            assert answered == (degree > threshold)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", OTHER_QUESTIONS)
def test_another_question_with_the_same_vector_is_no_hit(kind: str, is_async: bool) -> None:
    """Neither way round; the same one in other words is answered."""
    one, other, same = OTHER_QUESTIONS[kind]
    for first, queries, wanted in ((one, [other, same], [False, True]), (other, [one], [False])):
        with Cache() as cache:
            asked = [(query, FIRST) for query in queries]
            answered = who_answers(cache, asked, first=first, is_async=is_async, similar=0.9)
        assert answered == wanted


@pytest.mark.parametrize("is_async", [False, True])
def test_queries_without_words_are_not_the_same_question(is_async: bool) -> None:
    with Cache() as cache:
        queries = [(text, FIRST) for text in (" ", "\t\n", "?!", "...")]
        answered = who_answers(cache, queries, first="", is_async=is_async, similar=0.9)
    assert answered == [False] * 4


def range_of(count: int) -> list[str]:
    return [str(number) for number in range(count)]
