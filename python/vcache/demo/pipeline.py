"""Answering a question without and with vcache, and running a stream of questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vcache import Cache, EmbeddingCache

from . import model
from .search import Answer

TOP_K = 10
CORPUS_BATCH = 32
PROGRESS_STEPS = 50
Vectors = NDArray[np.float32]
Source = Literal["computed", "redis", "memory"]
Progress = Callable[[int], None]


def open_cache(redis: str | None) -> Cache:
    """A cache as every run uses it: its own memory tier, and Redis where there is one."""
    return Cache(redis=redis, namespace="vcache-demo", memory_ttl="1h")


class Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> Vectors: ...


class Index(Protocol):
    def search(self, vector: Vectors, top_k: int) -> Answer: ...


@dataclass
class Work:
    """What was really computed, as opposed to served from a cache."""

    embeddings: int = 0
    searches: int = 0

    @property
    def total(self) -> int:
        return self.embeddings + self.searches


class Rag:
    """Embed the question, search the index. Nothing is remembered."""

    def __init__(self, embedder: Embedder, index: Index) -> None:
        self.work = Work()
        self._embedder, self._index = embedder, index

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.work.embeddings += len(texts)
        return self._embedder.embed(texts)

    def search(self, namespace: str, vector: Vectors, top_k: int = TOP_K) -> Answer:
        self.work.searches += 1
        return self._index.search(vector, top_k)

    def answer(self, question: str) -> Answer:
        return self.search("docstrings", self.embed([question])[0])


class CachedRag:
    """The same two steps, each remembered by a vcache.Cache."""

    def __init__(self, rag: Rag, cache: Cache, cost_per_embedding: float) -> None:
        self.work = rag.work
        self.embeddings = EmbeddingCache(
            rag.embed,
            model=model.NAME,
            cache=cache,
            kind="query",
            cost_per_embedding=cost_per_embedding,
        )
        search = cache.cache_vector_search(ttl=3600, key_prefix="demo.search")
        self.search = search(rag.search)

    def answer(self, question: str) -> Answer:
        found: Answer = self.search("docstrings", self.embeddings.embed_one(question))
        return found


@dataclass
class Run:
    """One pass of the stream: per question its latency, the source of the answer, the answer."""

    name: str
    seconds: NDArray[np.float64]
    sources: list[Source] = field(repr=False)
    answers: list[Answer] = field(repr=False)
    work: Work
    dollars_saved: float = 0.0
    tiers: dict[str, float] = field(default_factory=dict)

    @property
    def wall(self) -> float:
        """Time spent answering the stream; drawing the progress bar is left out."""
        return float(self.seconds.sum())

    def share(self, source: Source) -> float:
        return self.sources.count(source) / len(self.sources)

    def latencies(self, source: Source) -> NDArray[np.float64]:
        return self.seconds[[served == source for served in self.sources]]


def run_stream(
    name: str, rag: Rag | CachedRag, questions: Sequence[str], unseen: Source, progress: Progress
) -> Run:
    """Asks every question in turn. `unseen` is what serves a first sight without computing."""
    seconds = np.zeros(len(questions))
    sources, answers, seen = list[Source](), list[Answer](), set[str]()
    step = max(1, len(questions) // PROGRESS_STEPS)
    for number, question in enumerate(questions):
        before = rag.work.total
        start = time.perf_counter()
        answer = rag.answer(question)
        seconds[number] = time.perf_counter() - start
        computed = rag.work.total > before
        sources.append("computed" if computed else "memory" if question in seen else unseen)
        answers.append(answer)
        seen.add(question)
        if number % step == 0:
            progress(number)
    progress(len(questions))
    return Run(name, seconds, sources, answers, rag.work)


def run_cached(
    name: str, rag: Rag, cache: Cache, questions: Sequence[str], cost: float, progress: Progress
) -> Run:
    """`run_stream` through vcache, with what the cache itself counted."""
    cached = CachedRag(rag, cache, cost)
    run = run_stream(name, cached, questions, "redis", progress)
    stats = cache.stats()
    run.tiers = {"memory": stats.memory_hit_rate, "redis": stats.redis_hit_rate}
    run.dollars_saved = cached.embeddings.report().cost_saved or 0.0
    return run


def embed_corpus(
    embedder: Embedder, cache: Cache, texts: Sequence[str], progress: Progress
) -> Vectors:
    """One row per text. Texts go to the model by length, so that a batch carries little padding."""
    done = 0

    def compute(batch: Sequence[str]) -> Vectors:
        nonlocal done
        rows = embedder.embed(batch)
        done += len(batch)
        progress(done)
        return rows

    embeddings = EmbeddingCache(compute, model=model.NAME, cache=cache, batch_size=CORPUS_BATCH)
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    rows = embeddings.embed([texts[number] for number in order])
    vectors = np.empty_like(rows)
    vectors[order] = rows
    return vectors


def differences(expected: Sequence[Answer], actual: Sequence[Answer]) -> list[int]:
    """Numbers of the questions whose passages or scores differ in any bit."""
    return [n for n, (want, got) in enumerate(zip(expected, actual, strict=True)) if want != got]
