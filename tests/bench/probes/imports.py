"""Prints what `import vcache` adds once numpy is loaded: seconds, threads, torch or not."""

import json
import sys
import time
from pathlib import Path

import numpy as np  # noqa: F401

TASKS = Path("/proc/self/task")

threads = len(list(TASKS.iterdir()))
start = time.perf_counter()
import vcache  # noqa: E402, F401

found = {
    "seconds": time.perf_counter() - start,
    "threads": len(list(TASKS.iterdir())) - threads,
    "torch": "torch" in sys.modules,
}
sys.stdout.write(json.dumps(found))
