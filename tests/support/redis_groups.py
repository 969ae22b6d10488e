"""Several servers that belong together: a primary with a replica, and a Sentinel trio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polling import wait_until
from ports import free_port
from redis_server import RedisServer
from running import Running

FAST_SYNC = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


class Replicated(Running):
    """A primary and its replicas; start() returns when all are in step."""

    def __init__(self, folder: Path, replicas: int = 1, *options: str) -> None:
        self.primary = RedisServer(folder / "primary", *FAST_SYNC, *options)
        of = ("--replicaof", f"127.0.0.1 {self.primary.port}")
        self.replicas = [
            RedisServer(folder / f"replica{index}", *FAST_SYNC, *of, *options)
            for index in range(replicas)
        ]

    @property
    def servers(self) -> list[RedisServer]:
        return [self.primary, *self.replicas]

    def start(self) -> None:
        for server in self.servers:
            server.start()
        self.wait_for_sync()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def wait_for_sync(self) -> None:
        for replica in self.replicas:
            wait_until(lambda r=replica: is_in_sync(r), what="replication")  # type: ignore[misc]

    def cut(self, index: int = 0) -> None:
        """The replica loses its link and goes on answering reads."""
        self.replicas[index].call("REPLICAOF", "127.0.0.1", "1")

    def heal(self, index: int = 0) -> None:
        self.replicas[index].call("REPLICAOF", "127.0.0.1", str(self.primary.port))
        self.wait_for_sync()


class Sentinels(Running):
    """Three sentinels over a replicated pair, whose primary has the name NAME."""

    NAME = "main"
    QUORUM = 2

    def __init__(self, folder: Path, *options: str, down_after_ms: int = 500) -> None:
        self.data = Replicated(folder / "data", 1, *options)
        self.down_after_ms = down_after_ms
        self.sentinels = []
        for index in range(3):
            own = folder / f"sentinel{index}"
            own.mkdir(parents=True)
            # The executable knows by its first argument that this file is a sentinel's.
            self.sentinels.append(_Sentinel(own, self._write_config(own)))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    @property
    def url(self) -> str:
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"redis+sentinel://{hosts}/{self.NAME}"

    def start(self) -> None:
        self.data.start()
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            wait_until(lambda s=sentinel: self._knows_all(s), what="sentinels")  # type: ignore[misc]

    def stop(self) -> None:
        for sentinel in self.sentinels:
            sentinel.stop()
        self.data.stop()

    def primary(self) -> RedisServer:
        """Whom most sentinels take for the primary."""
        ports = [self.primary_port_by(index) for index in range(len(self.sentinels))]
        port = max(set(ports), key=ports.count)
        return next(server for server in self.data.servers if server.port == port)

    def primary_port_by(self, index: int) -> int:
        found = self.sentinels[index].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)
        return int(found[1])

    def failover(self) -> float:
        """Kills the primary; the seconds until all sentinels name the other."""
        old = self.primary()
        old.kill()
        return self.wait_for_switch(old.port)

    def wait_for_switch(self, old_port: int) -> float:
        def switched() -> bool:
            return all(self.primary_port_by(i) != old_port for i in range(len(self.sentinels)))

        return wait_until(switched, what="the sentinels to agree")

    def _write_config(self, folder: Path) -> int:
        port = free_port()
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {folder.resolve()}",
            f"sentinel monitor {self.NAME} 127.0.0.1 {self.data.primary.port} {self.QUORUM}",
            f"sentinel down-after-milliseconds {self.NAME} {self.down_after_ms}",
            f"sentinel failover-timeout {self.NAME} 3000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        return port

    def _knows_all(self, sentinel: RedisServer) -> bool:
        found = sentinel.call("SENTINEL", "MASTER", self.NAME)
        fields = _pairs(found)
        others = int(fields.get("num-other-sentinels", 0))
        return others == 2 and int(fields.get("num-slaves", 0)) == len(self.data.replicas)


class _Sentinel(RedisServer):
    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port=port)

    def _arguments(self) -> list[str]:
        return [str((self.folder / "sentinel.conf").resolve()), "--sentinel"]


def is_in_sync(replica: RedisServer) -> bool:
    info = replica.info("replication")
    return info["role"] == "slave" and info["master_link_status"] == "up"


def _pairs(flat: Any) -> dict[str, str]:
    if isinstance(flat, dict):
        return {_text(key): _text(value) for key, value in flat.items()}
    texts = [_text(item) for item in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
