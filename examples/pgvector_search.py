"""A search in PostgreSQL with pgvector, remembered by one decorator and ended by what changes.

    python examples/pgvector_search.py

Needs psycopg, and a PostgreSQL with pgvector: one named by POSTGRES_URL, or the package pgserver.
You will see how long a search takes with and without the cache, that both find the same rows, and
that a passage that is written or added is found at once.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
import servers

import vcache

PASSAGES, DIMENSIONS, QUESTIONS, DIFFERENT = 5_000, 384, 400, 40

Hits = list[list[Any]]
Search = Callable[..., Hits]


def text_of(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{number:.6f}" for number in vector) + "]"


class Passages:
    """A table of passages and their embeddings, in a schema that only this connection sees."""

    def __init__(self, url: str) -> None:
        self._database = psycopg.connect(url, autocommit=True)
        self._database.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self._database.execute(
            "CREATE TEMPORARY TABLE passages (id bigserial PRIMARY KEY, body text,"
            f" embedding vector({DIMENSIONS}))"
        )

    def add(self, bodies: Sequence[str], vectors: Sequence[Sequence[float]]) -> None:
        copy = "COPY passages (body, embedding) FROM STDIN"
        with self._database.cursor() as cursor, cursor.copy(copy) as rows:
            for body, vector in zip(bodies, vectors, strict=True):
                rows.write_row((body, text_of(vector)))

    def rewrite(self, identity: int, body: str) -> None:
        self._database.execute("UPDATE passages SET body = %s WHERE id = %s", (body, identity))

    def search(self, namespace: str, vector: Sequence[float], top_k: int = 10) -> Hits:
        """The nearest passages: id, text and cosine distance."""
        found = self._database.execute(
            "SELECT id, body, embedding <=> %s::vector AS distance FROM passages"
            " ORDER BY distance LIMIT %s",
            (text_of(vector), top_k),
        )
        return [list(row) for row in found]


def milliseconds(search: Search, questions: Sequence[Sequence[float]]) -> tuple[float, list[Hits]]:
    """The median time of one search, and all answers."""
    times, answers = [], []
    for question in questions:
        start = time.perf_counter()
        answers.append(search("passages", question))
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), answers


def main(url: str) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((PASSAGES, DIMENSIONS)).round(6)
    passages, cache = Passages(url), vcache.Cache()
    passages.add([f"passage {number}" for number in range(PASSAGES)], vectors.tolist())

    @cache.cache_vector_search(ttl="5m", depends_on=lambda hits: [f"doc:{hit[0]}" for hit in hits])
    def search(namespace: str, vector: Sequence[float], top_k: int = 10) -> Hits:
        return passages.search(namespace, vector, top_k)

    different = (vectors[:DIFFERENT] + 0.1).tolist()
    questions = random.Random(0).choices(different, k=QUESTIONS)
    alone, expected = milliseconds(passages.search, questions)
    cached, answers = milliseconds(search, questions)
    if answers != expected:
        sys.exit("wrong: the cached answers are not those of the database")
    print(f"{PASSAGES:,} passages, {QUESTIONS} searches, {DIFFERENT} different ones")
    print(f"median search in PostgreSQL {alone:9.3f} ms")
    print(f"median search through cache {cached:9.3f} ms   ({alone / cached:.0f} times faster)")
    print(search.cache_info())

    identity = search("passages", different[0])[0][0]
    passages.rewrite(identity, "a passage with a new text")
    cache.invalidate_tags(f"doc:{identity}")  # ends the searches that returned it
    print("after a passage was written:", best := search("passages", different[0])[0])
    passages.add(["a passage that is new"], [different[1]])
    cache.bump_epoch("passages")  # any search may have to return a new passage
    print("after a passage was added:  ", new := search("passages", different[1])[0])
    if best[1] != "a passage with a new text" or new[1] != "a passage that is new":
        sys.exit("wrong: a search was answered with what was there before")


if __name__ == "__main__":
    with servers.postgres() as postgres_url:
        main(postgres_url)
