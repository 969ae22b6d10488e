"""Commands of the doctor's own, each time on a connection made for them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

from . import _core
from ._config import to_core
from .errors import ConfigError, RedisError, RedisTimeout
from .options import RedisOptions, parse_timeout

__all__ = ["ask", "ask_node"]

_MOST_BYTES = 64 << 20  # of all replies of one connection
_MOST_DEPTH = 8
_PUSH = object()  # what comes unasked

Commands = Sequence[Sequence[str]]


def ask(server: RedisOptions, commands: Commands) -> list[Any]:
    """The replies of one server, or a sentinel, through the core; errors are among them.

    Raises RedisError where there is no connection, and ConfigError.
    """
    return _core.query_redis(to_core(server), commands)


def ask_node(server: RedisOptions, commands: Commands) -> list[Any]:
    """As ask(), of a node of a cluster.

    The core's login reads two keys together, which no node of a cluster allows.
    """
    connecting = time.monotonic() + parse_timeout(server.connect_timeout, "connect_timeout")
    try:
        with _connect(server, connecting) as link:
            if server.password:
                user = [server.username] if server.username else []
                _log_in(_exchange(link, [["AUTH", *user, server.password]], connecting)[0])
            answering = time.monotonic() + parse_timeout(server.timeout, "timeout")
            replies = _exchange(link, commands, answering)
    except (RedisError, ConfigError):
        raise
    except TimeoutError:
        raise RedisTimeout("timeout: no answer in time") from None
    except ssl.SSLError as error:
        raise RedisError(f"tls: {_reason(error)}") from None
    except OSError as error:
        raise RedisError(f"connect: {error.strerror or 'failed'}") from None
    except ValueError:
        raise RedisError("protocol: what answers is no Redis") from None
    refusals = [reply for reply in replies if isinstance(reply, RedisError)]
    if refusals and str(refusals[0]).startswith("NOAUTH"):
        _log_in(refusals[0])
    return replies


def _log_in(reply: Any) -> None:
    if isinstance(reply, RedisError):  # some servers repeat, in quotes, what they were sent
        text = str(reply).partition("'")[0].partition('"')[0].partition("`")[0]
        raise RedisError(f"auth: {text.partition(', with args')[0].strip()}")


def _connect(server: RedisOptions, deadline: float) -> socket.socket:
    link = socket.create_connection((server.host, server.port), _left(deadline))
    if not server.tls:
        return link
    try:
        return _tls_context(server).wrap_socket(link, server_hostname=server.host)
    except BaseException:
        link.close()
        raise


def _tls_context(server: RedisOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca_file or None)
        if server.cert_file:
            context.load_cert_chain(server.cert_file, server.key_file, password=lambda: "")
    except OSError as error:  # those of ssl are some
        text = _reason(error) if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"ca_file, cert_file or key_file cannot be used: {text}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.verify == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "handshake failed").lower().replace("_", " ")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _exchange(link: socket.socket, commands: Commands, deadline: float) -> list[Any]:
    link.settimeout(_left(deadline))
    link.sendall(b"".join(map(_packed, commands)))
    reader = _Reader(link, deadline)
    return [reader.reply() for _ in commands]


def _packed(command: Sequence[str]) -> bytes:
    words = [word.encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class _Reader:
    """Replies in RESP2 and RESP3. Raises ValueError for what is neither."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline
        self._bytes = bytearray()
        self._received = 0

    def reply(self) -> Any:
        while (reply := self._element(0)) is _PUSH:
            pass
        return reply

    def _element(self, depth: int) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in (b"+", b","):
            return rest
        if kind == b"-":
            return RedisError(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind in (b"$", b"=", b"!"):
            return self._text(int(rest))
        if kind in (b"*", b"~", b">", b"%") and depth < _MOST_DEPTH:
            count = int(rest) * (2 if kind == b"%" else 1)
            elements = [self._element(depth + 1) for _ in range(count)]
            return _PUSH if kind == b">" else None if count < 0 else elements
        raise ValueError

    def _text(self, size: int) -> bytes | None:
        if size < 0:
            return None
        while len(self._bytes) < size + 2:
            self._fill()
        return self._take(size)

    def _line(self) -> bytes:
        while (end := self._bytes.find(b"\r\n")) < 0:
            self._fill()
        return self._take(end)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._bytes[:size])
        del self._bytes[: size + 2]
        return taken

    def _fill(self) -> None:
        self._link.settimeout(_left(self._deadline))
        received = self._link.recv(1 << 16)
        self._received += len(received)
        if not received:
            raise RedisError("disconnected: the server hung up")
        if self._received > _MOST_BYTES:
            raise ValueError
        self._bytes += received
