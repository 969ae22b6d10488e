"""Scripts in an interpreter of their own."""

from __future__ import annotations

import os
import subprocess
import sys


def run_alone(
    script: str, *arguments: str, timeout: float = 100, quiet: bool = False, **variables: str
) -> str:
    """What the script wrote to its output. Fails where it ended in another way than exit code 0.

    With `quiet` also where it wrote anything to its error output. `variables` are added to the
    environment.
    """
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | variables,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}"
    assert not quiet or done.stderr == "", done.stderr
    return done.stdout.strip()
