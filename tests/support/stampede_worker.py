"""One process of a stampede: asks for keys with a factory that counts its calls in Redis.

Reads one JSON object a line: {"key", "threads", "seconds", "lease", "hold", "fail"}; answers each
with a line of what its threads got.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import redis

from vcache import Cache


def serve(url: str) -> None:
    counters = redis.Redis.from_url(url)
    caches: dict[float, Cache] = {}
    say("ready")
    for line in sys.stdin:
        task = json.loads(line)
        lease = task["lease"]
        if lease not in caches:
            caches[lease] = Cache(redis=url, lease=lease, timeout=5, memory_ttl=1)
        say(json.dumps(asked(caches[lease], counters, task)))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def asked(cache: Cache, counters: redis.Redis[Any], task: dict[str, Any]) -> list[Any]:
    def factory() -> str:
        counters.rpush(f"calls:{task['key']}", time.time())
        threading.Event().wait(task["seconds"])
        if task.get("fail"):
            raise KeyError("down")
        return "value"

    def ask() -> None:
        try:
            results.append(cache.get_or_set(task["key"], factory, ttl=60))
        except KeyError as error:
            results.append(repr(error))

    results: list[Any] = []
    threads = [threading.Thread(target=ask) for _ in range(task["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


if __name__ == "__main__":
    serve(sys.argv[1])
