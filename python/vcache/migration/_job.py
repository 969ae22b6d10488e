"""Embedding in the background what the new model's cache has not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Literal

from .. import _jobs
from .._ahead import batches
from .._background import tell_listener
from .._callers import is_async
from ..embedding import EmbeddingCache
from ..errors import RedisError
from ._coverage import is_answering
from ._waiting import Waiting

__all__ = ["Job", "Order", "Progress", "State"]

State = Literal["running", "following", "done", "cancelled", "failed", "lost"]

_MOST_FAILURES = 100
_IN_A_ROW = 8  # texts that fail in a row, after which the model counts as down
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in texts.

    state: "running"; "following": what was given is done, and what is asked for meanwhile is taken
        up; "done"; "cancelled"; "failed": the model, or the texts, raised `error`; "lost": the
        process was forked, and this is not the one where it runs.
    seen: so many were looked at: `embedded` now, `skipped` since they were cached already, `dead`
        since the old model has them no more, `failed` since the model did for each alone. A text
        that comes again counts again, as skipped where it was embedded.
    total: how many were given; None: not known. dropped: asked for meanwhile, and not taken up.
    paused: whether it waits, for Redis to answer or the model to recover.
    failures: the digest in the key of the first hundred of the failed, and what was raised.
    """

    state: State
    seen: int
    embedded: int
    skipped: int
    dead: int
    failed: int
    dropped: int
    total: int | None
    seconds: float
    paused: bool
    error: str | None
    failures: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float | None:
        """Of the total, 0 to 1; None: that is not known."""
        return None if not self.total else min(1.0, self.seen / self.total)

    @property
    def rate(self) -> float:
        """Texts embedded a second."""
        return self.embedded / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None: not known."""
        if self.total is None or self.seen == 0:
            return None
        return max(0, self.total - self.seen) * self.seconds / self.seen

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        text = (
            f"{self.state}: {self.seen:,}{of} texts, {self.embedded:,} embedded at"
            f" {self.rate:,.4g} a second, {self.skipped:,} were there, {self.failed:,} failed"
        )
        return f"{text}; {self.error}" if self.error else text

    def as_dict(self) -> dict[str, Any]:
        derived = {name: getattr(self, name) for name in ("share", "rate", "seconds_left")}
        return asdict(self) | derived


@dataclass(frozen=True, slots=True)
class Order:
    """What a job is to do: batches of texts, at most `rate` a second embedded."""

    texts: Iterable[str]
    total: int | None
    batch: int
    rate: float | None
    only_live: bool
    retries: int
    retry_after: float
    follow: bool
    on_progress: Callable[[Progress], object] | None


class _Stop(Exception):
    """The job is over before its end."""


class Job(_jobs.Job[Progress]):
    """A thread that embeds texts under the new model, batch by batch. Thread-safe.

    It ends with the cache of that, too; a following one not before, unless it is cancelled. wait()
    raises what the model raised, or the texts, where that ended it.

    Each batch is stored as it is done, and what is stored is skipped: a job that was cut short, by
    whatever, is begun anew with the same texts, and does the rest.
    """

    def __init__(
        self,
        old: EmbeddingCache,
        new: EmbeddingCache,
        order: Order,
        waiting: Waiting,
        is_wanted: Callable[[], bool],
    ) -> None:
        super().__init__(lambda _: self._embed_all(), self._progress)
        self._old, self._new, self._order, self._waiting = old, new, order, waiting
        self._is_wanted = is_wanted
        self._counts = {"seen": 0, "embedded": 0, "skipped": 0, "dead": 0, "failed": 0}
        self._failures: list[tuple[str, str]] = []
        self._times = Counter[str]()  # of the batch at hand: how often it has each text
        self._state: State = "running"
        self._paused = False
        self._in_a_row = 0
        self._next = self._started = monotonic()
        self._over_at: float | None = None
        self._runner: asyncio.Runner | None = None
        new._cache._jobs.start(self)

    def cancel(self) -> None:
        """Has it end after the batch under way, which is stored. Idempotent; does not wait."""
        super().cancel()
        if not self.done:
            self._waiting.wake()

    def _progress(self) -> Progress:
        is_over = self._state not in ("running", "following")
        ended = self._over_at if self._over_at is not None else monotonic()
        return Progress(
            state=self._state if is_over or not self._is_inherited else "lost",
            **self._counts,
            dropped=self._waiting.dropped,
            total=self._order.total,
            seconds=ended - self._started,
            paused=self._paused,
            error=None if self._error is None else type(self._error).__name__,
            failures=tuple(self._failures),
        )

    def _embed_all(self) -> None:
        state: State = "failed"
        try:
            try:
                self._work()
            finally:
                if self._runner is not None:
                    self._runner.close()
            state = "done"
        except _Stop:
            state = "cancelled"
        except BaseException as error:
            self._error = error
        self._over_at, self._state = monotonic(), state
        self._tell()

    def _work(self) -> None:
        for batch in batches(self._order.texts, self._order.batch):
            while asked := self._waiting.take(self._order.batch):  # these are wanted sooner
                self._embed_missing(asked)
            self._embed_missing(batch)
        if not self._order.follow:
            return
        self._state = "following"
        while True:
            self._check()
            if asked := self._waiting.take(self._order.batch, wait=True):
                self._embed_missing(asked)

    def _embed_missing(self, texts: list[str]) -> None:
        self._check()
        self._await_redis()
        self._times = Counter(texts)
        missing = [text for text in self._times if self._is_missing(text)]
        if missing:
            self._await_turn(len(missing))
            self._await_redis()
            self._embed(missing)
        self._counts["seen"] += len(texts)
        self._tell()

    def _is_missing(self, text: str) -> bool:
        """Whether a text is to be embedded; counts those that are not."""
        try:
            if self._has(self._new, text):
                self._counts["skipped"] += self._times[text]
            elif self._order.only_live and not self._has(self._old, text):
                self._counts["dead"] += self._times[text]
            else:
                return True
        except ValueError as error:  # it is no UTF-8
            self._note_failure("", text, error)
        return False

    def _has(self, embeddings: EmbeddingCache, text: str) -> bool:
        pause = _FIRST_PAUSE
        while True:
            try:
                return embeddings.has(text)
            except RedisError:  # of a strict cache
                self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _embed(self, texts: list[str]) -> None:
        """All at once, else one by one, so that one that cannot be embedded keeps none back."""
        error = self._tried(texts)
        if error is None:
            self._note_embedded(texts)
            return
        if len(texts) == 1:
            self._fail(texts[0], error)
            return
        for text in texts:
            self._check()
            error = self._tried([text], retries=0)
            if error is None:
                self._note_embedded([text])
            else:
                self._fail(text, error)

    def _fail(self, text: str, error: Exception) -> None:
        """Notes a text that fails alone. Raises the error where so many did in a row."""
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            raise error
        self._note_failure(self._new.key(text).rpartition(":")[2], text, error)

    def _note_embedded(self, texts: list[str]) -> None:
        self._in_a_row = 0
        self._counts["embedded"] += len(texts)
        self._counts["skipped"] += sum(self._times[text] - 1 for text in texts)

    def _note_failure(self, digest: str, text: str, error: Exception) -> None:
        self._counts["failed"] += self._times[text]
        if len(self._failures) < _MOST_FAILURES:
            self._failures.append((digest, type(error).__name__))

    def _tried(self, texts: list[str], retries: int | None = None) -> Exception | None:
        """None when they are embedded, else what the last try raised."""
        left = self._order.retries if retries is None else retries
        pause = self._order.retry_after
        while True:
            try:
                self._call(texts)
            except Exception as error:
                if left == 0:
                    return error
            else:
                return None
            left -= 1
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _call(self, texts: list[str]) -> None:
        if not is_async(self._new._function):
            self._new.embed(texts)
            return
        if self._runner is None:
            self._runner = asyncio.Runner()
        self._runner.run(self._new.aembed(texts))

    def _await_redis(self) -> None:
        """What it has cannot be told without it, and what it does not take might be lost."""
        pause = _FIRST_PAUSE
        while not (is_answering(self._old) and is_answering(self._new)):
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            for each in (self._old, self._new):
                each._cache.healthy()  # asks it again

    def _await_turn(self, count: int) -> None:
        """Texts come at the rate that is given, on average."""
        rate = self._order.rate
        if rate is None:
            return
        self._wait(self._next - monotonic())
        self._next = max(self._next, monotonic()) + count / rate

    def _pause(self, seconds: float) -> None:
        self._paused = True
        self._tell()
        self._wait(seconds)
        self._paused = False

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._is_over(seconds)
        self._check()

    def _check(self) -> None:
        if self._is_over() or not self._is_wanted():
            raise _Stop

    def _tell(self) -> None:
        if self._order.on_progress is not None:
            tell_listener(self._order.on_progress, self._progress(), "on_progress of a migration")
