"""`python -m vcache doctor` before clusters, sentinels and lists of servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import least_user
import pytest
import tls_files
from answering_proxy import AnsweringProxy
from doctor_runs import GOOD, doctor, findings, findings_by_server, problems
from hostile_replies import FIXED, endless, nested
from polling import wait_until
from ports import free_port
from redis_cluster import RedisCluster
from redis_groups import Sentinels
from redis_server import RedisServer, is_installed

from vcache import RedisOptions
from vcache._topology import ask
from vcache.errors import RedisError

pytestmark = pytest.mark.skipif(not is_installed(), reason="redis-server is not installed")

CANARY = "canary-4711"


def address(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


def levels(about: dict[str, dict[str, str]]) -> set[str]:
    return {each["level"] for each in about.values()}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster"), 2, 2, *GOOD) as started:
        yield started


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    with Sentinels(tmp_path, *GOOD) as started:
        yield started


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[RedisServer]]:
    with (
        RedisServer(tmp_path / "one", *GOOD) as one,
        RedisServer(tmp_path / "other", *GOOD) as other,
    ):
        yield [one, other]


# Clusters


def test_each_primary_of_a_cluster(cluster: RedisCluster, tmp_path: Path) -> None:
    away, replica = free_port(), cluster.nodes[2]
    status, found = findings_by_server(tmp_path, REDIS_URL=f"redis+cluster://{_at(replica)}")
    assert status == 0
    assert set(found) == {"", *map(address, cluster.nodes[:2])}
    assert {check: each["level"] for check, each in found[""].items()} == {
        "slots": "ok",
        "replicas": "ok",
    }
    for node in cluster.nodes[:2]:
        assert levels(found[address(node)]) == {"ok"}
        assert {"connection", "server", "memory", "state", "user", "tracking"} <= set(
            found[address(node)]
        )
    url = f"redis+cluster://127.0.0.1:{away},{_at(replica)}"
    status, found = findings_by_server(tmp_path, "--redis", url)
    assert (status, problems(found)) == (1, {(f"redis://127.0.0.1:{away}/0", "connection")})
    status, text = doctor(tmp_path, "--redis", f"redis+cluster://{_at(replica)}")
    assert status == 0
    assert f"\nServer {address(cluster.nodes[1])}\n" in text
    assert not any(node.call("DBSIZE") for node in cluster.nodes), "it left something behind"


def _at(server: RedisServer) -> str:
    return f"127.0.0.1:{server.port}"


def test_rights_in_a_cluster(cluster: RedisCluster, tmp_path: Path) -> None:
    login = f"redis+cluster://{least_user.NAME}:{least_user.PASSWORD}@{_at(cluster.nodes[0])}"
    cluster.run_everywhere("ACL", "SETUSER", least_user.NAME, "reset", *least_user.rules())
    status, found = findings_by_server(tmp_path, "--redis", login)
    assert (status, problems(found)) == (0, set())
    assert all(levels(about) == {"ok"} for about in found.values())

    # The keys that a single server would be asked for are not those of a cluster.
    rules = [word for word in least_user.rules() if word not in {"~{}vcache:*", "+asking"}]
    cluster.run_everywhere("ACL", "SETUSER", least_user.NAME, "reset", *rules)
    status, found = findings_by_server(tmp_path, "--redis", login)
    assert (status, problems(found)) == (1, {(address(n), "user") for n in cluster.nodes[:2]})
    refused = found[address(cluster.nodes[0])]["user"]["text"].partition(": ")[2].split(", ")
    assert refused == [
        "MGET", "SET", "GETRANGE", "UNLINK", "PEXPIRE", "PERSIST", "WATCH", "ASKING",
    ]  # fmt: skip

    rules = least_user.rules(without="cluster|slots")
    cluster.run_everywhere("ACL", "SETUSER", least_user.NAME, "reset", *rules)
    status, found = findings_by_server(tmp_path, "--redis", login)
    seed = address(cluster.nodes[0])
    assert (status, problems(found)) == (1, {(seed, "slots"), (seed, "user")})
    assert found[seed]["slots"]["advice"] == "let the user run +cluster|slots"
    assert found[seed]["user"]["text"].endswith(": CLUSTER SLOTS")


def test_a_password_that_a_cluster_refuses(cluster: RedisCluster, tmp_path: Path) -> None:
    url = f"redis+cluster://user:{CANARY}@{_at(cluster.nodes[0])}"
    status, text = doctor(tmp_path, "--redis", url)
    assert status == 1
    assert "refused: WRONGPASS" in text
    assert CANARY not in text


def test_a_cluster_that_nobody_is_there_of(tmp_path: Path) -> None:
    url = f"redis+cluster://u:{CANARY}@127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    status, text = doctor(tmp_path, "--redis", url)
    assert status == 2
    assert text.count("Connection refused") == 2
    assert CANARY not in text


def test_a_cluster_that_lacks_slots_and_a_primary(tmp_path: Path) -> None:
    with RedisCluster(tmp_path / "cluster", 2, 0, *GOOD) as cluster:
        first, second = map(address, cluster.nodes)
        cluster.run_everywhere("CLUSTER", "DELSLOTS", 0, 5)
        wait_until(lambda: not cluster.is_usable())
        status, found = findings_by_server(tmp_path, "--redis", cluster.url)
        assert status == 1
        assert problems(found) == {("", "slots"), (first, "state"), (second, "state")}
        assert found[""]["slots"]["text"].startswith("2 of 16384 slots")
        assert found[""]["replicas"]["level"] == "advice"
        cluster.nodes[0].call("CLUSTER", "ADDSLOTS", 0, 5)
        wait_until(cluster.is_usable)
        cluster.kill(1)
        wait_until(lambda: not cluster.is_usable())
        status, found = findings_by_server(tmp_path, "--redis", cluster.url)
        assert (status, problems(found)) == (1, {(first, "state"), (second, "connection")})


def test_one_kind_of_server_taken_for_another(
    cluster: RedisCluster, redis_server: RedisServer, tmp_path: Path
) -> None:
    status, found = findings(tmp_path, "--redis", address(cluster.nodes[0]))
    assert (status, found["layout"]["text"]) == (1, "it is a node of a cluster")
    assert "redis+cluster://" in found["layout"]["advice"]
    status, found = findings(tmp_path, "--redis", f"redis+cluster://{_at(redis_server)}")
    assert (status, set(found)) == (1, {"slots"})
    assert "cluster support disabled" in found["slots"]["text"]
    url = f"redis+sentinel://{_at(redis_server)}/main"
    status, found = findings(tmp_path, "--redis", url)
    assert (status, set(found)) == (1, {"sentinel", "primary"})
    assert found["sentinel"]["text"].startswith("not one: ERR unknown command")


@pytest.mark.skipif(not tls_files.is_installed(), reason="openssl is not installed")
def test_a_cluster_over_tls(tmp_path: Path) -> None:
    authority = tls_files.Authority(tmp_path / "ca")
    with RedisCluster(tmp_path / "cluster", 1, 0, *GOOD, tls=authority.server()) as cluster:
        url = f"{cluster.url}?ca_file={authority.certificate}"
        status, found = findings_by_server(tmp_path, "--redis", url)
        assert (status, problems(found)) == (0, set())
        (node,) = set(found) - {""}
        assert found[node]["tls"]["text"] == "TLS, and the server has proved its name"
        status, text = doctor(tmp_path, "--redis", cluster.url)
        assert status == 2
        assert "tls: " in text
        status, text = doctor(tmp_path, "--redis", f"{cluster.url}?ca_file={tmp_path}/none")
        assert status == 1
        assert "ca_file" in text
        assert "No such file" in text


def test_replies_that_no_honest_node_gives(redis_server: RedisServer) -> None:
    with AnsweringProxy(redis_server.port) as proxy:
        node = RedisOptions(port=proxy.port, timeout=0.05, connect_timeout=1)
        for reply in (*FIXED, nested(100_000), endless(100_000)):
            proxy.answer = lambda command, reply=reply: reply
            try:
                told = str(len(ask(node, [["CLUSTER", "SLOTS"]])))
            except RedisError as error:
                told = str(error).partition(": ")[0]
            assert told in {"1", "timeout", "protocol"}, reply[:40]


def test_a_node_that_repeats_the_password(redis_server: RedisServer) -> None:
    def answer(command: list[bytes]) -> bytes:
        return b"-ERR unknown command 'AUTH', with args beginning with: '%s'\r\n" % command[-1]

    with AnsweringProxy(redis_server.port, answer) as proxy:
        node = RedisOptions(port=proxy.port, password=CANARY, timeout=1, connect_timeout=1)
        with pytest.raises(RedisError, match="ERR unknown command") as caught:
            ask(node, [["PING"]])
    assert CANARY not in str(caught.value)


# Sentinels


def test_the_primary_that_sentinels_name(sentinels: Sentinels, tmp_path: Path) -> None:
    ours = set(map(address, sentinels.sentinels))
    primary = address(sentinels.data.primary)
    status, found = findings_by_server(tmp_path, REDIS_URL=sentinels.url)
    assert (status, problems(found)) == (0, set())
    assert set(found) == {"", primary, *ours}
    assert all(levels(about) == {"ok"} for about in found.values())
    assert found[""]["primary"]["text"].startswith(_at(sentinels.data.primary))
    assert {"memory", "user", "tracking"} <= set(found[primary])
    status, text = doctor(tmp_path, "--redis", f"{sentinels.url}x")
    assert status == 1
    assert "knows no service 'mainx'" in text
    assert "no sentinel names one" in text


def test_sentinels_that_are_away_or_do_not_agree(sentinels: Sentinels, tmp_path: Path) -> None:
    first, second, third = map(address, sentinels.sentinels)
    sentinels.sentinels[0].call("SENTINEL", "REMOVE", "main")
    other = sentinels.data.replicas[0].port
    sentinels.sentinels[0].call("SENTINEL", "MONITOR", "main", "127.0.0.1", other, 2)
    status, found = findings_by_server(tmp_path, "--redis", sentinels.url)
    assert status == 1
    assert ("", "primary") in problems(found)
    assert "do not agree" in found[""]["primary"]["text"]
    assert address(sentinels.data.primary) in found, "most of them name it"
    for server in sentinels.sentinels[:2]:
        server.kill()
    status, found = findings_by_server(tmp_path, "--redis", sentinels.url)
    assert status == 1
    assert {(first, "connection"), (second, "connection")} <= problems(found)
    assert found[""]["primary"]["level"] == "ok"
    sentinels.sentinels[2].kill()
    status, found = findings_by_server(tmp_path, "--redis", sentinels.url)
    assert status == 2
    assert (third, "connection") in problems(found)


def test_rights_at_sentinels(sentinels: Sentinels, tmp_path: Path) -> None:
    first = sentinels.sentinels[0]
    allowed = ("+sentinel|get-master-addr-by-name", "+sentinel|sentinels")
    login = "sentinel_username=watch&sentinel_password=secret"
    url = f"redis+sentinel://{_at(first)}/main?{login}"
    first.call("ACL", "SETUSER", "watch", "on", ">secret", "-@all", *allowed)
    status, found = findings_by_server(tmp_path, "--redis", url)
    assert (status, problems(found)) == (0, set())
    assert found[address(first)]["sentinel"]["level"] == "advice", "two are not named"
    for command in allowed:
        first.call("ACL", "SETUSER", "watch", *allowed, f"-{command[1:]}")
        status, found = findings_by_server(tmp_path, "--redis", url)
        assert status == 1
        assert (address(first), "user") in problems(found)
        refused = found[address(first)]["user"]["text"].partition(": ")[2]
        assert refused == command[1:].upper().replace("|", " ")


# Lists


def test_each_server_of_a_list(pair: list[RedisServer], tmp_path: Path) -> None:
    one, other = pair
    given = [word for server in pair for word in ("--redis", address(server))]
    status, found = findings_by_server(tmp_path, *given)
    assert status == 0
    assert set(found) == {address(one), address(other)}
    assert all(levels(about) == {"ok"} for about in found.values())
    other.call("CONFIG", "SET", "maxmemory", "0")
    status, found = findings_by_server(tmp_path, *given)
    assert (status, problems(found)) == (1, {(address(other), "memory")})


def test_servers_of_a_list_that_are_away(pair: list[RedisServer], tmp_path: Path) -> None:
    one, other = pair
    given = [word for server in pair for word in ("--redis", address(server))]
    other.kill()
    status, found = findings_by_server(tmp_path, *given)
    assert (status, problems(found)) == (1, {(address(other), "connection")})
    assert levels(found[address(one)]) == {"ok"}
    one.kill()
    assert findings_by_server(tmp_path, *given)[0] == 2


def test_a_list_that_is_none(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    status, found = findings(tmp_path, "--redis", url, "--redis", url)
    assert status == 1
    assert "each server may be there once" in found["configuration"]["text"]
