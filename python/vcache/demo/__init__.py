"""The main job, end to end: real text embedded, cached in two tiers and searched.

`python -m vcache demo` runs it. `run.py` tells the story; every other file is one of its parts.
"""
