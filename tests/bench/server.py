"""A redis-server on a free loopback port for the length of a block; nothing is written to disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness import CannotRun

HOST = "127.0.0.1"
START_SECONDS = 10.0


@contextmanager
def redis_server() -> Iterator[int]:
    """Yields the port."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        raise CannotRun("no redis-server found (apt install redis-server)")
    port = _free_port()
    command = [binary, "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="vcache-bench-") as folder:
        server = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(0.02)
    raise CannotRun(f"redis-server did not come up on port {port}")
