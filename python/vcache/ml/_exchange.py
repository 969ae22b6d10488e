"""A cache that learns for the other workers of its namespace, and from them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .._messages import shown
from .._weights import Model
from ..durations import Duration, parse_duration
from ..errors import ConfigError, ModelError, RedisError
from ._sharing import SharedModels

if TYPE_CHECKING:
    from ..cache import Cache

__all__ = ["ModelExchange"]


class ModelExchange:
    """Has a cache use the newest model of the workers that share its Redis, and share its own.

    Every so often, on a daemon thread, what the cache fitted is published; else the newest model
    of the others is fetched, and used where it is no worse than the one in use on the newest
    examples of this cache. Ends with close() or as a context manager; to be ended before the cache
    is closed.

    cache: one with the policy "learned" and `redis`.
    every: from one exchange to the next.
    signing_key: as for SharedModels.
    """

    def __init__(
        self, cache: Cache, *, every: Duration = "1m", signing_key: str | bytes | None = None
    ) -> None:
        if cache._config.policy != "learned":
            raise ConfigError(f'cache={shown(cache)}: allowed is one with policy="learned"')
        self._core = cache._tiers
        self._models = SharedModels(cache, signing_key=signing_key)
        self._every = parse_duration(every, "every")
        self._published = 0  # version of the cache's own model
        self._problem = ""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="vcache-models", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why the last exchange did not come about; empty where it did."""
        return self._problem

    @property
    def version(self) -> int:
        """Of the newest shared model that was published or fetched here; 0: none was."""
        return self._models.version

    def exchange(self) -> str:
        """Exchanges now: "published", "adopted", "refused" (it is worse here) or "nothing new".

        Raises RedisError where Redis cannot be asked, and ModelError where what it has is not to be
        trusted.
        """
        with self._lock:
            fitted = self._core.fitted_model()
            if fitted is not None and fitted[0] != self._published:
                version, data, loss = fitted
                if self._models.publish(Model(data), loss=loss) is not None:
                    self._published = version
                    return "published"
            found = self._models.fetch()
            if found is None:
                return "nothing new"
            return "adopted" if self._core.adopt_model(found.model.core) else "refused"

    def close(self) -> None:
        """Ends the exchange. Idempotent."""
        self._over.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            try:
                self.exchange()
            except (RedisError, ModelError) as error:
                self._problem = str(error)
            else:
                self._problem = ""
