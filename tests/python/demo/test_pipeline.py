"""The pipeline over a tiny embedder and index; the cache is the real one."""

from collections.abc import Sequence

import numpy as np
import pytest

from vcache import Cache
from vcache.demo import pipeline
from vcache.demo.pipeline import Answer, Rag, Vectors

STREAM = ["one", "two", "one", "three", "one", "two"]


class Letters:
    """A text's letter counts; counts its own calls."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        return np.array(
            [[text.count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in texts], "f4"
        )


class Nearest:
    def search(self, vector: Vectors, top_k: int) -> Answer:
        return [[n, float(vector.sum()) / (n + 1)] for n in range(top_k)]


def rag() -> Rag:
    return Rag(Letters(), Nearest())


def ignore(done: int) -> None:
    pass


def test_without_a_cache_everything_is_computed() -> None:
    run = pipeline.run_stream("cold", rag(), STREAM, "computed", ignore)
    assert run.sources == ["computed"] * len(STREAM)
    assert (run.work.embeddings, run.work.searches) == (len(STREAM), len(STREAM))
    assert run.wall == pytest.approx(run.seconds.sum())


def test_through_vcache_repeats_come_from_memory_and_answers_are_equal() -> None:
    cold = pipeline.run_stream("cold", rag(), STREAM, "computed", ignore)
    with Cache() as cache:
        hot = pipeline.run_cached("hot", rag(), cache, STREAM, 0.5, ignore)
    assert hot.sources == ["computed", "computed", "memory", "computed", "memory", "memory"]
    assert (hot.work.embeddings, hot.work.searches) == (3, 3)
    assert hot.dollars_saved == pytest.approx(1.5)
    assert hot.tiers == {"memory": pytest.approx(0.5), "redis": 0.0}
    assert pipeline.differences(cold.answers, hot.answers) == []


def test_a_changed_score_is_a_difference() -> None:
    right: list[Answer] = [[[1, 0.5]], [[2, 0.25]]]
    wrong: list[Answer] = [[[1, 0.5]], [[2, float(np.nextafter(0.25, 1.0))]]]
    assert pipeline.differences(right, wrong) == [1]


def test_the_corpus_keeps_its_order_and_is_computed_once() -> None:
    texts = ["a long passage of text", "b", "medium one"]
    letters, seen = Letters(), list[int]()
    with Cache() as cache:
        vectors = pipeline.embed_corpus(letters, cache, texts, seen.append)
        again = pipeline.embed_corpus(letters, cache, texts, seen.append)
    assert np.array_equal(vectors, Letters().embed(texts))
    assert np.array_equal(vectors, again)
    assert letters.batches == [["b", "medium one", "a long passage of text"]]
    assert seen == [3]
