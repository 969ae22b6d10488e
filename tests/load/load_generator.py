"""Load on a cache through its public API; each value that comes back is judged by the history."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import load_vectors
import numpy as np
from load_faults import Step
from load_history import History
from load_rates import BACK, WINDOW, HitRates, Window
from load_report import Recovery, Report, Tally, percentiles, process_figures
from load_source import Source
from load_vectors import Numbers
from numpy.typing import NDArray

from vcache import Cache, Stats

MIX = {"get": 30, "mget": 10, "get_vectors": 30, "set": 20, "set_vectors": 8, "delete": 2}
DRAWS = 1 << 13
LOST_AFTER = 20.0  # seconds; no recovery is waited for longer
EXAMPLES = 5  # of what was wrong, a thread


@dataclass(frozen=True, kw_only=True)
class Load:
    """mix: shares of the operations. rate: calls a second in all; 0: as many as there can be.

    settling: seconds after a fault in which its late effects may show.
    """

    threads: int = 8
    keys: int = 2000
    zipf: float = 0.9
    mix: Mapping[str, float] = field(default_factory=lambda: MIX)
    batch: int = 32
    dim: int = 32
    rate: float = 0.0
    seconds: float = 5.0
    seed: int = 1
    prefix: str = "load"
    settling: float = 1.0
    fill: bool = True  # all keys are written before the clock starts


class Generator:
    """One run. `faults()` says by kind what struck; `steps` are the fault script.

    `others` are caches over the same Redis; threads use the caches by turns. Where threads write or
    delete too, neither has memory: another's change is seen there a little later.
    """

    def __init__(
        self,
        cache: Cache,
        load: Load,
        steps: Sequence[Step] = (),
        faults: Callable[[], Counter[str]] = Counter,
        *,
        others: Sequence[Cache] = (),
        source: Source | None = None,
    ) -> None:
        self.caches = (cache, *others)
        self.load = load
        self.source = source or Source()
        self.rates = HitRates(self._hits_and_misses)
        self.history = History(load.keys)
        self.report = Report()
        self._steps = steps
        self._faults = faults
        self._names = [f"{load.prefix}:{index}" for index in range(load.keys)]
        self._stop = threading.Event()

    def run(self) -> Report:
        before = self.unanswered()
        if self.load.fill:
            self.fill()
        workers = [Worker(self, number) for number in range(self.load.threads)]
        threads = [threading.Thread(target=worker.run) for worker in workers]
        threads.append(threading.Thread(target=self._report_seconds, args=(workers,)))
        threads.append(threading.Thread(target=self.rates.watch, args=(self._stop,)))
        for thread in threads:
            thread.start()
        try:
            self._follow_script()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        for worker in workers:
            self.report.add(worker.tally)
        self.report.faults = self._faults()
        self.report.noticed += self.unanswered() - before
        self.report.source = self.source.asked
        return self.report

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def name(self, key: int) -> str:
        return self._names[key]

    def unanswered(self) -> int:
        """The requests that got no answer of Redis."""
        return sum(unanswered(cache.stats()) for cache in self.caches)

    def write(self, keys: Sequence[int], call: Callable[[NDArray[np.float32]], object]) -> None:
        """Writes new versions by `call`, and notes whether they surely took effect."""
        missed = self.unanswered()
        versions = self.history.begin_write(keys)
        made = load_vectors.make(np.array(keys, np.uint64), versions, self.load.dim)
        sure = False
        try:
            call(made)
            sure = self.unanswered() == missed
        finally:
            self.history.end_write(keys, versions, sure=sure)

    def load_through(self, cache: Cache, key: int) -> Any:
        """What get_or_set returns, whose factory makes a new version of the key."""
        missed = self.unanswered()
        made: list[Numbers] = []

        def factory() -> NDArray[np.float32]:
            self.source.ask(key)
            made.append(self.history.begin_write([key]))
            return load_vectors.make(np.array([key], np.uint64), made[-1], self.load.dim)[0]

        sure = False
        try:
            found = cache.get_or_set(self._names[key], factory)
            sure = self.unanswered() == missed
        finally:
            for versions in made:
                self.history.end_fill([key], versions, sure=sure)
        return found

    def delete(self, cache: Cache, keys: Sequence[int]) -> None:
        missed = self.unanswered()
        begun = time.monotonic()
        cache.mdelete([self._names[key] for key in keys])
        sure = self.unanswered() == missed
        self.history.end_delete(keys, begun, sure=sure)

    def fill(self) -> None:
        """Writes every key."""
        for start in range(0, self.load.keys, 256):
            keys = range(start, min(start + 256, self.load.keys))
            names = [self._names[key] for key in keys]
            self.write(keys, lambda made, names=names: self.caches[0].set_vectors(names, made))  # type: ignore[misc]

    def _follow_script(self) -> None:
        started = time.monotonic()
        for step in self._steps:
            self._stop.wait(max(started + step.time - time.monotonic(), 0))
            begun, rate = time.monotonic(), self.rates.lately()
            step.run()
            if step.ends_fault:
                self._time_recovery(step.name)
                self._settle()
            if step.empties:
                self._time_refill(step.name, begun, BACK * rate)
        self._stop.wait(max(started + self.load.seconds - time.monotonic(), 0))

    def _time_recovery(self, action: str) -> None:
        recovery = Recovery(action)
        self.report.recoveries.append(recovery)
        started, hits = time.monotonic(), figures(self.caches)["redis_hits"]
        while time.monotonic() < started + LOST_AFTER:
            if figures(self.caches)["redis_hits"] > hits:
                recovery.seconds = time.monotonic() - started
                return
            time.sleep(0.005)

    def _time_refill(self, action: str, begun: float, rate: float) -> None:
        """Until the end of the last window below the rate; a second without follows."""
        recovery = Recovery(action)
        self.report.recoveries.append(recovery)
        low: list[Window] = []
        while rate and time.monotonic() < begun + LOST_AFTER:
            self._stop.wait(WINDOW)
            low = self.rates.below(rate, begun)
            back = low[-1].end if low else begun
            if time.monotonic() > back + 1.0 and self.rates.lately() >= rate:
                recovery.seconds = back - begun
                break
        self.report.noticed += sum(window.misses for window in low)

    def _hits_and_misses(self) -> tuple[int, int]:
        found = figures(self.caches)
        return found["memory_hits"] + found["redis_hits"], found["misses"]

    def _settle(self) -> None:
        self._stop.wait(self.load.settling)
        self.history.settle()

    def _report_seconds(self, workers: Sequence[Worker]) -> None:
        last, seen = figures(self.caches), [0] * len(workers)
        for second in itertools.count(1):
            ended = self._stop.wait(1.0)
            now = figures(self.caches)
            counts = [len(worker.tally.seconds) for worker in workers]
            took = [
                value
                for worker, start, stop in zip(workers, seen, counts, strict=True)
                for value in worker.tally.seconds[start:stop]
            ]
            self.report.rows.append(row(second, last, now, workers, took))
            last, seen = now, counts
            if ended:
                return


class Worker:
    """One thread's calls."""

    def __init__(self, generator: Generator, number: int) -> None:
        self.tally = Tally()
        self._generator = generator
        self._cache = generator.caches[number % len(generator.caches)]
        load = generator.load
        self._load = load
        random = np.random.default_rng((load.seed, number))
        weights = 1.0 / np.arange(1, load.keys + 1) ** load.zipf
        ranks = random.choice(load.keys, DRAWS, p=weights / weights.sum())
        self._keys = itertools.cycle(np.random.default_rng(load.seed).permutation(load.keys)[ranks])
        shares = np.array(list(load.mix.values()), float)
        operations = random.choice(list(load.mix), DRAWS, p=shares / shares.sum())
        self._operations = itertools.cycle([getattr(self, str(name)) for name in operations])

    def run(self) -> None:
        pause = self._load.threads / self._load.rate if self._load.rate else 0.0
        due = time.monotonic()
        while not self._generator.stopped:
            started = time.monotonic()
            try:
                next(self._operations)()
            except Exception as error:
                self.tally.exceptions[type(error).__name__] += 1
                self._give_example(repr(error))
            now = time.monotonic()
            self.tally.seconds.append(now - started)
            self.tally.calls += 1
            if pause:
                due = max(due + pause, now - 1.0)
                time.sleep(max(due - now, 0))

    def get(self) -> None:
        key = self._draw(1)
        begun = time.monotonic()
        found = self._cache.get(self._generator.name(key[0]))
        self._judge_each(key, [found], begun)

    def mget(self) -> None:
        keys = self._draw(self._load.batch)
        begun = time.monotonic()
        self._judge_each(keys, self._cache.mget(self._named(keys)), begun)

    def get_vectors(self) -> None:
        keys = self._draw(self._load.batch)
        begun = time.monotonic()
        matrix, found = self._cache.get_vectors(self._named(keys), dim=self._load.dim)
        self._judge(np.array(keys, np.uint64)[found], matrix[found], begun)

    def get_or_set(self) -> None:
        key = self._draw(1)
        begun = time.monotonic()
        self._judge_each(key, [self._generator.load_through(self._cache, key[0])], begun)

    def set(self) -> None:
        key = self._draw(1)
        name = self._generator.name(key[0])
        self._generator.write(key, lambda made: self._cache.set(name, made[0]))

    def set_vectors(self) -> None:
        keys = sorted(set(self._draw(self._load.batch)))
        names = self._named(keys)
        self._generator.write(keys, lambda made: self._cache.set_vectors(names, made))

    def delete(self) -> None:
        self._generator.delete(self._cache, self._draw(1))

    def _draw(self, count: int) -> list[int]:
        self.tally.requests += count
        return [int(key) for key in itertools.islice(self._keys, count)]

    def _named(self, keys: Sequence[int]) -> list[str]:
        return [self._generator.name(key) for key in keys]

    def _judge_each(self, keys: Sequence[int], values: Sequence[Any], begun: float) -> None:
        held = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        for key, value in held:
            if not isinstance(value, np.ndarray) or value.shape != (self._load.dim,):
                self._count_wrong("shape", f"key {key}: {type(value).__name__}")
                return
        if held:
            matrix = np.stack([value for _, value in held])
            self._judge(np.array([key for key, _ in held], np.uint64), matrix, begun)

    def _judge(self, keys: Numbers, matrix: NDArray[np.float32], begun: float) -> None:
        if not len(keys):
            return
        self.tally.checked += len(keys)
        named, versions, whole = load_vectors.names(matrix)
        for index in np.flatnonzero(~whole).tolist():
            self._count_wrong("torn", f"key {keys[index]}: {matrix[index, :4].view(np.uint32)}")
        for index in np.flatnonzero(whole & (named != keys)).tolist():
            self._count_wrong("crossed", f"key {keys[index]}: key {named[index]}")
        right = self._generator.history.may_return(keys, versions, begun)
        for index in np.flatnonzero(whole & (named == keys) & ~right).tolist():
            self._count_wrong("outdated", f"key {keys[index]}: version {versions[index]}")

    def _count_wrong(self, kind: str, example: str) -> None:
        self.tally.wrong[kind] += 1
        self._give_example(f"{kind} {example}")

    def _give_example(self, example: str) -> None:
        if len(self.tally.examples) < EXAMPLES:
            self.tally.examples.append(example)


def unanswered(stats: Stats) -> int:
    return stats.errors + stats.skipped


def figures(caches: Sequence[Cache]) -> Counter[str]:
    """Sums over caches; "error X" are the errors of kind X."""
    total: Counter[str] = Counter()
    for stats in (cache.stats() for cache in caches):
        total["memory_hits"] += stats.memory_hits
        total["redis_hits"] += stats.redis_hits
        total["misses"] += stats.misses
        total["unanswered"] += unanswered(stats)
        for kind, count in (stats.redis or {}).get("errors", {}).items():
            total[f"error {kind}"] += count
    return total


def row(
    second: int,
    last: Counter[str],
    now: Counter[str],
    workers: Sequence[Worker],
    took: list[float],
) -> dict[str, Any]:
    """One second of the run."""
    new = Counter(now)
    new.subtract(last)
    return {
        "second": second,
        "calls": len(took),
        **{name: new[name] for name in ("memory_hits", "redis_hits", "misses", "unanswered")},
        "kinds": {
            kind.removeprefix("error "): count
            for kind, count in new.items()
            if kind.startswith("error ") and count
        },
        "wrong": sum(worker.tally.wrong.total() for worker in workers),
        "exceptions": sum(worker.tally.exceptions.total() for worker in workers),
        **percentiles(took),
        **process_figures(),
    }
