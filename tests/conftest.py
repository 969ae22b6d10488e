from __future__ import annotations

import signal

from hypothesis import settings
from nightly import examples

settings.register_profile("vcache", deadline=None, max_examples=examples(100))
settings.load_profile("vcache")

# What a shell starts in the background ignores Ctrl-C, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
