"""A day of a question-answering service, made up: what it looks up in its cache, and when.

Four key groups, each with a habit that real traffic has: embeddings of questions (a few are asked
often), results of searches (what is popular moves through the day), answers of a re-ranking model
(few, dear), and sessions (some minutes of use, then never again). At night a job reads every
document once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcache import Cache, Stats, _core
from vcache.demo.server import find_binary, redis_server

Requests = npt.NDArray[Any]
FIELDS = [("time", "f8"), ("group", "U8"), ("number", "i8"), ("bytes", "i4"), ("cost", "f4")]

MIDNIGHT = 1_790_812_800.0  # 2026-10-01 00:00 UTC
DAY = 86_400.0
DIM = 384
SCAN = (2.0, 2.7)  # hours
VECTOR = 4 * DIM  # bytes


def one_day(requests: int = 40_000, *, seed: int = 7, night_job: bool = True) -> Requests:
    """The look-ups of a day in the order of time, `requests` of them and those of the job at night.

    Another `seed` is another day of the same service: popular is what was, sessions are new.
    Of shape (n,), with the fields time (seconds since the epoch), group, number (of the object in
    its group), bytes (of its value) and cost (of computing it, in seconds).
    """
    random = np.random.default_rng(seed)
    questions = _popular(random, int(requests * 0.45), 12_000, 0.95, moves=4)
    searches = _popular(random, int(requests * 0.25), 5_000, 0.85, moves=24)
    answers = _popular(random, int(requests * 0.1), 1_500, 1.0, moves=2)
    parts = [
        _rows("emb", questions, np.full(12_000, VECTOR), 0.02),
        _rows("search", searches, random.integers(1_500, 9_000, 5_000), 0.08),
        _rows("rerank", answers, random.integers(200, 700, 1_500), 0.35),
        _rows("session", _sessions(random, int(requests * 0.2)), np.full(100_000, 180), 0.004),
    ]
    if night_job:
        parts.append(_scan(random, 8_000))
    rows = np.concatenate(parts)
    rows["time"] += MIDNIGHT
    rows["number"][rows["group"] == "session"] += 100_000 * seed
    return rows[np.argsort(rows["time"], kind="stable")]


def _rows(
    group: str,
    asked: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]],
    sizes: npt.NDArray[np.int64],
    cost: float,
) -> Requests:
    times, numbers = asked
    rows = np.zeros(len(times), FIELDS)
    rows["time"], rows["group"], rows["number"] = times, group, numbers
    rows["bytes"], rows["cost"] = sizes[numbers], cost
    return rows


def _times(random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """Busiest at three in the afternoon, a tenth of that at three in the morning."""
    minutes = np.arange(1_440)
    rate = 0.55 - 0.45 * np.cos((minutes / 60 - 3) / 24 * 2 * np.pi)
    chosen = random.choice(minutes, n, p=rate / rate.sum())
    return np.sort(chosen * 60.0 + random.random(n) * 60)


def _popular(
    random: np.random.Generator, n: int, objects: int, skew: float, moves: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Zipf's law; `moves` times a day a twentieth of the popularity goes to other objects."""
    times = _times(random, n)
    shares = np.cumsum(1 / np.arange(1, objects + 1) ** skew)
    ranks = np.searchsorted(shares / shares[-1], random.random(n))
    part = (times / DAY * moves).astype(np.int64)
    of_each_day = np.random.default_rng([objects, moves])
    named = np.empty((moves, objects), np.int64)
    named[0] = of_each_day.permutation(objects)
    for now in range(1, moves):
        named[now] = named[now - 1]
        some = of_each_day.choice(objects, objects // 20, replace=False)
        named[now, some] = named[now, of_each_day.permutation(some)]
    return times, named[part, ranks]


def _sessions(
    random: np.random.Generator, n: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Sessions of about six look-ups, a minute apart."""
    number = np.arange(n) // 6
    starts = _times(random, int(number.max()) + 1)
    waits = random.exponential(60, n)
    within = np.cumsum(waits) - np.cumsum(waits)[number * 6]
    return np.minimum(starts[number] + within, DAY - 1), number


def _scan(random: np.random.Generator, documents: int) -> Requests:
    rows = np.zeros(documents, FIELDS)
    rows["time"] = np.sort(random.uniform(SCAN[0] * 3600, SCAN[1] * 3600, documents))
    rows["group"], rows["number"] = "emb", 1_000_000 + np.arange(documents)
    rows["bytes"], rows["cost"] = VECTOR, 0.02
    return rows


class ReplayedCache(Cache):
    """A Cache whose clock stands still until it is told the time, so that a day takes seconds.

    Redis keeps its own time: what is there does not expire meanwhile.
    """

    def __init__(self, start: float = MIDNIGHT, **arguments: Any) -> None:
        self._clock, self._time = _core.ManualClock(start), start
        super().__init__(**arguments)

    def at(self, time: float) -> None:
        """It is `time`, in seconds since the epoch, unless it was later already."""
        self._clock.advance(max(time - self._time, 0.0))
        self._time = max(time, self._time)

    def _open(self, config: Any) -> Any:
        return config.open(clock=self._clock, seed=1)


def value_of(group: str, number: int, size: int) -> Any:
    """What is cached: a vector for an embedding, else text as a service would have it."""
    if group == "emb":
        return np.full(DIM, number, np.float32)
    sentence = f"Result {number} tells of what was asked, and of where that is written. "
    return {"number": number, "text": (sentence * (size // len(sentence) + 1))[:size]}


def replayed(requests: Requests, log: Path | None = None, **arguments: Any) -> Stats:
    """Sends the requests through a live cache, which computes and stores what it lacks.

    log: where its access log goes. arguments: of the Cache.
    """
    with ReplayedCache(float(requests["time"][0]), access_log=log, **arguments) as cache:
        for done, (time, group, number, size, cost) in enumerate(requests.tolist()):
            cache.at(time)
            key = f"{group}:{number}"
            if cache.get(key) is None:
                cache.set(key, value_of(group, number, size), cost=cost)
            if log is not None and done % 500 == 0:
                cache.accesses(0)  # waits until these are noted
        return cache.stats()


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a redis-server of our own, for the length of the block."""
    program = find_binary()
    if program is None:
        raise RuntimeError("this notebook needs redis-server or valkey-server on the PATH")
    with redis_server(program) as url:
        yield url
