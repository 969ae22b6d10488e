# %% [markdown]
# # Where a cache answers, and where it does not
#
# A service looks things up in a vcache of two tiers: its own memory, and Redis. This notebook reads
# the access log of one day and says which tier answered, for which group of keys, and when.
#
# The day is made up by `traffic.py` beside this notebook, and sent through a live `Cache` with a real
# redis-server; the cache's clock is told the time, so that the day takes seconds. On a service of
# your own, give `Cache(access_log="access_patterns.jsonl")` and begin at *Reading the log*.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import traffic

from vcache import analysis

pd.set_option("display.precision", 3)

# %%
folder = TemporaryDirectory(prefix="vcache-notebook-")
path = Path(folder.name) / "access_patterns.jsonl"
requests = traffic.one_day()
with traffic.redis() as url:
    stats = traffic.replayed(
        requests, path, memory="8MiB", memory_ttl="1h", ttl="30d", redis=url, policy="s3fifo"
    )

# %% [markdown]
# ## Reading the log
#
# `accesses()` gives the look-ups as a structured NumPy array, `frame()` as a DataFrame. Both take the
# path (older files of the log, `PATH.1` and so on, are read too), a live cache, or such an array.

# %%
log = analysis.accesses(path)
analysis.frame(log).head()

# %%
assert len(log) == stats.requests == len(requests)
assert stats.access_log == {"recorded": len(requests), "dropped": 0, "errors": 0}

# %% [markdown]
# ## By tier and by group
#
# A key's group is what is before its first `:`. Sessions live for minutes, and so entirely in memory;
# half of the embeddings are misses, which the next picture explains.

# %%
analysis.frame(analysis.hit_rates(log, by="group"))

# %%
axes = analysis.plot_groups(log)
# %% [markdown]
# ## Over time
#
# The first hours are those of an empty cache. From two o'clock on a job reads 8,000 documents that
# nobody asks for again: nothing of that can hit. The share that only Redis answers grows through the
# day, as more is known than 8 MiB hold for an hour.

# %%
axes = analysis.plot_hit_rates(log, window="30m")
# %%
hours = analysis.hit_rates(log, window="1h")
at_night = hours["hit_rate"][2]
evening = hours["hit_rate"][-4:]
print(f"from 2 to 3 o'clock {at_night:.0%}, from 20 o'clock on {evening.min():.0%} and more")
assert at_night < 0.1
assert evening.min() > 0.7

# %% [markdown]
# The job hides how well the service itself is served. Without the hour of the job:

# %%
is_job = (log["time"] >= traffic.MIDNIGHT + 2 * 3600) & (log["time"] < traffic.MIDNIGHT + 3 * 3600)
analysis.frame(analysis.hit_rates(log[~is_job], by="group"))

# %% [markdown]
# ## How soon keys come again
#
# The reuse distance of a look-up is how many other keys came since the last one of its key. Under LRU
# a cache of *k* entries hits what has a distance below *k*: the curve is the hit rate of every size at
# once. It ends at the share of look-ups that are not the first of their key, which no size can beat.

# %%
distances = analysis.reuse_distances(log)
axes = analysis.plot_reuse(distances)
# %% [markdown]
# A time to live ends what is not asked for soon enough, whatever the size. These shares of the
# repeated look-ups came within a minute, five minutes, an hour and six hours:

# %%
again = analysis.reuse_times(log)
again = again[~np.isnan(again)]
pd.Series({name: np.mean(again <= seconds) for name, seconds in (
    ("1m", 60), ("5m", 300), ("1h", 3_600), ("6h", 21_600)
)}, name="share that came again").to_frame()  # fmt: skip

# %% [markdown]
# ## How large objects are, and how long calls take
#
# The size of an object that was never found is not known: a miss says none.

# %%
analysis.frame(analysis.sizes(log, by="group"))

# %%
axes = analysis.plot_sizes(log)
# %% [markdown]
# Latencies are not in the log; `Cache.stats()` has them. A read from Redis takes tens of times one
# from memory, which is what a larger memory tier would save.

# %%
axes = analysis.plot_latencies(stats)
# %% [markdown]
# ## What this says
#
# * Every rate of the log is that of the cache's own counters.
# * Sessions need no Redis; embeddings and searches need more memory, or a longer `memory_ttl`.
# * What the night job reads should not enter memory: notebook 5 measures that, and notebook 2 how much
#   memory is enough.

# %%
rates = analysis.hit_rates(log)[0]
assert (rates["memory_hits"], rates["redis_hits"]) == (stats.memory_hits, stats.redis_hits)
sessions = analysis.hit_rates(log, by="group")
assert sessions["memory_hit_rate"][sessions["group"] == "session"][0] > 0.7
folder.cleanup()
