"""Responses of any ASGI application out of a cache.

from vcache import Cache
from vcache.http import CacheMiddleware

app = CacheMiddleware(app, Cache(), ttl="5m", include=["/search*"])
"""

from __future__ import annotations

from ._keys import CacheKey, KeyBuilder, by_headers, by_path
from ._middleware import CacheMiddleware

__all__ = ["CacheKey", "CacheMiddleware", "KeyBuilder", "by_headers", "by_path"]
