"""FORMAT.md lets a stranger read a vector: its commands are run as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from redis_server import RedisServer

from vcache import Cache

FORMAT = Path(__file__).resolve().parents[2] / "cpp" / "l2" / "codec" / "FORMAT.md"


def printed_commands(server: RedisServer) -> str:
    block = re.search(r"```sh\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    assert block is not None
    commands = block.group(1).replace("redis-cli", f"redis-cli -p {server.port}")
    return commands.replace("python3", sys.executable)


def test_the_printed_commands_read_a_vector(redis_server: RedisServer, tmp_path: Path) -> None:
    vector = np.array([1.0, -0.5, 0.0, 3.25], dtype=np.float32)
    with Cache(redis=redis_server.url) as cache:
        cache.set("emb:small:0", vector)
    commands = printed_commands(redis_server)
    shown = subprocess.run(["/bin/sh", "-ec", commands], check=True, cwd=tmp_path,
                           capture_output=True, text=True)  # fmt: skip
    assert [float(word) for word in shown.stdout.strip("[] \n").split()] == pytest.approx(vector)
