"""Ports of loopback for the servers of tests."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from functools import cache

# All are below those that the system gives to connections, one of which would take a port whose
# server is down for a while. ports.hpp shares them with the tests in C++.
_FIRST, _BLOCKS, _IN_BLOCK = 10_000, 100, 100


def free_port() -> int:
    """A port that nobody listens on, and that no test of another process is given meanwhile."""
    _, ports = _block()
    for port in itertools.islice(ports, _IN_BLOCK):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


@cache
def _block() -> tuple[socket.socket, itertools.cycle[int]]:
    """A block of ports in turn, and the socket whose name reserves them until the process ends."""
    for number in range(os.getpid(), os.getpid() + _BLOCKS):
        block, mark = number % _BLOCKS, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0vcache-test-ports-{block}")
        except OSError:
            mark.close()
            continue
        first = _FIRST + block * _IN_BLOCK
        return mark, itertools.cycle(range(first, first + _IN_BLOCK))
    raise OSError("no free block of ports")
