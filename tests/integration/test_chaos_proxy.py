"""Each mode of the chaos proxy strikes, is counted, and ends."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from chaos_proxy import ChaosProxy

PONG = b"+PONG\r\n"


def ask(proxy: ChaosProxy, wanted: int = len(PONG), timeout: float = 5.0) -> bytes:
    """What is heard of one PING until `wanted` bytes, the end, or a timeout."""
    heard = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout) as link:
        link.sendall(b"PING\r\n")
        try:
            while len(heard) < wanted and (piece := link.recv(100)):
                heard += piece
        except TimeoutError:
            pass
    return heard


def test_nothing_is_spoiled_unless_asked_for(proxy: ChaosProxy) -> None:
    assert [ask(proxy) for _ in range(5)] == [PONG] * 5
    assert proxy.faults() == 0
    assert proxy.counts()["connections"] == 5


@pytest.mark.parametrize("name", ["latency", "drip"])
def test_slowness(proxy: ChaosProxy, name: str) -> None:
    proxy.set(**{name: 0.05})
    started = time.monotonic()
    assert ask(proxy) == PONG
    assert time.monotonic() - started > 0.045
    assert proxy.counts()[name] > 0


def test_bytes_alone_doubled_cut_and_turned(proxy: ChaosProxy) -> None:
    proxy.set(slices=True)
    assert ask(proxy) == PONG
    assert proxy.counts()["slices"] == len(PONG)
    proxy.set(slices=False, duplicate=True)
    assert ask(proxy, 14) == PONG * 2
    proxy.set(duplicate=False, cut_after=3)
    assert ask(proxy) == PONG[:3]
    proxy.set(cut_after=-1, flip_at=2)
    assert [a == b for a, b in zip(ask(proxy), PONG, strict=True)] == [i != 2 for i in range(7)]
    proxy.set(flip_at=-1, flip_chance=1.0)
    assert ask(proxy) != PONG
    counts = proxy.heal()
    assert counts["duplicate"] == counts["cut_after"] == 1
    assert counts["flip"] == 2
    assert ask(proxy) == PONG


@pytest.mark.parametrize("mode", [{"reset_after": 2}, {"refuse": True}])
def test_ends(proxy: ChaosProxy, mode: dict[str, Any]) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as open_before:
        open_before.sendall(b"PING\r\n")
        assert open_before.recv(100) == PONG
        proxy.set(**mode)
        with pytest.raises(OSError, match="reset|refused"):
            ask(proxy)
        if "refuse" in mode:
            with pytest.raises(ConnectionResetError):
                open_before.recv(100)
    assert proxy.heal()[next(iter(mode))] > 0
    assert ask(proxy) == PONG


@pytest.mark.parametrize("mode", ["black_hole", "freeze"])
def test_silence(proxy: ChaosProxy, mode: str) -> None:
    proxy.set(**{mode: True})
    assert ask(proxy, timeout=0.1) == b""
    assert proxy.heal()[mode] > 0
    assert ask(proxy) == PONG
