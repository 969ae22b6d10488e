"""Which of two models answers, and the way from one to the other."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from .._agreed import name_option, why_option
from .._arguments import callable_argument
from .._locks import ForkLock
from .._messages import shown
from .._shared_state import state_of
from ..durations import Duration, duration_option
from ..embedding import EmbeddingCache, text_list
from ..errors import ConfigError
from ._coverage import Coverage, coverage_of
from ._job import Job, Order, Progress
from ._options import (
    models,
    pattern_of,
    rate_of,
    share_of,
    text_source,
    total_of,
    whole,
)
from ._phases import Event, Phase, Phases
from ._waiting import Waiting

__all__ = ["Answer", "Migration", "MigrationReport"]

Matrix = NDArray[np.float32]

_OF_JOBS: tuple[Phase, ...] = ("dual", "cut_over")


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of one model: an (n, d) float32 matrix, and the name of that model."""

    matrix: Matrix
    model: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """Where a migration is.

    asked, covered: texts of answer() in the phase "dual", and those that the new model had, where
        the answers are `new_first`.
    job: of this process; None: none was started.
    problem: why the state could not be read or written of late; None: it could.
    """

    name: str
    phase: Phase | None
    serving: str
    old: str
    new: str
    asked: int
    covered: int
    job: Progress | None
    problem: str | None
    events: tuple[Event, ...]

    def as_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        events = [msgspec.to_builtins(event) for event in self.events]
        return found | {"job": self.job and self.job.as_dict(), "events": events}

    def __str__(self) -> str:
        lines = [f"migration {self.name}: {self.phase or 'not known'}, {self.serving} answers"]
        if self.asked:
            lines.append(f"  {self.covered:,} of {self.asked:,} texts asked for under {self.new}")
        if self.job is not None:
            lines.append(f"  {self.job}")
        lines += [f"  {_time(event.at)} {event.phase}: {event.why}" for event in self.events]
        return "\n".join([*lines, *([f"  problem: {self.problem}"] if self.problem else [])])


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


class Migration:
    """Two EmbeddingCaches, of which one answers: the old one until cut_over(), then the new one.

    An answer is of one model as a whole, whatever is cached, and each has keys of its own: no
    vector of one is ever served for the other, and they may have different dimensions.

    old, new: of the same texts, over one Cache or two. Stay the caller's.
    name: 1 to 64 characters; processes with the same name share the phase.
    read: what answer() does before the cut-over: "old", or "new_first": a request of whose texts
        the new model has all is answered by it, any other as a whole by the old one.
    waiting: how many texts, of those that are asked for before the cut-over, wait at most for a
        job to embed them under the new model; 0: none do. They are kept in memory only.
    check_every: how often calls have a background thread take over the phase; None: only check().
    state_path: a file that keeps the phase, for processes of one host; unless given it is in the
        Redis of `new`, else of `old`, else of this process alone.
    on_event: takes each Event, of any process. clock: seconds since 1970.

    Nothing but the phase has to be kept: what is embedded is in the cache, and a job that is begun
    again does the rest. The phase is asked for when this is made; until it is known the old model
    answers. Thread-safe. Raises ConfigError, also a ValueError, for an argument that is not
    allowed, and where the state is that of other models.
    """

    def __init__(
        self,
        old: EmbeddingCache,
        new: EmbeddingCache,
        *,
        name: str = "migration",
        read: Literal["old", "new_first"] = "old",
        waiting: int = 10_000,
        check_every: Duration | None = "15s",
        state_path: str | os.PathLike[str] | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._old, self._new = models(old, new)
        if read not in ("old", "new_first"):
            raise ConfigError(f"read={shown(read)}: allowed are 'old' and 'new_first'")
        self._new_first = read == "new_first"
        self._most_waiting = whole(waiting, "waiting", 0)
        self._waiting = Waiting(self._most_waiting)
        self._name = name_option(name)
        self._lock = ForkLock()
        self._asked = self._covered = 0
        self._job: Job | None = None
        self._phases = Phases(
            name,
            old,
            new,
            state_of([new._cache, old._cache], state_path, f"migration:{name}"),
            every=None if check_every is None else duration_option(check_every, "check_every"),
            clock=callable_argument(clock, "clock"),
            on_event=None if on_event is None else callable_argument(on_event, "on_event"),
        )

    @property
    def phase(self) -> Phase | None:
        """None: not known."""
        return self._phases.now

    @property
    def serving(self) -> EmbeddingCache:
        """The one that answers."""
        return self._new if self.phase in ("cut_over", "finished") else self._old

    def embed(self, texts: Iterable[str]) -> Matrix:
        """Rows of the model that serves. Where that matters, answer() says which it was."""
        given, serving = self._begun(texts)
        matrix = serving.embed(given)
        self._note(given, serving)
        return matrix

    async def aembed(self, texts: Iterable[str]) -> Matrix:
        """Twin of embed()."""
        given, serving = self._begun(texts)
        matrix = await serving.aembed(given)
        self._note(given, serving)
        return matrix

    def embed_one(self, text: str) -> Matrix:
        """The row of one text, of shape (d,)."""
        row: Matrix = self.embed([text])[0]
        return row

    async def aembed_one(self, text: str) -> Matrix:
        """Twin of embed_one()."""
        row: Matrix = (await self.aembed([text]))[0]
        return row

    def answer(self, texts: Iterable[str]) -> Answer:
        """Rows of one model, and which: that of `read` before the cut-over, else that serves."""
        given, serving = self._begun(texts)
        if self._tries_new(given):
            matrix, found = self._new.find(given)
            if self._count(found):
                return self._answer(self._new, matrix)
        matrix = serving.embed(given)
        self._note(given, serving)
        return self._answer(serving, matrix)

    async def aanswer(self, texts: Iterable[str]) -> Answer:
        """Twin of answer()."""
        given, serving = self._begun(texts)
        if self._tries_new(given):
            matrix, found = await self._new.afind(given)
            if self._count(found):
                return self._answer(self._new, matrix)
        matrix = await serving.aembed(given)
        self._note(given, serving)
        return self._answer(serving, matrix)

    def start(
        self,
        texts: Iterable[str] | Callable[[], Iterable[str]] = (),
        *,
        total: int | None = None,
        batch: int = 256,
        rate: float | None = None,
        only_live: bool = False,
        follow: bool = False,
        retries: int = 3,
        retry_after: Duration = "1s",
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Job:
        """Has a thread embed under the new model what it has not, and returns the job.

        texts: all that are to be migrated, as vcache keeps none: an iterable, or what returns one.
            After a crash the same are given again; those that are done are skipped.
        total: how many there are, where len() does not tell.
        batch: texts that are looked up, and embedded, at a time.
        rate: most texts that are embedded a second; None: no limit.
        only_live: leave out what the old model has no more.
        follow: go on with what is asked for meanwhile, until it is cancelled.
        retries, retry_after: how often a failing batch is tried again, and after what time at
            first, which doubles; then its texts are tried one by one. Eight failures in a row end
            the job.
        on_progress: takes a Progress after each batch, in the job's thread.

        It waits while Redis takes no writes, and ends where the migration is rolled back or
        finished. One process is to have one. Raises ConfigError where a job runs here, and in any
        other phase than "dual" and "cut_over".
        """
        self._phases.require(*_OF_JOBS)
        source = text_source(texts)
        order = Order(
            texts=source,
            total=total_of(source, total),
            batch=whole(batch, "batch", 1),
            rate=rate_of(rate),
            only_live=bool(only_live),
            retries=whole(retries, "retries", 0),
            retry_after=duration_option(retry_after, "retry_after"),
            follow=bool(follow),
            on_progress=(
                None if on_progress is None else callable_argument(on_progress, "on_progress")
            ),
        )
        with self._lock:
            if self._has_job:
                raise ConfigError("start(): a job runs: allowed is one at a time")
            self._waiting = Waiting(self._most_waiting)  # of a parent's job a child has nothing
            self._job = Job(self._old, self._new, order, self._waiting, self._wants_job)
            return self._job

    def coverage(
        self, texts: Iterable[str], *, progress: Callable[[int], object] = lambda done: None
    ) -> Coverage:
        """How many of these texts are live, under either model, and how many under the new one.

        Asks one by one whether they are there, which reads, counts and promotes nothing. Raises
        RedisError where Redis gives no answer.
        """
        return coverage_of(text_source(texts), self._old, self._new, progress)

    async def acoverage(
        self, texts: Iterable[str], *, progress: Callable[[int], object] = lambda done: None
    ) -> Coverage:
        """Twin of coverage(), which runs in a worker thread."""
        return await asyncio.to_thread(self.coverage, texts, progress=progress)

    def cut_over(
        self, *, least: float = 0.99, texts: Iterable[str] | None = None, why: str = "by hand"
    ) -> MigrationReport:
        """From now on the new model answers, here and in other processes with their next check.

        least: the coverage below which this is refused: that of `texts`, else what the job came to.
            0: whatever it is.
        Raises ConfigError for less, or where it is not known, and unless the phase is "dual" or
        "rolled_back"; RedisError or OSError where the state cannot be written, and changes nothing.
        """
        self._phases.refresh()
        self._phases.require("dual", "rolled_back")
        share, said = share_of(least, "least"), why_option(why)
        if share > 0:
            known = self._job_share() if texts is None else self.coverage(texts).share
            if known is None:
                raise ConfigError(
                    "the coverage is not known: allowed are `texts` of which some are live, a job"
                    " that is done, or least=0"
                )
            if known < share:
                raise ConfigError(f"the coverage is {known:.4f}: allowed is at least {share}")
        self._phases.change("cut_over", said, ("dual", "rolled_back"))
        return self.report()

    def roll_back(self, why: str = "by hand") -> MigrationReport:
        """From now on the old model answers again, here at once; cancels the job.

        Where the state cannot be written it is tried again with each check. What the new model has
        stays, for another cut_over(). Raises ConfigError once it is finished.
        """
        self._phases.require("dual", "cut_over", "rolled_back", None)
        said, job = why_option(why), self._job
        if job is not None and not job.done:
            job.cancel()
        self._phases.roll_back(said)
        return self.report()

    def resume(self, why: str = "by hand") -> MigrationReport:
        """Back to the phase "dual", where the old model answers and jobs run. Raises as cut_over()
        in any phase but "rolled_back" and "cut_over".
        """
        self._phases.refresh()
        self._phases.require("rolled_back", "cut_over")
        self._phases.change("dual", why_option(why), ("rolled_back", "cut_over"))
        return self.report()

    def finish(self, *, drop_old: bool = False, why: str = "by hand") -> int:
        """Ends the migration: there is no way back. Returns how many values were dropped.

        drop_old: remove all that is cached under the old model's name, of any kind and dimension.
        Raises as cut_over(), unless the phase is "cut_over" or "finished"; and for `drop_old` where
        both models have one name.
        """
        self._phases.refresh()
        self._phases.require("cut_over", "finished")
        if drop_old and self._old.model == self._new.model:
            raise ConfigError("drop_old=True: allowed is False, as both models have one name")
        self._phases.change("finished", why_option(why), ("cut_over",))
        return self._old._cache.invalidate(pattern_of(self._old.model)) if drop_old else 0

    def check(self) -> MigrationReport:
        """Takes over the phase, and writes what is not yet written."""
        self._phases.refresh()
        return self.report()

    def report(self) -> MigrationReport:
        job = self._job
        return MigrationReport(
            name=self._name,
            phase=self.phase,
            serving=self.serving.model,
            old=self._old.model,
            new=self._new.model,
            asked=self._asked,
            covered=self._covered,
            job=None if job is None else job.progress,
            problem=self._phases.problem,
            events=self._phases.events,
        )

    @property
    def _has_job(self) -> bool:
        return self._job is not None and not self._job.done

    def _wants_job(self) -> bool:
        return self.phase in _OF_JOBS

    def _job_share(self) -> float | None:
        """What the last job left covered of what it was given, where that is done."""
        progress = None if self._job is None else self._job.progress
        if progress is None or progress.state not in ("done", "following"):
            return None
        wanted = progress.seen - progress.dead
        return (progress.embedded + progress.skipped) / wanted if wanted else None

    def _begun(self, texts: Iterable[str]) -> tuple[list[str], EmbeddingCache]:
        """The texts of a call as a list, and what serves it."""
        self._phases.tick()
        return text_list(texts), self.serving

    def _note(self, texts: list[str], serving: EmbeddingCache) -> None:
        """Has what the old model answered wait for the job, if there is one."""
        if serving is self._old and self._has_job:
            self._waiting.add(texts)

    def _tries_new(self, texts: list[str]) -> bool:
        return self._new_first and bool(texts) and self.phase == "dual"

    def _count(self, found: NDArray[np.bool_]) -> bool:
        """Whether all were found."""
        with self._lock:
            self._asked += len(found)
            self._covered += int(found.sum())
        return bool(found.all())

    def _answer(self, embeddings: EmbeddingCache, matrix: Matrix) -> Answer:
        return Answer(matrix, embeddings.model, is_new=embeddings is self._new)
