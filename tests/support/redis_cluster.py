"""A cluster of a test's own, with live moves of slots and failovers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import redis
from polling import wait_until
from ports import free_port
from redis_groups import FAST_SYNC, is_in_sync
from redis_server import RedisServer
from running import Running
from tls_files import TlsFiles

SLOTS = 16384
NODE_TIMEOUT_MS = 1000


class RedisCluster(Running):
    """Nodes 0 … masters-1 hold slots, evenly; the others are one replica each of them, in order.

    start() returns when every node says that all is well and all replicas are in step.
    """

    def __init__(
        self,
        folder: Path,
        masters: int = 3,
        replicas: int = 3,
        *options: str,
        tls: TlsFiles | None = None,
        executable: str | None = None,
    ) -> None:
        own = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        more: dict[str, Any] = {} if executable is None else {"executable": executable}
        if tls is not None:
            own += ("--tls-cluster", "yes", "--tls-replication", "yes")
        self.masters = masters
        self._bus_ports = [free_port() for _ in range(masters + replicas)]
        self.nodes = [
            RedisServer(
                folder / f"node{index}",
                *own,
                *("--cluster-port", str(bus_port)),
                *("--cluster-replica-validity-factor", "0"),
                *FAST_SYNC,
                *options,
                tls=tls,
                **more,
            )
            for index, bus_port in enumerate(self._bus_ports)
        ]
        self._ids: list[str] = []

    @property
    def url(self) -> str:
        first = self.nodes[0]
        scheme = "redis" if first.tls is None else "rediss"
        return f"{scheme}+cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in self.nodes)

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self._ids = [node.call("CLUSTER", "MYID").decode() for node in self.nodes]
        for index, node in enumerate(self.nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for index in range(self.masters):
            first, last = self._share(index)
            self.nodes[index].call("CLUSTER", "ADDSLOTSRANGE", first, last)
        self._meet()
        for index in range(self.masters, len(self.nodes)):
            self._replicate(index, self._ids[(index - self.masters) % self.masters])
        self.wait_until_well()

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def kill(self, index: int) -> None:
        self.nodes[index].kill()

    def restart(self, index: int) -> None:
        """The node comes back; as a replica where another took over its slots."""
        node = self.nodes[index]
        node.start()
        wait_until(lambda: self._is_well(node) and self._is_believed(node), what="the node")

    def wait_until_well(self) -> float:
        """Of the nodes that run: each sees a whole cluster and knows who is a replica of whom,
        and each replica is in step."""
        running = [node for node in self.nodes if node.is_running]

        def done() -> bool:
            return all(map(self._is_well, running)) and _agree_on_roles(running)

        return wait_until(done, 30, "the cluster")

    def is_usable(self) -> bool:
        """Whether every running node says that all slots are served."""
        running = [node for node in self.nodes if node.is_running]
        return all(_cluster_info(node)["cluster_state"] == "ok" for node in running)

    def failover(self, replica: int, how: str = "") -> None:
        """The replica becomes the master, live; `how`: FORCE or TAKEOVER."""
        if not how:
            wait_until(lambda: is_in_sync(self.nodes[replica]), what="the replica")
        asked = 0.0

        def done() -> bool:
            nonlocal asked
            if self.is_master(replica):
                return True
            if time.monotonic() > asked + 6:  # a try ends after 5 s
                asked = time.monotonic()
                self.nodes[replica].call("CLUSTER", "FAILOVER", *([how] if how else []))
            return False

        wait_until(done, 30, what="the failover")

    def empty(self, replica: int) -> None:
        """The replica becomes a master that holds no slots yet, and that all know."""
        node = self.nodes[replica]
        node.call("CLUSTER", "RESET", "SOFT")
        node.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self._bus_ports[0])

        def done() -> bool:
            known = all(self._knows_all(each) for each in self.nodes)
            return known and self._is_well(node) and self._is_believed(node)

        wait_until(done, 30, what="a master without slots")

    def is_master(self, index: int) -> bool:
        return bool(self.nodes[index].info("replication")["role"] == "master")

    def owner_of(self, slot: int) -> int:
        """The node that says that it holds the slot."""
        for index, node in enumerate(self.nodes):
            if node.is_running and self.is_master(index) and slot in self.slots_of(index):
                return index
        raise AssertionError(f"slot {slot} has no owner")

    def slot_of(self, key: str | bytes) -> int:
        return int(self.nodes[0].call("CLUSTER", "KEYSLOT", key))

    def migrate_slots(self, count: int, source: int, target: int) -> int:
        """Moves that many slots with their keys while both serve; how many keys moved."""
        moved = 0
        for slot in sorted(self.slots_of(source))[:count]:
            self.begin_migration(slot, source, target)
            moved += self.migrate_keys(slot, source, target)
            self.end_migration(slot, source, target)
        return moved

    def begin_migration(self, slot: int, source: int, target: int) -> None:
        """From here to end_migration() the source answers ASK for what it lacks."""
        self.nodes[target].call("CLUSTER", "SETSLOT", slot, "IMPORTING", self._ids[source])
        self.nodes[source].call("CLUSTER", "SETSLOT", slot, "MIGRATING", self._ids[target])

    def migrate_keys(self, slot: int, source: int, target: int, most: int = SLOTS) -> int:
        moved = 0
        with self.nodes[source].client() as connection:
            while moved < most:
                share = min(100, most - moved)
                keys = connection.execute_command("CLUSTER", "GETKEYSINSLOT", slot, share)
                if not keys:
                    break
                to = ("127.0.0.1", self.nodes[target].port, "", 0, 5000)
                connection.execute_command("MIGRATE", *to, "REPLACE", "KEYS", *keys)
                moved += len(keys)
        return moved

    def end_migration(self, slot: int, source: int, target: int) -> None:
        for index in (target, source):
            self.nodes[index].call("CLUSTER", "SETSLOT", slot, "NODE", self._ids[target])

    def run_everywhere(self, *command: str | int) -> None:
        for node in self.nodes:
            if node.is_running:
                node.call(*command)

    def total(self, section: str, name: str) -> int:
        """The sum of one figure of INFO over the running nodes."""
        return sum(int(node.info(section)[name]) for node in self.nodes if node.is_running)

    def errors_told(self) -> Counter[str]:
        """How often the running nodes answered with each kind of error, redirections too."""
        found: Counter[str] = Counter()
        for node in self.nodes:
            if node.is_running:
                for name, figures in node.info("errorstats").items():
                    found[name.removeprefix("errorstat_")] += int(figures["count"])
        return found

    def _share(self, index: int) -> tuple[int, int]:
        return SLOTS * index // self.masters, SLOTS * (index + 1) // self.masters - 1

    def _meet(self) -> None:
        first = self.nodes[0]
        for node, port in zip(self.nodes[1:], self._bus_ports[1:], strict=True):
            first.call("CLUSTER", "MEET", "127.0.0.1", node.port, port)
        wait_until(lambda: all(self._knows_all(node) for node in self.nodes), what="the meeting")

    def _knows_all(self, node: RedisServer) -> bool:
        return int(_cluster_info(node)["cluster_known_nodes"]) == len(self.nodes)

    def _replicate(self, index: int, master: str) -> None:
        def done() -> bool:
            try:
                self.nodes[index].call("CLUSTER", "REPLICATE", master)
            except redis.ResponseError:  # the master's slots are not known there yet
                return False
            return True

        wait_until(done, what="CLUSTER REPLICATE")

    def _is_well(self, node: RedisServer) -> bool:
        state = _cluster_info(node)
        if state["cluster_state"] != "ok" or int(state["cluster_slots_ok"]) != SLOTS:
            return False
        return node.info("replication")["role"] == "master" or is_in_sync(node)

    def _is_believed(self, node: RedisServer) -> bool:
        """Whether the others take the node for what it takes itself for."""
        role = node.info("replication")["role"].encode()
        other = next(n for n in self.nodes if n is not node and n.is_running)
        lines = other.call("CLUSTER", "NODES").splitlines()
        line = next(line for line in lines if f":{node.port}@".encode() in line)
        return role in line.split()[2].split(b",") and b"fail" not in line.split()[2]

    def slots_of(self, index: int) -> set[int]:
        node = self.nodes[index]
        lines = node.call("CLUSTER", "NODES").decode().splitlines()
        mine = next(line for line in lines if "myself" in line)
        return set(_slots(mine.split()[8:]))


def _slots(ranges: Iterable[str]) -> Iterable[int]:
    for text in ranges:
        if not text.startswith("["):  # one on the move
            first, _, last = text.partition("-")
            yield from range(int(first), int(last or first) + 1)


def _agree_on_roles(running: list[RedisServer]) -> bool:
    """Whether each of them takes each for a master, or for a replica of the same master.

    News of a replica takes a turn of gossip. Until then doctors miss it, and masters
    give it no vote, after which it waits for four node timeouts before it asks again.
    """
    ports = {str(node.port) for node in running}
    seen = []
    for node in running:
        masters = {}
        for line in node.call("CLUSTER", "NODES").decode().splitlines():
            ident, where, flags, master, *_ = line.split()
            if where.rpartition("@")[0].rpartition(":")[2] in ports:
                masters[ident] = (master, "master" in flags.split(","))
        seen.append(masters)
    return len(seen[0]) == len(running) and all(masters == seen[0] for masters in seen)


def _cluster_info(node: RedisServer) -> dict[str, str]:
    lines = node.call("CLUSTER", "INFO").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)
