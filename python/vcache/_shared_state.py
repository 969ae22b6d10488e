"""A few bytes that several processes agree on: in Redis, in a file, or of one process alone."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ._locks import ForkLock
from ._messages import shown
from .durations import MAX_SECONDS
from .errors import ConfigError

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["FileState", "MemoryState", "RedisState", "SharedState", "state_of"]

MOST = 64 * 1024  # bytes
_LIFETIME = MAX_SECONDS  # that Redis keeps what nobody replaces, as the end of a migration


class SharedState(Protocol):
    """Where the bytes are. Thread-safe. Both calls raise RedisError or OSError for no answer."""

    def read(self) -> bytes:
        """Empty where there are none."""

    def replace(self, expected: bytes, data: bytes) -> bool:
        """Writes if the bytes are the expected ones; whether it did."""


class MemoryState:
    """Of this process alone."""

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._data = b""

    def read(self) -> bytes:
        return self._data

    def replace(self, expected: bytes, data: bytes) -> bool:
        with self._lock:
            if self._data != expected:
                return False
            self._data = data
            return True


class RedisState:
    """Under NAMESPACE!NAME, where no key of a user is."""

    def __init__(self, cache: Cache, name: str) -> None:
        self._core, self._name = cache._tiers, name

    def read(self) -> bytes:
        return self._core.read_blob(self._name, MOST)

    def replace(self, expected: bytes, data: bytes) -> bool:
        return self._core.replace_blob(self._name, expected, data, _LIFETIME)


class FileState:
    """In a file, which is replaced as a whole; PATH.lock keeps other processes of the host out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def replace(self, expected: bytes, data: bytes) -> bool:
        with self._locked():
            if self.read() != expected:
                return False
            self._write(data)
            return True

    def _write(self, data: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with Path(f"{self._path}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def state_of(caches: list[Cache], path: object, name: str) -> SharedState:
    """In the file of that path, else in the Redis of the first cache that has one."""
    if path is not None:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise ConfigError(f"state_path={shown(path)}: allowed are None and a path")
        return FileState(Path(os.fsdecode(os.fspath(path))))
    for cache in caches:
        if cache._config.redis is not None:
            return RedisState(cache, name)
    return MemoryState()
