"""64 threads of one process that ask a cache of embeddings for one text at the same moment.

Arguments: which cache (vcache, langchain or redisvl), the URL of Redis. For each line of
standard input, a text, it prints how often the model was called, how many got its row, and the
seconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import redis

THREADS = 64
SECONDS = 0.3  # of a call of the model
ROW = [0.25] * 384

Ask = Callable[[str], Sequence[float]]


class Model:
    """Takes its time, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._lock = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        with self._lock:
            self.calls += 1
        time.sleep(SECONDS)
        return [ROW for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def ours(model: Model, url: str) -> Ask:
    import vcache

    cache = vcache.Cache(redis=url, timeout=5)
    cached = vcache.EmbeddingCache(model.embed_documents, model="a-model", cache=cache)
    cached.embed_one("a text before the first")
    return lambda text: cached.embed_one(text).tolist()


def langchain(model: Model, url: str) -> Ask:
    from langchain_classic.embeddings import CacheBackedEmbeddings
    from langchain_core.embeddings import Embeddings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package says that it is to be retired
        from langchain_community.storage import RedisStore

        store = RedisStore(client=redis.Redis.from_url(url))

    class Slow(Model, Embeddings):
        embed_documents = staticmethod(model.embed_documents)
        embed_query = staticmethod(model.embed_query)

    cached = CacheBackedEmbeddings.from_bytes_store(
        Slow(), store, namespace="a-model", key_encoder="sha256"
    )
    cached.embed_documents(["a text before the first"])
    return lambda text: cached.embed_documents([text])[0]


def redisvl(model: Model, url: str) -> Ask:
    from redisvl.extensions.cache.embeddings import EmbeddingsCache
    from redisvl.utils.vectorize import CustomVectorizer

    vectorizer = CustomVectorizer(
        embed=model.embed_query, cache=EmbeddingsCache(name="redisvl", redis_url=url)
    )
    vectorizer.embed("a text before the first")
    return lambda text: vectorizer.embed(text)


def asked(model: Model, ask: Ask, text: str) -> dict[str, Any]:
    ready, rows = threading.Barrier(THREADS + 1), []

    def one() -> None:
        ready.wait()
        rows.append(ask(text))

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    before = model.calls
    ready.wait()
    start = time.monotonic()
    for thread in threads:
        thread.join()
    right = sum(row == ROW for row in rows)
    return {"calls": model.calls - before, "right": right, "seconds": time.monotonic() - start}


def main(which: str, url: str) -> None:
    model = Model()
    caches = {"vcache": ours, "langchain": langchain, "redisvl": redisvl}
    ask = caches[which](model, url)
    say("ready")
    for line in sys.stdin:
        say(asked(model, ask, json.loads(line)))


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
