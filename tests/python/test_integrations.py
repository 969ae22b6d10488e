"""Hosts are imported by their own module only, and one that is missing is named with its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

HOSTS = {
    "langchain": ("langchain_core", "langchain-core", "langchain"),
    "langgraph": ("langgraph", "langgraph-checkpoint", "langchain"),
    "llamaindex": ("llama_index", "llama-index-core", "llamaindex"),
}
OF_ALL = ("langchain_core", "langgraph", "llama_index", "redisvl", "redis")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_host_is_imported_before_it_is_asked_for() -> None:
    code = f"""
import sys, vcache, vcache.integrations
from vcache import EmbeddingCache
print([name for name in {OF_ALL!r} if name in sys.modules])
"""
    assert run(code) == "[]\n"


@pytest.mark.parametrize("module", HOSTS)
def test_a_missing_host_is_named_with_its_extra(module: str) -> None:
    host, package, extra = HOSTS[module]
    code = f"""
import sys
sys.modules[{host!r}] = None
try:
    import vcache.integrations.{module}
except ImportError as error:
    print(error)
"""
    said = run(code)
    assert f"vcache.integrations.{module} needs {package}" in said
    assert f"pip install 'vcache[{extra}]'" in said


def test_redisvl_is_not_needed() -> None:
    code = """
import sys
sys.modules["redisvl"] = sys.modules["redis"] = None
from vcache import Cache
from vcache.integrations.redisvl import EmbeddingsCache
cache = EmbeddingsCache(cache=Cache())
key = cache.set("text", "m", [0.1, 0.2])
print(cache.get("text", "m")["embedding"], cache.get_by_key(key)["content"])
"""
    assert run(code) == "[0.1, 0.2] text\n"
