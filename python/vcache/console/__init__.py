"""The commands that look at live caches: `stats`, `top`, `explain`, `warm` and `bench`."""
