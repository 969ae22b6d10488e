"""Cached functions that several processes have, and one such process.

The process reads a JSON list a line, a name of Functions and its arguments, and answers each with
a line of what that returns. Its argument is the URL of Redis.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import vcache


class Functions:
    """A search, a list and a batch over one cache. Results say by which `version` they were made.

    calls: what was computed here.
    """

    def __init__(self, cache: vcache.Cache) -> None:
        self.cache = cache
        self.version = 0
        self.calls: list[Any] = []
        self.during: Any = None  # called while a function runs
        self._search = cache.cache_vector_search(
            superset=True, depends_on=lambda rows: [row[0] for row in rows], key_prefix="search"
        )(self._find)
        self._users = cache.cached_list(
            item_key=lambda user: f"user:{user[0]}", key_prefix="users"
        )(self._list)
        self._scores = cache.cached_batch(over="items", key_prefix="scores")(self._score)
        self._page = cache.cached(key_prefix="page")(self._make)

    def _compute(self, call: Any) -> None:
        self.calls.append(call)
        if self.during is not None:
            self.during()

    def _find(self, namespace: str, vector: list[float], top_k: int) -> list[Any]:
        self._compute([namespace, top_k])
        return [[f"{namespace}:{i}", self.version] for i in range(top_k)]

    def _list(self) -> list[Any]:
        found = [[number, self.version] for number in range(3)]
        self._compute("list")
        return found

    def _score(self, items: list[int]) -> dict[int, Any]:
        self._compute(items)
        return {item: [item, self.version] for item in items}

    def _make(self, name: str) -> int:
        found = self.version
        self._compute(name)
        vcache.current().tags.add(f"page:{name}")
        return found

    def search(self, namespace: str, top_k: int) -> Any:
        return self._search(namespace, [0.5, 0.25], top_k)

    def users(self) -> Any:
        return self._users()

    def scores(self, *items: int) -> Any:
        return self._scores(list(items))

    def page(self, name: str) -> Any:
        return self._page(name)

    def bump(self, namespace: str) -> None:
        self.cache.bump_epoch(namespace)

    def end(self, *tags: str) -> None:
        self.cache.invalidate_tags(*tags)

    def set(self, key: str, value: Any) -> None:
        self.cache.set(key, value)

    def delete(self, key: str) -> bool:
        return self.cache.delete(key)

    def become(self, version: int) -> None:
        self.version = version

    def computed(self) -> list[Any]:
        return self.calls


def serve(url: str) -> None:
    with vcache.Cache(redis=url, timeout=5.0, jitter=0.0) as cache:
        functions = Functions(cache)
        say("ready")
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            say(json.dumps(getattr(functions, name)(*arguments)))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
