"""The second process: asks the same stream with nothing in memory and Redis warm.

`python -m vcache.demo.second STATE RESULT`; both files are JSON and written by and for `run.py`.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from .model import MiniLM
from .pipeline import Rag, Run, Source, Vectors, Work, embed_corpus, open_cache, run_cached
from .search import Answer, FlatIndex


class State(msgspec.Struct):
    """What the second process is told."""

    redis: str
    passages: Sequence[str]
    questions: Sequence[str]
    cost: float


class Result(msgspec.Struct):
    """What it reports."""

    name: str
    seconds: list[float]
    sources: list[Source]
    answers: list[Answer]
    embeddings: int
    searches: int
    dollars_saved: float
    tiers: dict[str, float]
    corpus_seconds: float
    corpus_sha256: str
    model_loaded: bool

    def run(self) -> Run:
        work = Work(self.embeddings, self.searches)
        seconds = np.array(self.seconds)
        return Run(
            self.name, seconds, self.sources, self.answers, work, self.dollars_saved, self.tiers
        )


def ask_again(state: State) -> Result:
    embedder = MiniLM()
    with open_cache(state.redis) as cache:
        start = time.perf_counter()
        vectors = embed_corpus(embedder, cache, state.passages, lambda done: None)
        corpus_seconds = time.perf_counter() - start
        rag = Rag(embedder, FlatIndex(vectors))
        run = run_cached(
            "second process", rag, cache, state.questions, state.cost, lambda done: None
        )
    return Result(
        run.name,
        run.seconds.tolist(),
        run.sources,
        run.answers,
        run.work.embeddings,
        run.work.searches,
        run.dollars_saved,
        run.tiers,
        corpus_seconds,
        digest(vectors),
        embedder.loaded,
    )


def digest(vectors: Vectors) -> str:
    return hashlib.sha256(vectors.tobytes()).hexdigest()


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    told = msgspec.json.decode(source.read_bytes(), type=State)
    target.write_bytes(msgspec.json.encode(ask_again(told)))
