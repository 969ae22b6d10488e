"""R14 in network namespaces of its own: a link that goes down says nothing, not even a reset."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from redis_server import is_installed

# In namespaces of this process: ours with 10.77.0.1, and "far" with the server on 10.77.0.2.
SETUP = """
set -e
mount -t tmpfs none /run
ip link set lo up
ip netns add far
ip link add name near type veth peer name away netns far
ip address add 10.77.0.1/24 dev near
ip link set near up
ip -n far address add 10.77.0.2/24 dev away
ip -n far link set away up
ip -n far link set lo up
ip netns exec far redis-server --bind 10.77.0.2 --port 6379 --protected-mode no \
  --save '' --dir "$1" --daemonize no > "$1/log" &
server=$!
trap 'kill -9 $server' EXIT
"$2" -c "$3"
"""

SCRIPT = """
import subprocess, time
from vcache import Cache

def until(condition, seconds=20.0):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "did not come to hold"
        time.sleep(0.01)
    return time.monotonic() - started

def link(state):
    subprocess.run(["ip", "link", "set", "near", state], check=True)

cache = Cache(redis="redis://10.77.0.2:6379", memory=0, timeout=0.2)
until(lambda: cache.healthy().redis)
cache.set("k", 1)
assert cache.get("k") == 1
link("down")
started = time.monotonic()
assert cache.get("k") is None
taken = time.monotonic() - started
assert taken < 0.5, taken
for _ in range(2000):
    cache.get("k")
redis = cache.stats().redis
assert redis["errors"]["timeout"] + redis["errors"].get("connect", 0) < 50, redis
assert redis["breaker"] != "closed", redis
link("up")
hits = cache.stats().redis_hits
assert until(lambda: cache.get("k") == 1) < 5
assert cache.stats().redis_hits > hits
cache.close()
print("recovered")
"""

NAMESPACES = ["unshare", "--net", "--mount", "--"]


def has_namespaces() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip") and is_installed()):
        return False
    check = (
        "mount -t tmpfs none /run && ip netns add x && ip link add name v0 type veth peer name v1"
    )
    done = subprocess.run([*NAMESPACES, "sh", "-c", check], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not has_namespaces(), reason="may not make network namespaces here")
def test_r14_a_link_that_goes_down(tmp_path: Path) -> None:
    """The call under way keeps its deadline, later ones are spared, and hits come back."""
    done = subprocess.run(
        [*NAMESPACES, "sh", "-c", SETUP, "sh", str(tmp_path), sys.executable, SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "recovered"
