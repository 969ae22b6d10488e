"""A private redis-server for the length of a `with` block, on a Unix socket."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .errors import ServerError

BINARIES = ("redis-server", "valkey-server")
START_SECONDS, STOP_SECONDS = 10.0, 5.0
PR_SET_PDEATHSIG = 1


def find_binary() -> str | None:
    return next((path for name in BINARIES if (path := shutil.which(name))), None)


@contextmanager
def redis_server(binary: str) -> Iterator[str]:
    """Yields the URL. The server stops with the block, or by the kernel if we are killed."""
    with tempfile.TemporaryDirectory(prefix="vcache-demo-") as folder:
        path, log = Path(folder) / "redis.sock", Path(folder) / "log"
        arguments = [binary, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
        arguments += ["--save", "", "--appendonly", "no", "--dir", folder]
        with log.open("wb") as output:
            server = subprocess.Popen(
                arguments,
                stdout=output,
                stderr=output,
                preexec_fn=partial(_end_with_parent, _libc()),
            )
        try:
            _wait_until_ready(server, path, log)
            yield f"unix://{path}"
        finally:
            _stop(server)


def _wait_until_ready(server: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            words = log.read_text(errors="replace").strip()[-500:]
            raise ServerError(f"redis-server ended with status {server.returncode}: {words}")
        if _answers_ping(path):
            return
        time.sleep(0.02)
    raise ServerError(f"redis-server did not answer on {path} within {START_SECONDS:.0f} seconds")


def _answers_ping(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent(libc: ctypes.CDLL | None) -> None:
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
