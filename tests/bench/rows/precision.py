"""Embeddings at rest with less precision: their bytes in Redis and how far they turn."""

from __future__ import annotations

from functools import cache

import numpy as np
import redis
from harness import CannotRun, Check, Outcome, expect, key
from server import HOST, redis_server

import vcache

EMBEDDINGS, EMBED_AT_ONCE, STORE_AT_ONCE = 10_000, 64, 500
SEED = 3
DISTINCT_WORDS = 5  # of a sentence, at least


def float16(rounds: int) -> Outcome:
    """`storage_dtype="float16"` over 10,000 MiniLM embeddings of sentences."""
    return _at_rest("float16", bytes_share=0.55, cosine_error=1e-3)


def int8(rounds: int) -> Outcome:
    """`storage_dtype="int8"` over the same embeddings."""
    return _at_rest("int8", bytes_share=0.30, cosine_error=1e-2)


def _at_rest(dtype: str, bytes_share: float, cosine_error: float) -> Outcome:
    rows = embeddings()
    names = [key(number) for number in range(len(rows))]
    with redis_server() as port:
        raw, raw_used = _stored(port, names[:1], rows[:1], None)[1:]
        back, length, used = _stored(port, names, rows, dtype)
    expect(back.dtype == np.float32, f"{dtype} read as float32")
    error = float(_cosine_errors(rows, back).max())
    return Outcome(
        [
            Check("bytes over those of the raw value", length / raw, bytes_share, at_least=False),
            Check("greatest cosine error", error, cosine_error, at_least=False, unit=""),
        ],
        {
            "value (bytes)": float(length),
            "raw value (bytes)": float(raw),
            "MEMORY USAGE (bytes)": float(used),
            "raw MEMORY USAGE (bytes)": float(raw_used),
            "mean cosine error (1)": float(_cosine_errors(rows, back).mean()),
        },
    )


def _stored(
    port: int, names: list[str], rows: np.ndarray, dtype: str | None
) -> tuple[np.ndarray, int, int]:
    """The rows as read from Redis, and STRLEN and MEMORY USAGE of the first."""
    name = dtype or "raw"
    url = f"redis://{HOST}:{port}/0"
    with vcache.Cache(redis=url, namespace=name, memory=0, storage_dtype=dtype) as tier:  # type: ignore[arg-type]
        parts = []
        for start in range(0, len(rows), STORE_AT_ONCE):
            chosen = slice(start, start + STORE_AT_ONCE)
            tier.set_vectors(names[chosen], rows[chosen])
            part, found = tier.get_vectors(names[chosen], dim=rows.shape[1])
            expect(found.all(), f"vectors stored as {name}")
            parts.append(part)
    client = redis.Redis(host=HOST, port=port)
    used = client.memory_usage(f"{name}:{names[0]}", samples=0)
    return np.concatenate(parts), client.strlen(f"{name}:{names[0]}"), used or 0


def _cosine_errors(rows: np.ndarray, back: np.ndarray) -> np.ndarray:
    left, right = rows.astype("f8"), back.astype("f8")
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return 1 - (left * right).sum(axis=1) / lengths


@cache
def embeddings() -> np.ndarray:
    """Of as many short sentences of the docstrings that are installed."""
    from vcache.demo.corpus import from_docstrings, sentences
    from vcache.demo.model import MiniLM

    passages = from_docstrings(EMBEDDINGS, SEED, lambda _: None)
    found = dict.fromkeys(
        sentence
        for passage in passages
        for sentence in sentences(passage.text)
        if len(set(sentence.split())) >= DISTINCT_WORDS
    )
    texts = sorted(found, key=len)[:EMBEDDINGS]
    if len(texts) < EMBEDDINGS:
        raise CannotRun(f"{len(texts)} different sentences found of {EMBEDDINGS}")
    model = MiniLM()
    parts = [
        model.embed(texts[start : start + EMBED_AT_ONCE])
        for start in range(0, len(texts), EMBED_AT_ONCE)
    ]
    return np.concatenate(parts)
