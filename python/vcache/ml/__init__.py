"""Models of the learned policy."""

from __future__ import annotations

from .._weights import Model, default_model, load_model

__all__ = ["Model", "default_model", "load_model"]
