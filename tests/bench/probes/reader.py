"""Holds copies in memory and tells when it has lost them. Argument: the URL of Redis.

For each line of standard input, a key and its value, it says `held` once memory has that, reads on
until it gets something else, and prints when that was and what it got.
"""

from __future__ import annotations

import json
import sys
import time

import vcache


def main(url: str) -> None:
    with vcache.Cache(redis=url, jitter=0) as cache:
        while (cache.stats().redis or {})["coherence"] != "tracking":
            cache.get("no such key")
        say("tracking")
        for line in sys.stdin:
            key, value = json.loads(line)
            while (found := cache.lookup(key)).tier != "memory" or found.value != value:
                pass
            say("held")
            while (seen := cache.get(key)) == value:
                pass
            say([time.monotonic(), seen])


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
