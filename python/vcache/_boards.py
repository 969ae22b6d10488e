"""Where the caches of a namespace leave what others may read of them: Redis, or a folder.

A board has bytes under names, each for some seconds. `live:0` to `live:255` are a cache each, `ask`
is what somebody wants to know of all of them.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from . import _core
from .errors import ConfigError

__all__ = ["ASK", "SLOTS", "Board", "FolderBoard", "RedisBoard", "runtime_folder", "slot_name"]

SLOTS = 256
ASK = "ask"


def slot_name(slot: int) -> str:
    return f"live:{slot}"


class Board(Protocol):
    """Its calls raise RedisError or OSError, and ConfigError for a folder that others may use."""

    def read(self, name: str, most: int) -> bytes:
        """The first bytes, empty where there are none."""

    def write(self, name: str, data: bytes, seconds: float) -> None: ...

    def erase(self, name: str) -> None: ...


class RedisBoard:
    """Keys NAMESPACE!name of the Redis of a core."""

    def __init__(self, core: _core.TieredCache) -> None:
        self._core = core

    def read(self, name: str, most: int) -> bytes:
        return self._core.read_blob(name, most)

    def write(self, name: str, data: bytes, seconds: float) -> None:
        self._core.write_blob(name, data, seconds)

    def erase(self, name: str) -> None:
        self._core.erase_blob(name)


class FolderBoard:
    """Files NAMESPACE!name of a folder that only its user may enter; each says when it ends."""

    _HEAD = 20  # bytes: when it ends, in ms since the epoch

    def __init__(
        self, namespace: str, folder: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._namespace = namespace
        self._folder = runtime_folder() if folder is None else folder
        self._clock = clock

    def read(self, name: str, most: int) -> bytes:
        return self._content(self._path(name), most) if self._is_there() else b""

    def write(self, name: str, data: bytes, seconds: float) -> None:
        self._prepare()
        path = self._path(name)
        passing = path.with_name(f".{secrets.token_hex(8)}")
        ends = int((self._clock() + seconds) * 1000)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(passing, flags, 0o600), "wb") as file:
                file.write(b"%020d" % ends + data)
            passing.replace(path)
        except OSError:
            with suppress(OSError):
                passing.unlink()
            raise

    def erase(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def namespaces(self) -> set[str]:
        """Of all caches that left something here."""
        return {path.name.partition("!")[0] for path in self._files()}

    def all_live(self, most: int) -> Iterator[bytes]:
        """What the caches of the namespace left here."""
        for path in self._files():
            namespace, _, name = path.name.partition("!")
            if namespace == self._namespace and name.startswith("live:"):
                content = self._content(path, most)
                if content:
                    yield content

    def _files(self) -> list[Path]:
        if not self._is_there():
            return []
        return sorted(path for path in self._folder.iterdir() if "!" in path.name)

    def _content(self, path: Path, most: int) -> bytes:
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                raw = file.read(self._HEAD + most)
        except FileNotFoundError:
            return b""
        head = raw[: self._HEAD]
        is_over = not head.isdigit() or int(head) <= self._clock() * 1000
        return b"" if is_over else raw[self._HEAD :]

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._namespace}!{name}"

    def _is_there(self) -> bool:
        """Whether there is such a folder; what others put there is not even opened."""
        if not self._folder.is_dir():
            return False
        check_folder(self._folder)
        return True

    def _prepare(self) -> None:
        if not self._is_there():
            self._folder.mkdir(mode=0o700, exist_ok=True)  # another may be doing so
            check_folder(self._folder)


def runtime_folder() -> Path:
    """Where this user's processes find each other: in $XDG_RUNTIME_DIR, else where /tmp is."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and Path(base).is_dir():
        return Path(base) / "vcache"
    from tempfile import gettempdir

    return Path(gettempdir()) / f"vcache-{os.getuid()}"


def check_folder(folder: Path) -> None:
    """Raises ConfigError where somebody else may have put there what is found."""
    status = folder.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not is_ours or status.st_mode & 0o022:
        raise ConfigError(
            f"{folder}: allowed is a folder of this user, to which nobody else may write"
        )
