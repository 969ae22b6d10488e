"""Responses of any ASGI application out of a cache.

from vcache import Cache
from vcache.http import CacheMiddleware

app = CacheMiddleware(app, Cache(), ttl="5m", include=["/search*"])

With FastAPI or Starlette that is also app.add_middleware(CacheMiddleware, cache=Cache(), ttl="5m").
Keys of responses are "http:" and their URL, unless a key builder makes others:

def by_tenant(scope):
    tenant = dict(scope["headers"]).get(b"x-tenant")
    if tenant is None:
        return None  # the application answers alone
    name = f"{tenant.decode()}{scope['path']}"
    return CacheKey(name, covers=["authorization"], tags=[f"tenant:{tenant.decode()}"])
"""

from __future__ import annotations

from ._keys import CacheKey, KeyBuilder, by_headers, by_path
from ._middleware import CacheMiddleware

__all__ = ["CacheKey", "CacheMiddleware", "KeyBuilder", "by_headers", "by_path"]
