"""One day of requests, replayed through a live cache with more and more of its means switched on.

Three kinds of requests: for the embeddings of eight passages at once, which overlap with those of
others; for the results of a search; and for a session. At night a job reads 8,000 passages.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import redis
import traffic

from vcache import Stats

EACH = 8  # passages of a request
PASSAGES = 6_000
POOL = 12  # passages that a topic is about
SECONDS = {"emb": 0.02, "search": 0.08, "rerank": 0.35, "session": 0.004}  # of computing


@dataclass(frozen=True)
class Request:
    """Of a group the objects `numbers`: passages, or one other object of `size` bytes."""

    time: float
    group: str
    numbers: tuple[int, ...]
    size: int

    @property
    def seconds(self) -> float:
        """Of computing one of them."""
        return SECONDS[self.group]


@dataclass(frozen=True)
class Phase:
    """A step of the roadmap: what it is called, and what it changes of the cache, or around it."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    by_passage: bool = False  # each is cached, and not the eight of a request together
    warmed: int = 0  # keys in the cache before the first request, those of the day before first


@dataclass(frozen=True)
class Measured:
    """What one replay of the day came to. Passages and other objects count one each.

    asked, memory, redis, computed: objects, and how many of them came from where; ahead: how many
    were computed before the first request. compute_seconds: of both. p50: seconds that the calls
    of the cache took for half of the requests or less. redis_bytes, memory_bytes: held at the end
    of the day.
    """

    phase: str
    asked: int
    memory: int
    redis: int
    computed: int
    ahead: int
    compute_seconds: float
    p50: float
    redis_bytes: int
    memory_bytes: int
    evictions: int


def requests_of(day: traffic.Requests, seed: int = 3) -> list[Request]:
    """A day of traffic.one_day(), with the embeddings in requests for some at once."""
    random = np.random.default_rng(seed)
    found, scanned = list[Request](), list[int]()
    for at, group, number, size, _ in day.tolist():
        if group != "emb":
            found.append(Request(at, group, (number,), size))
        elif number >= 1_000_000:
            scanned.append(number)
            if len(scanned) == EACH:
                found.append(Request(at, group, tuple(scanned), traffic.VECTOR))
                scanned = []
        elif random.random() < 1 / 4:
            found.append(Request(at, group, _passages(number, random), traffic.VECTOR))
    return found


def _passages(topic: int, random: np.random.Generator) -> tuple[int, ...]:
    """Half of the requests for a topic are for the same ones, the others for some about it."""
    pool = [(topic * 5 + place * place) % PASSAGES for place in range(POOL)]
    places = range(EACH) if random.random() < 0.5 else random.permutation(POOL)[:EACH]
    return tuple(pool[place] for place in places)


class Service:
    """Asks a cache for what requests need, and computes what that lacks."""

    def __init__(self, cache: traffic.ReplayedCache, *, by_passage: bool) -> None:
        self._cache, self._by_passage = cache, by_passage
        self.computed, self.compute_seconds = 0, 0.0

    def keys(self, request: Request) -> list[str]:
        """Under which what it needs is cached."""
        if request.group != "emb":
            return [f"{request.group}:{request.numbers[0]}"]
        if self._by_passage:
            return [f"emb:{number}" for number in request.numbers]
        return ["batch:" + "-".join(map(str, request.numbers))]

    def answer(self, request: Request) -> None:
        keys = self.keys(request)
        if len(keys) > 1:
            self._cache.get_or_set_many(keys, lambda missing: self._embedded(len(missing)))
        else:
            cost = EACH * SECONDS["emb"] if request.group == "emb" else request.seconds
            self._cache.get_or_set(keys[0], lambda: self._made(request), cost=cost)

    def warm(self, before: Sequence[Request], most: int) -> None:
        """Computes what was asked for most on the day before, but for sessions, which are over."""
        asked = Counter[str]()
        requests = dict[str, Request]()
        for request in before:
            if request.group != "session":
                keys = self.keys(request)
                asked.update(keys)
                requests |= dict.fromkeys(keys, request)
        hottest = [key for key, _ in asked.most_common(most)]
        self._cache.warm(hottest, partial(self._ahead, requests)).wait()

    def _ahead(self, requests: dict[str, Request], keys: list[str]) -> list[Any]:
        def made(key: str) -> Any:
            return self._embedded(1)[0] if key.startswith("emb:") else self._made(requests[key])

        return [made(key) for key in keys]

    def _made(self, request: Request) -> Any:
        if request.group == "emb":
            return self._embedded(EACH)
        self._note(1, request.seconds)
        return traffic.value_of(request.group, request.numbers[0], request.size)

    def _embedded(self, count: int) -> np.ndarray[Any, Any]:
        self._note(count, SECONDS["emb"])
        return np.full((count, traffic.DIM), self.computed, np.float32)

    def _note(self, count: int, seconds: float) -> None:
        self.computed += count
        self.compute_seconds += count * seconds


def replayed(
    requests: Sequence[Request],
    phase: Phase,
    url: str,
    log: Path | None = None,
    before: Sequence[Request] = (),
) -> Measured:
    """The day through a cache that begins empty, like its Redis at `url`.

    log: where its access log goes. before: the requests of the day before, for warming.
    """
    server = redis.Redis.from_url(url)
    server.flushall()
    begin = server.info("memory")["used_memory"]
    taken = np.empty(len(requests))
    arguments = phase.arguments | {"redis": url, "access_log": log}
    with traffic.ReplayedCache(requests[0].time, **arguments) as cache:
        service = Service(cache, by_passage=phase.by_passage)
        if phase.warmed:
            service.warm(before, phase.warmed)
        ahead = service.computed
        for place, request in enumerate(requests):
            cache.at(request.time)
            start = time.perf_counter()
            service.answer(request)
            taken[place] = time.perf_counter() - start
            if log is not None and place % 100 == 0:
                cache.accesses(0)  # waits until these are noted
        stats = cache.stats()
        held = server.info("memory")["used_memory"] - begin
    server.close()
    return _measured(phase.name, stats, service, ahead, taken, held)


def _measured(
    name: str, stats: Stats, service: Service, ahead: int, taken: np.ndarray[Any, Any], held: int
) -> Measured:
    weights = {group: EACH if group == "batch" else 1 for group in stats.groups}
    counts = {
        of: sum(weights[group] * row[of] for group, row in stats.groups.items())
        for of in ("memory_hits", "redis_hits", "misses")
    }
    return Measured(
        phase=name,
        asked=sum(counts.values()),
        memory=counts["memory_hits"],
        redis=counts["redis_hits"],
        computed=service.computed - ahead,
        ahead=ahead,
        compute_seconds=service.compute_seconds,
        p50=float(np.median(taken)),
        redis_bytes=held,
        memory_bytes=stats.memory_bytes,
        evictions=stats.evictions,
    )
