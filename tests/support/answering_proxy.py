"""A server that answers as a test says, and what the test leaves open from a real Redis."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

Command = list[bytes]
# What to say instead of asking Redis; None: ask.
Answer = Callable[[Command], "bytes | None"]


class Last(bytes):
    """An answer behind which the connection ends."""


class AnsweringProxy:
    """One thread a connection; `answer` may be changed while it runs."""

    def __init__(self, upstream: int, answer: Answer = lambda command: None) -> None:
        self.upstream = upstream
        self.answer = answer
        self.answered = 0  # commands that got an answer of the test's
        self.connections = 0
        self.commands: Counter[bytes] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        with self._lock:
            for link in self._open:
                close(link)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open.add(link)
            self._threads.append(threading.Thread(target=self._serve, args=(link,)))
            self._threads[-1].start()

    def _serve(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream = socket.create_connection(("127.0.0.1", self.upstream))
        requests, replies = link.makefile("rb"), upstream.makefile("rb")
        try:
            while (raw := read_raw(requests)) and self._answer_one(link, upstream, replies, raw):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(link)
            for end in (requests, replies, link, upstream):
                end.close()

    def _answer_one(self, link: socket.socket, upstream: Any, replies: Any, raw: bytes) -> bool:
        command = split(raw)
        self.commands[command[0].upper()] += 1
        said = self.answer(command)
        if said is None:
            upstream.sendall(raw)
            link.sendall(read_raw(replies))
            return True
        self.answered += 1
        link.sendall(said)
        return not isinstance(said, Last)


def close(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def read_raw(stream: Any) -> bytes:
    """The bytes of the next RESP value; empty at the end."""
    line: bytes = stream.readline()
    if not line:
        return b""
    kind, rest = line[:1], line[1:].strip()
    if kind in b"$=!" and rest != b"-1":
        return line + bytes(stream.read(int(rest) + 2))
    if kind in b"*~>%" and rest != b"-1":
        count = int(rest) * (2 if kind == b"%" else 1)
        return line + b"".join(read_raw(stream) for _ in range(count))
    return line


def split(raw: bytes) -> Command:
    """The words of a command that arrived as an array of strings."""
    words, at = [], raw.index(b"\r\n") + 2
    while at < len(raw):
        end = raw.index(b"\r\n", at)
        size = int(raw[at + 1 : end])
        words.append(raw[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return words
