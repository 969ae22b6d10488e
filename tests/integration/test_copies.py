"""How often a payload is copied in user space, against what cpp/l2/codec/FORMAT.md says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("cc")

PROBE = """
import ctypes, sys
import numpy as np, vcache

copied = ctypes.CDLL(None).vcache_copied_bytes
copied.restype = ctypes.c_longlong
url, call, memory = sys.argv[1:]
vector = np.arange(1 << 20, dtype="f4")
with vcache.Cache(redis=url, memory=0, timeout=10, max_value="8MiB") as other:
    other.set("k", vector)
cache = vcache.Cache(redis=url, memory=memory, timeout=10, connect_timeout=5, max_value="8MiB")
cache.set("small", vector[:8])  # connects
# A change, and a link that comes up, keep what is fetched meanwhile out of memory: one copy more.
while memory != "0" and cache.stats().redis["coherence"] != "tracking":
    pass

def measure(call):
    before = copied()
    result = call()
    return round((copied() - before) / vector.nbytes, 2), result

if call == "control":
    target = np.empty_like(vector)
    addresses = target.ctypes.data, vector.ctypes.data
    copies, _ = measure(lambda: ctypes.memmove(*addresses, vector.nbytes))
elif call == "set":
    copies, _ = measure(lambda: cache.set("k", vector))
elif call == "get from memory":
    cache.set("k", vector)
    copies, out = measure(lambda: cache.get("k"))
    assert cache.stats().memory_hits == 1
else:
    if call == "get":
        copies, out = measure(lambda: cache.get("k"))
    else:
        matrix = np.zeros((1, vector.size), "f4")
        copies, (out, found) = measure(lambda: cache.get_vectors(["k"], out=matrix))
        out = out[0]
    assert cache.stats().redis_hits == 1 and np.array_equal(out, vector)
assert cache.stats().errors == cache.stats().skipped == 0
print(copies)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that counts."""
    if COMPILER is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "copies.so"
    source = ROOT / "tests" / "support" / "copies.c"
    flags = ["-O2", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-fPIC", "-shared"]
    subprocess.run([COMPILER, *flags, "-o", str(library), str(source)], check=True)
    return library


@pytest.mark.parametrize(
    ("call", "memory", "copies"),
    [
        ("set", "0", 0),
        ("set", "256MiB", 1),
        ("get", "0", 1),
        ("get", "256MiB", 1),
        ("get_vectors", "0", 1),
        ("get from memory", "256MiB", 0),
    ],
)
def test_copies_of_a_payload(
    redis_server: RedisServer, shim: Path, call: str, memory: str, copies: int
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, redis_server.unix_url, call, memory],
        env=os.environ | {"LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) == pytest.approx(copies, abs=0.05)


def test_the_shim_sees_a_copy(redis_server: RedisServer, shim: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, redis_server.unix_url, "control", "0"],
        env=os.environ | {"LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert float(result.stdout) == 1


def test_the_format_states_these_numbers() -> None:
    text = (ROOT / "cpp" / "l2" / "codec" / "FORMAT.md").read_text(encoding="utf-8")
    assert "| store | of a value without flags 0: " in text
    assert "| fetch | 1: " in text
