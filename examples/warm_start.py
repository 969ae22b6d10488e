"""A process that starts with nothing in memory, and finds what others computed in Redis.

    python examples/warm_start.py

Needs the packages of the extra `demo`, and a Redis: one named by REDIS_URL, or a redis-server that
the program starts. You will see two processes answer the same questions. The first computes their
embeddings; the second loads no model, and has them in its own memory before the first request.
"""

from __future__ import annotations

import subprocess
import sys
import time
from hashlib import sha256
from uuid import uuid4

import servers

import vcache
from vcache.demo.model import NAME, MiniLM

QUESTIONS = [
    f"How do I {action} a {thing}?"
    for action in ("open", "close", "copy", "move", "delete", "read", "write", "rename")
    for thing in ("file", "folder", "socket", "database", "queue", "window", "stream", "lock")
]


def serve(url: str, namespace: str) -> None:
    """One process of a service, from its start to its first answers; says what that took."""
    model = MiniLM()
    with vcache.Cache(redis=url, namespace=namespace, ttl="10m") as cache:
        embeddings = vcache.EmbeddingCache(model.embed, model=NAME, cache=cache, ttl="10m")
        start = time.perf_counter()
        warmed = sum(cache.get_vectors([embeddings.key(text) for text in QUESTIONS])[1])
        between = time.perf_counter()
        matrix = embeddings.embed(QUESTIONS)
        end = time.perf_counter()
        stats = cache.stats()
    print(
        f"warmed {warmed:2} in {(between - start) * 1000:6.1f} ms, answered in"
        f" {(end - between) * 1000:8.1f} ms: computed {embeddings.report().computed:2},"
        f" from Redis {stats.redis_hits:2}, from memory {stats.memory_hits:2},"
        f" model loaded: {model.loaded}, digest {sha256(matrix.tobytes()).hexdigest()[:12]}"
    )


def main() -> None:
    namespace = f"example-{uuid4().hex[:8]}"
    with servers.redis() as url:
        said = []
        for start in ("first", "second"):
            command = [sys.executable, __file__, url, namespace]
            said.append(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True))
            print(f"{start} start:", said[-1].stdout, end="")
    first, second = (ended.stdout.split() for ended in said)
    if first[-1] != second[-1] or "computed  0" not in said[1].stdout:
        sys.exit("wrong: the second process computed something, or has other numbers")


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else serve(*sys.argv[1:])
