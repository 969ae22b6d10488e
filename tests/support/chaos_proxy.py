"""A TCP proxy, in a process of its own, that spoils what a server says.

Modes are switched while it runs, and each fault that really struck is counted. As a program:
chaos_proxy.py PORT_OF_THE_SERVER OWN_PORT; it answers each line of its input, a JSON object of
modes, with an object of the faults until then.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
import threading
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Any

from ports import free_port
from running import Talking

PIECE = 65536


@dataclass(frozen=True)
class Modes:
    """What happens to replies; the defaults spoil nothing. Bytes count from a connection's start.

    A number below 0 is "never".
    """

    latency: float = 0.0  # seconds before each piece of a reply
    jitter: float = 0.0  # more seconds at random, up to this
    share: float = 1.0  # of the pieces that latency, flip_chance and duplicate are for
    black_hole: bool = False  # everything is swallowed, in both directions
    freeze: bool = False  # nothing is read any more, in either direction
    refuse: bool = False  # nobody listens; connections that are open are reset
    reset_after: int = -1  # bytes of replies, then a reset
    cut_after: int = -1  # bytes of replies, then an orderly end
    slices: bool = False  # each byte is a segment of its own
    drip: float = 0.0  # seconds between two bytes
    flip_at: int = -1  # the byte of the replies in which a bit is turned
    flip_chance: float = 0.0  # that a piece has a bit turned at random
    duplicate: bool = False  # each piece comes twice


class ChaosProxy(Talking):
    """The proxy as tests use it."""

    def __init__(self, upstream: int, **modes: Any) -> None:
        self.upstream = upstream
        self.port = free_port()
        self._modes = Modes(**modes)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.spawn([sys.executable, __file__, str(self.upstream), str(self.port)])
        self.set()

    def set(self, **modes: Any) -> Counter[str]:
        """Changes these modes and no others; the counts of the faults until now."""
        with self._lock:
            self._modes = replace(self._modes, **modes)
            now = {field.name: getattr(self._modes, field.name) for field in fields(Modes)}
            self.say(json.dumps(now))
            return Counter(json.loads(self.hear()))

    def heal(self) -> Counter[str]:
        """No more faults."""
        return self.set(**{field.name: field.default for field in fields(Modes)})

    def counts(self) -> Counter[str]:
        """By the names of the modes; `connections` are those accepted."""
        return self.set()

    def faults(self) -> int:
        return sum(count for name, count in self.counts().items() if name != "connections")


class Proxy:
    """The proxy itself."""

    def __init__(self, upstream: int, port: int) -> None:
        self.upstream = upstream
        self.port = port
        self.modes = Modes()
        self.counts: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def change(self, modes: Modes) -> None:
        self.modes = modes
        self._changed.set()
        self._changed = asyncio.Event()
        if modes.refuse and self._server is not None:
            self._server.close()
            self._server = None
            for link in list(self._links):
                link.reset("refuse")
        elif not modes.refuse and self._server is None:
            await self.listen()

    async def until_changed(self) -> None:
        await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            abort(writer)
            return
        link = Link(self, (reader, writer), to_server)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


class Link:
    """One client's connection."""

    def __init__(self, proxy: Proxy, client: Any, server: Any) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._said = 0  # bytes that the server said
        for writer in (self._to_client, self._to_server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        directions = {
            asyncio.ensure_future(self._requests()),
            asyncio.ensure_future(self._replies()),
        }
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        for writer in (self._to_client, self._to_server):
            writer.close()

    def reset(self, fault: str) -> None:
        self._proxy.counts[fault] += 1
        abort(self._to_client)
        self._to_server.transport.abort()

    async def _requests(self) -> None:
        while piece := await self._from_client.read(PIECE):
            if not await self._is_swallowed():
                self._to_server.write(piece)
                await self._to_server.drain()

    async def _replies(self) -> None:
        while piece := await self._from_server.read(PIECE):
            if await self._is_swallowed():
                continue
            before, self._said = self._said, self._said + len(piece)
            if not await self._pass_on(bytearray(piece), before):
                return

    async def _is_swallowed(self) -> bool:
        while self._proxy.modes.freeze:
            self._proxy.counts["freeze"] += 1
            await self._proxy.until_changed()
        if self._proxy.modes.black_hole:
            self._proxy.counts["black_hole"] += 1
            return True
        return False

    async def _pass_on(self, piece: bytearray, start: int) -> bool:
        """False: that was the last piece."""
        modes, counts = self._proxy.modes, self._proxy.counts
        struck = modes.share >= 1 or random.random() < modes.share
        if struck and modes.latency + modes.jitter > 0:
            counts["latency"] += 1
            await asyncio.sleep(modes.latency + random.random() * modes.jitter)
        self._flip(piece, start, struck)
        for name in ("reset_after", "cut_after"):
            limit = getattr(modes, name)
            if 0 <= limit < start + len(piece):
                await self._write(piece[: max(limit - start, 0)])
                self._end(name)
                return False
        await self._write(piece)
        if modes.duplicate and struck:
            counts["duplicate"] += 1
            await self._write(piece)
        return True

    def _flip(self, piece: bytearray, start: int, struck: bool) -> None:
        modes = self._proxy.modes
        at = modes.flip_at - start
        if modes.flip_at < 0:
            wanted = struck and random.random() < modes.flip_chance
            at = random.randrange(len(piece)) if wanted else -1
        if 0 <= at < len(piece):
            piece[at] ^= 1 << random.randrange(8)
            self._proxy.counts["flip"] += 1

    def _end(self, fault: str) -> None:
        if fault == "reset_after":
            self.reset(fault)
        else:
            self._proxy.counts[fault] += 1

    async def _write(self, piece: bytearray) -> None:
        modes = self._proxy.modes
        if not modes.slices and modes.drip <= 0:
            self._to_client.write(bytes(piece))
        for byte in piece if modes.slices or modes.drip > 0 else b"":
            self._to_client.write(bytes((byte,)))
            await self._to_client.drain()
            self._proxy.counts["drip" if modes.drip > 0 else "slices"] += 1
            if modes.drip > 0:
                await asyncio.sleep(modes.drip)
        await self._to_client.drain()


def abort(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a reset."""
    end = writer.get_extra_info("socket")
    if end is not None and end.fileno() >= 0:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(upstream: int, port: int) -> None:
    proxy = Proxy(upstream, port)
    await proxy.listen()
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await proxy.change(Modes(**json.loads(line)))
        sys.stdout.write(json.dumps(proxy.counts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
