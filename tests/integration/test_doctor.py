"""`python -m vcache doctor` before servers that are well, sick or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import least_user
import pytest
from doctor_runs import GOOD, doctor, findings
from ports import free_port
from redis_server import RedisServer, is_installed

CANARY = "canary-4711"


@pytest.fixture
def start(tmp_path: Path) -> Any:
    servers: list[RedisServer] = []

    def make(*options: str) -> RedisServer:
        if not is_installed():
            pytest.skip("redis-server is not installed")
        servers.append(RedisServer(tmp_path / f"server{len(servers)}", *options))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def test_a_server_that_is_well(start: Any, tmp_path: Path) -> None:
    server = start(*GOOD)
    status, found = findings(tmp_path, REDIS_HOST="127.0.0.1", REDIS_PORT=str(server.port))
    assert status == 0
    assert {each["level"] for each in found.values()} == {"ok"}
    assert set(found) == {
        "connection", "tls", "server", "memory", "evictions", "persistence", "clients", "clock",
        "user", "tracking",
    }  # fmt: skip
    assert found["server"]["text"].startswith(("Redis ", "Valkey "))
    status, text = doctor(tmp_path, "--redis", server.url)
    assert status == 0
    assert f"Redis at redis://127.0.0.1:{server.port}/0" in text
    with server.client() as redis:
        assert redis.keys("*") == [], "it left something behind"


def test_a_server_without_a_limit(start: Any, tmp_path: Path) -> None:
    status, found = findings(tmp_path, "--redis", start().url)
    assert status == 1
    assert found["memory"]["level"] == "problem"
    assert "maxmemory-policy" in found["memory"]["advice"]


def test_one_that_refuses_writes_when_full(start: Any, tmp_path: Path) -> None:
    status, found = findings(tmp_path, "--redis", start("--maxmemory", "100mb").url)
    assert (status, found["memory"]["level"]) == (1, "problem")
    assert "noeviction" in found["memory"]["text"]


def test_a_replica(start: Any, tmp_path: Path) -> None:
    server = start(*GOOD, "--replicaof", "127.0.0.1", "1")
    status, found = findings(tmp_path, "--redis", server.url)
    assert (status, found["role"]["level"]) == (1, "problem")


@pytest.mark.parametrize("command", ["mget", "exec", "watch"])
def test_the_least_user_and_less(start: Any, tmp_path: Path, command: str) -> None:
    words = ["--user", least_user.NAME, *least_user.rules(without=command)]
    server = start(*GOOD, *words)
    login = f"redis://{least_user.NAME}:{least_user.PASSWORD}@127.0.0.1:{server.port}"
    status, found = findings(tmp_path, "--redis", login)
    assert status == 1
    assert found["user"]["text"].endswith(f": {command.upper()}")
    with server.client() as redis:
        redis.execute_command("ACL", "SETUSER", least_user.NAME, f"+{command}")
    status, found = findings(tmp_path, "--redis", login)
    assert (status, found["user"]["level"], found["tracking"]["level"]) == (0, "ok", "ok")
    with server.client() as redis:
        redis.execute_command("ACL", "SETUSER", least_user.NAME, "-client|tracking", "-info")
    status, found = findings(tmp_path, "--redis", login)
    assert found["tracking"]["level"] == found["server"]["level"] == "advice"


def test_credentials_that_are_wrong(start: Any, tmp_path: Path) -> None:
    server = start(*GOOD)
    url = f"redis://user:{CANARY}@127.0.0.1:{server.port}"
    for arguments in (["--redis", url], ["--redis", url, "--json"]):
        status, text = doctor(tmp_path, *arguments)
        assert status == 1
        assert "refused: WRONGPASS" in text
        assert CANARY not in text


def test_nobody_there(tmp_path: Path) -> None:
    url = f"redis://user:{CANARY}@127.0.0.1:{free_port()}"
    status, text = doctor(tmp_path, "--redis", url)
    assert status == 2
    assert "Connection refused" in text
    assert CANARY not in text


def test_what_the_environment_says_wrongly(tmp_path: Path) -> None:
    status, text = doctor(tmp_path, REDIS_URL=f"redis://u:{CANARY}@db:x")
    assert status == 1
    assert "REDIS_URL" in text
    assert CANARY not in text
    assert doctor(tmp_path) == (0, "  ok       configuration no Redis: memory only\n")
