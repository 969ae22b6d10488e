"""PEP 517 hooks of scikit-build-core, with torch among the build requirements.

VCACHE_TORCH=0 builds without `vcache._torch`; CMake reads the same variable through pyproject.toml.
"""

from __future__ import annotations

import os

from scikit_build_core import build as _build
from scikit_build_core.build import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_TORCH = "torch==2.13.0"
_OFF = {"", "0", "off", "false", "no"}

# The build runs pip for the hiredis source. That pip must not take the path of this backend, left
# in the environment under a name that differs by version, for the path of that source's backend.
for _name in [name for name in os.environ if "BACKEND_PATH" in name]:
    del os.environ[_name]

Settings = dict[str, "str | list[str]"]


def _torch_requirement() -> list[str]:
    return [] if os.environ.get("VCACHE_TORCH", "1").lower() in _OFF else [_TORCH]


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    return [*_build.get_requires_for_build_wheel(config_settings), *_torch_requirement()]


def get_requires_for_build_editable(config_settings: Settings | None = None) -> list[str]:
    return [*_build.get_requires_for_build_editable(config_settings), *_torch_requirement()]
