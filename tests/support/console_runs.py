"""Runs of the commands about live caches, and processes with caches for them to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from running import Talking

# Announces a cache of the arguments given as JSON and calls what each line says of it.
_WORKER = """
import json, os, sys, threading
import vcache

cache = vcache.Cache(**{"announce": True} | json.loads(sys.argv[1]))
sys.stdout.write("ready\\n")
sys.stdout.flush()
for line in sys.stdin:
    name, *arguments = json.loads(line)
    if name == "leave":
        break
    if name == "asked":
        for key in arguments[0]:
            cache.get_or_set(key, lambda: key)
        answer = None
    elif name == "fork":
        answer = os.fork()
        if answer == 0:
            threading.Event().wait(60)
            os._exit(0)
    else:
        answer = getattr(cache, name)(*arguments)
    sys.stdout.write(json.dumps(answer, default=str) + "\\n")
    sys.stdout.flush()
"""


class Worker(Talking):
    """A process with a cache that announces itself."""

    def __init__(self, folder: Path, **arguments: object) -> None:
        self._folder, self._arguments = folder, arguments

    def start(self) -> None:
        command = [sys.executable, "-u", "-c", _WORKER, json.dumps(self._arguments)]
        self.spawn(command, env=environment(self._folder), cwd=self._folder)
        assert self.hear() == "ready"

    def call(self, name: str, *arguments: object) -> Any:
        self.say(json.dumps([name, *arguments]))
        return json.loads(self.hear())


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Of a process that finds caches in `folder` and no Redis but that of `variables`."""
    foreign = ("REDIS_", "CACHE_", "VCACHE_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    return kept | {"XDG_RUNTIME_DIR": str(folder)} | variables


def console(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit status and all that `python -m vcache` printed."""
    done = subprocess.run(
        [sys.executable, "-m", "vcache", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(folder, **variables),
        cwd=folder,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout


def console_json(folder: Path, *arguments: str, **variables: str) -> tuple[int, Any]:
    """The same with --json, read."""
    status, out = console(folder, *arguments, "--json", **variables)
    return status, json.loads(out)
