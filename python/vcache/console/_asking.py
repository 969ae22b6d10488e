"""Questions to live caches."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from .._announcing import Question
from .._boards import ASK, Board, FolderBoard, RedisBoard
from ..cache import Cache
from ..errors import ConfigError, RedisError
from ._place import Place

__all__ = ["Asker", "asker"]


class Asker:
    """Puts questions on all boards of a place. Boards that cannot be written to hear none."""

    def __init__(self, boards: list[Board]) -> None:
        self._boards = boards

    def ask(self, key: bytes | None, seconds: float) -> str:
        """Asks for figures and, of a key, whether memory has it; what the answers bear as id."""
        question = Question(id=secrets.token_hex(8), key=key)
        data = msgspec.msgpack.encode(question)
        for board in self._boards:
            with suppress(RedisError, OSError, ConfigError):
                board.write(ASK, data, seconds)
        return question.id

    def is_free(self) -> bool:
        """Whether nobody waits for what is known of a key."""
        for board in self._boards:
            with suppress(RedisError, OSError, ConfigError, msgspec.MsgspecError):
                data = board.read(ASK, 4096)
                if data and msgspec.msgpack.decode(data, type=Question).key is not None:
                    return False
        return True

    def take_back(self) -> None:
        for board in self._boards:
            with suppress(RedisError, OSError, ConfigError):
                board.erase(ASK)


@contextmanager
def asker(place: Place) -> Iterator[Asker]:
    """Of the caches of this user's folder and of those of the Redis of a place."""
    boards: list[Board] = []
    with suppress(OSError, ConfigError):
        found = FolderBoard(place.in_redis).namespaces()
        boards += map(FolderBoard, found if place.namespace is None else {place.namespace})
    if place.redis is None:
        yield Asker(boards)
        return
    with Cache(redis=place.redis, namespace=place.in_redis, memory=None) as cache:
        yield Asker([*boards, RedisBoard(cache._tiers)])
