"""`python -m vcache top` on a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from console_runs import Worker, console, console_json, environment
from redis_server import RedisServer
from terminals import OnTerminal

Eventually = Callable[[Callable[[], object]], None]

ENTER, LEAVE, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


def top(folder: Path, *arguments: str, size: tuple[int, int] = (80, 24), **more: str) -> OnTerminal:
    command = [sys.executable, "-m", "vcache", "top", "--every", "200ms", *arguments]
    return OnTerminal(command, environment(folder, **more), folder, *size)


def line_with(word: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(word in line for line in lines)


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_it_follows_a_cache_until_a_key_is_pressed(tmp_path: Path, key: bytes) -> None:
    with Worker(tmp_path) as worker, top(tmp_path) as screen:
        screen.read_until(line_with(f":{worker.pid}"))
        worker.call("asked", [f"docs:{number}" for number in range(50)] * 2)
        screen.read_until(line_with("50.0% of 100 in all"))
        screen.read_until(line_with("now, "))
        shown = screen.lines()
        assert shown[0].startswith("vcache top")
        for word in ("memory", "redis", "source", "saved", "latency", "busiest groups", "docs"):
            assert any(word in line for line in shown), word
        screen.press(key)
        assert screen.read_to_end() == (0 if key == b"q" else 130)
        assert (screen.raw.count(ENTER), screen.raw.count(LEAVE)) == (1, 1)
        assert screen.raw.rfind(SHOW_CURSOR) > screen.raw.find(ENTER)
        assert screen.settings == screen.before
        assert b"Traceback" not in screen.raw


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (120, 50), (20, 5)])
def test_it_fits_the_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    with (
        Worker(tmp_path, namespace="a" * 64) as one,
        Worker(tmp_path, namespace="b") as other,
        Worker(tmp_path, namespace="c") as third,
        top(tmp_path, size=size) as screen,
    ):
        groups = [f"{'g' * 60}{number}:1" for number in range(20)]
        for worker in (one, other, third):
            worker.call("asked", groups)
        screen.read_until(line_with("3 caches" if size[0] >= 40 else "requests"))
        assert screen.lines()[0].startswith("vcache top"), "nothing was scrolled away"
        screen.press(b"q")
        assert screen.read_to_end() == 0


def test_no_color(tmp_path: Path) -> None:
    with Worker(tmp_path), top(tmp_path, NO_COLOR="1") as screen:
        screen.read_until(line_with("hit rate"))
        screen.press(b"q")
        assert screen.read_to_end() == 0
    assert b"\x1b[32m" not in screen.raw
    assert b"\x1b[31m" not in screen.raw


def test_without_a_cache_it_waits_for_one(tmp_path: Path) -> None:
    with top(tmp_path) as screen:
        screen.read_until(line_with("no live cache"))
        with Worker(tmp_path) as worker:
            screen.read_until(line_with(f":{worker.pid}"))
        screen.press(b"q")
        assert screen.read_to_end() == 0


def test_redis_that_goes_away_and_comes_back(redis_server: RedisServer, tmp_path: Path) -> None:
    with (
        Worker(tmp_path, redis=redis_server.url) as worker,
        top(tmp_path, "--redis", redis_server.url) as screen,
    ):
        screen.read_until(line_with(f":{worker.pid}"))
        screen.read_until(line_with("ops/s"))
        redis_server.stop()
        screen.read_until(line_with("refused"))
        redis_server.start()
        screen.read_until(line_with(f":{worker.pid}"))
        screen.press(b"q")
        assert screen.read_to_end() == 0


def test_once(tmp_path: Path, eventually: Eventually) -> None:
    assert console(tmp_path, "top", "--once")[0] == 1
    with Worker(tmp_path) as worker:
        worker.call("asked", ["a:1", "a:1"])
        eventually(lambda: console_json(tmp_path, "top", "--once")[1]["total"]["requests"] == 2)
        status, text = console(tmp_path, "top", "--once")
        assert status == 0
        assert f":{worker.pid}" in text
        assert "\x1b" not in text
        status, report = console_json(tmp_path, "top", "--once")
        assert (status, report["total"]["hit_rate"]) == (0, 0.5)


def test_lines_of_json_are_live(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vcache", "top", "--json", "--every", "200ms"]
    with (
        Worker(tmp_path) as worker,
        subprocess.Popen(
            command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as follower,
    ):
        assert follower.stdout is not None
        worker.call("asked", ["a:1"] * 30)
        for line in follower.stdout:
            report = json.loads(line)
            if report["total"]["requests"] == 30 and report["per_second"] is not None:
                break
        follower.kill()


@pytest.mark.parametrize("every", ["soon", "0", "100ms", "-1"])
def test_bad_arguments(tmp_path: Path, every: str) -> None:
    status, text = console(tmp_path, "top", "--once", f"--every={every}")
    assert status == 2
    assert "--every=" in text
