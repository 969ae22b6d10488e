"""A process on a terminal of its own, of which a test reads the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyte
from running import Child


class OnTerminal(Child):
    """What a process draws on a terminal of so many columns and lines."""

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        columns: int = 80,
        lines: int = 24,
    ) -> None:
        self._command, self._environment, self._folder = command, environment, folder
        self._size = (lines, columns)
        self.raw = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)

    def start(self) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *self._size, 0, 0))
        self.before = termios.tcgetattr(slave)
        ends: dict[str, Any] = {"stdin": slave, "stdout": slave, "stderr": slave}
        # Another group and session, whose terminal this is: Ctrl-C reaches it.
        self.spawn(
            self._command,
            env=self._environment | {"TERM": "xterm-256color"},
            cwd=self._folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            **ends,
        )
        self._slave = slave

    def stop(self) -> None:
        super().stop()
        os.close(self._master)
        os.close(self._slave)

    @property
    def settings(self) -> Any:
        """Of the terminal, as termios has them."""
        return termios.tcgetattr(self._slave)

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def lines(self) -> list[str]:
        """What the screen shows."""
        return [line.rstrip() for line in self._screen.display]

    def read_until(self, condition: Callable[[list[str]], object], seconds: float = 60) -> None:
        """Reads what is drawn until the screen is as wanted. Fails after so long."""
        until = time.monotonic() + seconds
        while not condition(self.lines()):
            assert time.monotonic() < until, "\n".join(self.lines())
            self._read(0.05)

    def read_to_end(self, seconds: float = 60) -> int:
        """Reads until the process has ended; its exit status."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, "\n".join(self.lines())
            self._read(0.05)
        while self._read(0.05):
            pass
        return int(self.process.returncode)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        data = os.read(self._master, 1 << 16)
        self.raw += data
        self._stream.feed(data)
        return bool(data)
