"""What runs beside a test for a while, and ends with it."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self


class Running(ABC):
    """Started by start(), ended by stop(); in a `with` statement for the length of its block."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Child(Running):
    """A process of a test's own. stop() ends it at once, as a crash would."""

    _process: subprocess.Popen[Any] | None = None

    @property
    def process(self) -> subprocess.Popen[Any]:
        assert self._process is not None, "was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self, command: Sequence[str], **arguments: Any) -> None:
        """Starts the command, with the arguments of Popen."""
        assert not self.is_running
        self._process = subprocess.Popen(command, **arguments)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Talking(Child):
    """A child that answers each line with a line."""

    def spawn(self, command: Sequence[str], **arguments: Any) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        super().spawn(command, **(pipes | arguments))

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line, without its end."""
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline()
        return line.removesuffix("\n")
