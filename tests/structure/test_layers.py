"""The includes of cpp/ follow the arrows of the architecture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CPP = Path(__file__).resolve().parents[2] / "cpp"
SOURCES = sorted(path for path in CPP.rglob("*") if path.suffix in {".cpp", ".hpp"})

ALLOWED = {
    "base": set(),
    "metrics": {"base"},
    "predictor": {"base", "metrics"},
    "l1": {"base", "metrics", "predictor"},
    "l2": {"base", "metrics"},
    "cache": {"base", "metrics", "predictor", "l1", "l2"},
    "sim": {"base", "l1", "predictor"},
    "similar": {"base"},
    "bindings": {"base", "metrics", "predictor", "l1", "l2", "cache", "sim", "similar"},
}
NARROWED = {("sim", "l1"): "l1/policy/"}  # of a room, what begins so
OWN = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
FOREIGN = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.MULTILINE)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
PYTHON = re.compile(r"^(pybind11/|numpy/|Python\.h)")


def wrong_own_includes(room: str, text: str) -> list[str]:
    """Includes of our own files that `room` may not make."""
    rooms = ALLOWED[room] | {room}

    def is_wrong(name: str) -> bool:
        other = name.split("/")[0]
        return other not in rooms or not name.startswith(NARROWED.get((room, other), ""))

    return [name for name in OWN.findall(text) if is_wrong(name)]


def wrong_foreign_includes(folder: str, text: str) -> list[str]:
    """Includes of LibTorch or Python that `folder` (relative to cpp/) may not make."""
    in_torch = folder.startswith("predictor/torch")
    python = in_torch or folder.startswith("bindings")
    return [
        name
        for name in FOREIGN.findall(text)
        if (TORCH.match(name) and not in_torch) or (PYTHON.match(name) and not python)
    ]


def relative(path: Path) -> str:
    return path.relative_to(CPP).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_includes(path: Path) -> None:
    text, folder = path.read_text(encoding="utf-8"), relative(path)
    assert wrong_own_includes(folder.split("/")[0], text) == []
    assert wrong_foreign_includes(folder, text) == []


def test_torch_does_not_reach_into_bindings_or_back() -> None:
    core = [path for path in SOURCES if "predictor/torch" not in relative(path)]
    assert [relative(p) for p in core if '"predictor/torch/' in p.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("l1", '#include "l2/l2.hpp"'),
        ("l2/codec", '#include "l1/entry.hpp"'),
        ("base", '#include "metrics/latency.hpp"'),
        ("cache", '#include "bindings/module.hpp"'),
        ("l1", '#include "shard.hpp"'),
        ("l1", '#include "sim/replay.hpp"'),
        ("sim", '#include "l1/shard.hpp"'),
        ("sim", '#include "cache/tiered_cache.hpp"'),
        ("cache", "#include <pybind11/pybind11.h>"),
        ("predictor", "#include <torch/script.h>"),
        ("bindings", "#  include <ATen/ATen.h>"),
    ],
)
def test_a_wrong_arrow_is_seen(folder: str, line: str) -> None:
    room = folder.split("/", maxsplit=1)[0]
    assert wrong_own_includes(room, line) or wrong_foreign_includes(folder, line)
