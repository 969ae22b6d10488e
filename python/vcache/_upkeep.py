"""The calls that see to what memory holds apart from single reads and writes.

What they do is imported when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from ._arguments import Key, Ttl
from ._callers import OnLoop
from ._core import DEFAULT
from ._freshness import FreshnessOptions
from ._jobs import Job, JobRunner
from .durations import Duration

if TYPE_CHECKING:
    from ._prefetching import PrefetchReport, Related
    from ._refreshing import RefreshReport
    from ._snapshot import Path, RestoreReport, SnapshotReport
    from ._warming import Told, WarmReport

__all__ = ["UpkeepCalls"]


class UpkeepCalls(JobRunner):
    """Files, warming, refreshing and prefetching."""

    def snapshot(self, path: Path) -> SnapshotReport:
        """Writes what memory holds to the file `path`, hottest first; returns what it wrote.

        The file is readable for its owner alone, and appears whole or not at all, in place of an
        older one. Other calls go on meanwhile; each entry is written as it is when its turn comes.
        With it go its remaining lifetime, tags, metadata, cost and what the policy knows of it.
        Values and metadata are encrypted where the cache has an `encryption_key`, keys are not.

        Raises OSError where the file cannot be written, and ConfigError for a cache without memory.
        """
        from ._snapshot import save

        return save(self, path)

    def restore(self, path: Path, *, keep_unconfirmed: bool = False) -> RestoreReport:
        """Takes over what snapshot() wrote to the file `path`; returns what came of it.

        The hottest come first, and nothing is evicted for them: a smaller memory has the best of
        them. Lifetimes go on by the wall clock, also while no process ran. An entry that memory
        has already stays unless the one in the file was made later.

        With Redis, only keys are taken from the file: their values are fetched, with the lifetimes
        that they have there, so that nothing is served that was changed or invalidated meanwhile.
        Of keys that Redis gives no answer for nothing is restored; with `keep_unconfirmed` the
        values of the file are kept unverified, served only while Redis gives no answer, as what
        memory holds when Redis goes away is.
        Without Redis nothing tells of changes: what was deleted since comes back with the file, but
        for what this very cache ended by invalidate_tags().

        A file that was cut or altered is restored up to there, and the report says so. Raises
        SnapshotError, and restores nothing, for a file that is no snapshot, of another namespace,
        of a later version, encrypted otherwise than this cache is, or of a cache with Redis where
        this one has none; OSError for one that cannot be read; ConfigError for a cache without
        memory.
        """
        from ._snapshot import load

        return load(self, path, keep_unconfirmed)

    async def asnapshot(self, path: Path) -> SnapshotReport:
        """Twin of snapshot(). A caller who is cancelled ends it no earlier."""
        return await OnLoop(offload=True).to_the_end(self.snapshot, path)

    async def arestore(self, path: Path, *, keep_unconfirmed: bool = False) -> RestoreReport:
        """Twin of restore(). A caller who is cancelled ends it no earlier."""
        call = partial(self.restore, path, keep_unconfirmed=keep_unconfirmed)
        return await OnLoop(offload=True).to_the_end(call)

    def warm(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any] | None = None,
        *,
        batch_size: int = 256,
        progress: Told | None = None,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> Job[WarmReport]:
        """Fills the cache from `keys` in a thread of its own; returns its handle at once.

        What memory lacks comes from Redis, and what is in neither tier from `factory`, called with
        up to `batch_size` keys at a time as by get_or_set_many(), other threads and processes
        seeing to it that each is made once; without a factory that stays absent. No look-up is
        counted. A batch whose factory raises, a key that is none and a value that cannot be stored
        are reported, and the rest goes on.

        keys: read as it goes, so that a generator over a file or a log may be long; the hottest
        first, where memory is small. `hot_keys()` of another process is such a list.
        progress: called with a WarmReport after each batch, in that thread; what it raises ends
        the warming.

        The handle: `.wait(timeout=None)` until the end, for a readiness check; `.done`;
        `.progress`, a WarmReport; `.cancel()`. It ends with the cache.
        """
        from ._warming import warm

        return warm(self, keys, factory, batch_size, progress, ttl, options)

    async def awarm(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any] | None = None,
        *,
        batch_size: int = 256,
        progress: Told | None = None,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> WarmReport:
        """As warm(), to its end, of which it returns the report; `factory` may be async.

        Other coroutines run meanwhile, and a caller who is cancelled ends it.
        """
        from ._warming import awarm

        return await awarm(self, keys, factory, batch_size, progress, ttl, options)

    def refresh_hot(
        self,
        n: int,
        every: Duration,
        factory: Callable[[list[Key]], Any],
        *,
        batch_size: int = 256,
        jitter: float = 0.1,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> Job[RefreshReport]:
        """Has the `n` hottest entries computed anew before they expire; returns a handle.

        Each `every`, shortened at random by up to the share `jitter`, so that processes do not
        refresh at once, those of hot_keys(n) that would expire before the round after the next one
        begins are computed by `factory`, in batches as by get_or_set_many(), in a thread of its
        own; who reads meanwhile gets the older value. What another thread or process is computing
        is left to it. Entries without expiry are never refreshed. Where the factory raises, the
        values stay until they expire, and the next round tries again.

        The hottest of the whole cache are meant, also those that others have set: `factory` is to
        make them all. Those with tags are left alone; new values have no metadata.

        n: 1 to 65,536. every: seconds, a timedelta or "5m". ttl: of the new values. Raises
        ConfigError for a cache without memory.

        The handle: `.cancel()`; `.progress`, a RefreshReport; `.done`; `.wait(timeout)`. It ends
        with the cache. A forked child refreshes nothing: there, call this again.
        """
        from ._refreshing import refresh_hot

        return refresh_hot(self, n, every, factory, batch_size, jitter, ttl, options)

    def prefetch(
        self,
        related: Related | None = None,
        *,
        factory: Callable[[list[Key]], Any] | None = None,
        learn: bool = True,
        confidence: float = 0.3,
        most_keys: int = 16_384,
        batch_size: int = 256,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> Job[PrefetchReport]:
        """Brings into memory what is likely to be read next, in a thread of its own.

        From now on the keys of reads are noted; every 20 ms those that follow them and that memory
        lacks are fetched from Redis in one batch, and what Redis lacks is made by `factory`, in
        batches as by get_or_set_many(). What follows a key is

        - what `related(key)` returns, an iterable of keys; and
        - unless `learn` is false, what came within three reads after it in at least the share
          `confidence` of the cases, once it was read three times: counts of the last `most_keys`
          keys read, of up to 8 successors each (about 1 KiB a key). While less than a tenth of what
          was prefetched is read, these are left out for a minute.

        What could not be had is asked for again after a minute at the earliest.

        A read costs a reference more while this goes on, and the thread takes a fiftieth of a
        processor at most, `related` included: where much is read it looks less often. Of more than
        512 reads between two looks the newest are learned from, and of a batch its first 64 keys;
        get(), lookup(), mget(), get_vectors(), get_or_set() and what is built upon them are noted.

        The handle: `.progress`, a PrefetchReport with what was prefetched, used and wasted;
        `.cancel()`; `.done`; `.wait(timeout)`. It ends with the cache, and in a forked child. One
        at a time: RuntimeError while another goes on. Raises ConfigError for a cache without
        memory, and ValueError where there is neither Redis nor a factory to fetch from, or neither
        `related` nor `learn` to go by.
        """
        from ._prefetching import prefetch

        return prefetch(
            self, related, factory, learn, confidence, most_keys, batch_size, ttl, options
        )
