"""The end of an interpreter whose daemon threads are inside the core."""

from __future__ import annotations

import pytest
from alone import run_alone

DAEMONS = """
import threading
import numpy as np
import vcache

cache = vcache.Cache(memory="64MiB")
keys = [f"key:{i}" for i in range(2048)]
matrix = np.ones((2048, 64), np.float32)
cache.set_vectors(keys, matrix)
started = threading.Barrier(9)

def work():
    started.wait()
    while True:
        {calls}

for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
started.wait()
cache.get_vectors(keys, dim=64)
print("end")
"""


BATCHES = "cache.get_vectors(keys, dim=64); cache.mget(keys[:64]); cache.set_vectors(keys, matrix)"
# Each calls back into Python: the general path of set(), the hooks of the codec.
OBJECTS = "cache.set('a', {'x': matrix[0]}, ttl='1h'); cache.get('a')"


@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("calls", [BATCHES, OBJECTS])
def test_daemon_threads_do_not_end_the_process(calls: str, attempt: int) -> None:
    assert run_alone(DAEMONS.replace("{calls}", calls)) == "end"
