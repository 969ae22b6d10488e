"""Scripts in an interpreter of their own."""

from __future__ import annotations

import subprocess
import sys


def run_alone(script: str, *arguments: str) -> str:
    """What the script wrote to its output. Fails where it ended in another way than exit code 0."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
    return done.stdout.strip()
