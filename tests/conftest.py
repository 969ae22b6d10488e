from __future__ import annotations

from hypothesis import settings
from nightly import examples

settings.register_profile("vcache", deadline=None, max_examples=examples(100))
settings.load_profile("vcache")
