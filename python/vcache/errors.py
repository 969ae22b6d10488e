"""The exceptions of vcache.

VcacheError
├── ConfigError          (also ValueError)  an option or environment variable is not allowed
├── UnkeyableError       (also TypeError)   an argument cannot be part of a key
├── SerializationError   (also TypeError)   a value cannot be stored
├── RedisError                              Redis failed; raised by `strict=True` caches only
│   └── RedisTimeout                        the deadline of the call passed
├── FactoryTimeout                          a factory took longer than it was given
├── ModelError                              a model file is missing, foreign or broken
└── SnapshotError                           a file is no snapshot, or none that this cache may use
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "FactoryTimeout",
    "ModelError",
    "RedisError",
    "RedisTimeout",
    "SerializationError",
    "SnapshotError",
    "UnkeyableError",
    "VcacheError",
]


class VcacheError(Exception):
    """Base of every exception that vcache defines."""


class ConfigError(VcacheError, ValueError):
    """An option or environment variable is not allowed; names it, its value and what is allowed."""


class UnkeyableError(VcacheError, TypeError):
    """An argument of a cached function cannot be part of a key; names the argument."""


class SerializationError(VcacheError, TypeError):
    """A value cannot be stored; names its type."""


class RedisError(VcacheError):
    """Redis failed. Raised by caches made with `strict=True` only."""


class RedisTimeout(RedisError):
    """Redis did not answer within the deadline of the call."""


class FactoryTimeout(VcacheError):
    """A factory took longer than it was given."""


class ModelError(VcacheError):
    """A model file is missing, foreign or broken."""


class SnapshotError(VcacheError):
    """A file is no snapshot, or none that this cache may use; names the file and says why."""
