from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import vcache

SOURCES = Path(vcache.__file__).parent


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_public_names_are_those_listed() -> None:
    assert sorted(vcache.__all__, key=str.casefold) == sorted(
        [
            "MISSING",
            "Cache",
            "CostReport",
            "EmbeddingCache",
            "Health",
            "Lookup",
            "RedisOptions",
            "Stats",
            "current",
            "errors",
            "get_cache",
        ],
        key=str.casefold,
    )
    for name in vcache.__all__:
        getattr(vcache, name)
    assert set(dir(vcache)) == {*vcache.__all__, "__version__"}
    for name in ("VCache", "VCacheConfig", "VCachePolicy"):
        with pytest.raises(AttributeError):
            getattr(vcache, name)


def test_every_module_says_what_it_is() -> None:
    for path in SOURCES.glob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path


def test_import_is_light() -> None:
    """In a process of its own: what it loads, and its time next to that of importing numpy."""
    out = run(
        """
import sys, threading, time, socket
opened = []
class Noted(socket.socket):
    def __init__(self, *args, **named):
        opened.append(args)
        super().__init__(*args, **named)
socket.socket = Noted
started = time.perf_counter()
import numpy
numpy_seconds = time.perf_counter() - started
started = time.perf_counter()
import vcache
seconds = time.perf_counter() - started
heavy = {"torch", "asyncio", "pydantic", "pydantic_settings", "fastapi", "redis"}
heavy |= {"importlib.metadata", "email", "vcache.costs", "vcache._similar_records"}
heavy &= set(sys.modules)
print(sorted(heavy), threading.active_count(), len(opened), seconds < 0.15 + numpy_seconds)
"""
    )
    assert out == "[] 1 0 True"


def test_a_cache_in_memory_starts_no_thread() -> None:
    out = run(
        "import threading, asyncio, vcache\n"
        "c = vcache.Cache()\n"
        "c.set('k', 1); c.get_or_set('j', lambda: 2); c.healthy()\n"
        "print(threading.active_count())"
    )
    assert out == "1"


def test_a_missing_core_says_how_to_build_it(tmp_path: Path) -> None:
    package = tmp_path / "vcache"
    package.mkdir()
    (package / "__init__.py").write_bytes((SOURCES / "__init__.py").read_bytes())
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import vcache"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "build it with `pip install .`" in result.stderr


def test_lazy_names_are_what_their_modules_define() -> None:
    for name, module in vcache._LAZY.items():
        value = getattr(vcache, name)
        assert not isinstance(value, ModuleType)
        assert value is getattr(sys.modules[f"vcache{module}"], name)
