# %% [markdown]
# # Which policy, and how much memory
#
# What would another eviction policy, or another size, have done with the look-ups of your own log?
# `vcache.sim` replays them through the very classes that evict in a live cache, without any values,
# and so in less than a microsecond each. At the end the prediction is checked against a live cache.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import traffic

from vcache import analysis, sim

pd.set_option("display.precision", 3)

# %%
folder = TemporaryDirectory(prefix="vcache-notebook-")
path = Path(folder.name) / "access_patterns.jsonl"
requests = traffic.one_day()
stats = traffic.replayed(requests, path, memory="256MiB", memory_ttl=None, ttl=None)

# %% [markdown]
# ## The log as a trace
#
# A miss does not say how large the value is, or what it cost. Both are taken from the hits of the same
# key; the size of what was asked for only once is the mean. A log of a cache that hits little knows
# few sizes: that of a large cache, as here, or of Redis behind a small one, knows more.

# %%
trace = analysis.trace(path)
print(
    f"{trace.requests:,} look-ups of {trace.objects:,} objects, {trace.footprint / 2**20:.0f} MiB"
)

# %% [markdown]
# ## Every policy at some sizes
#
# `belady` knows the future: the gap to it is what is left to gain. `learned` follows the best of the
# classic policies and of a model, here the shipped one.

# %%
policies = ["lru", "lfu", "s3fifo", "wtinylfu", "gdsf", "learned", "belady"]
found = analysis.what_if(trace, policies, ["0.3%", "3%", "10%", "30%"], learns=False)
misses = analysis.frame(found).pivot(index="policy", columns="capacity", values="miss_ratio")
misses.columns = [f"{capacity / 2**20:.1f} MiB" for capacity in misses.columns]
misses.loc[policies]

# %%
axes = analysis.plot_what_if(found[found["policy"] != "lfu"])
# %% [markdown]
# Fewest misses are not least cost: a small dear answer and a large cheap vector count alike above.
# This is the share of the cost that each policy would have saved:

# %%
rows = analysis.frame(found)
rows["saved"] = rows["cost_saved"] / rows["cost_requested"]
saved = rows.pivot(index="policy", columns="capacity", values="saved")
saved.columns = misses.columns
saved.loc[policies]

# %% [markdown]
# `gdsf` keeps what is dear for its bytes: where memory is shortest it saves more than the other classic
# policies, though all of them miss less. With room enough that no longer helps.

# %%
smallest = found[found["capacity"] == found["capacity"].min()]
by_policy = {row["policy"]: row for row in smallest}
classic = [by_policy[name] for name in ("lru", "lfu", "s3fifo", "wtinylfu")]
assert by_policy["gdsf"]["cost_saved"] > max(row["cost_saved"] for row in classic)
assert by_policy["belady"]["miss_ratio"] < min(row["miss_ratio"] for row in classic)

# %% [markdown]
# ## The smallest size that is enough
#
# `recommend_size()` gives the smallest size with at most 5 % more misses than the largest has; `within`
# is how much worse it may be.

# %%
advice = {within: analysis.recommend_size(trace, "s3fifo", within=within) for within in (0.05, 0.2)}
pd.DataFrame(
    {
        "size": [f"{each.size / 2**20:.1f} MiB" for each in advice.values()],
        "miss ratio": [each.miss_ratio for each in advice.values()],
        "least of all sizes": [each.best_miss_ratio for each in advice.values()],
    },
    index=[f"within {within:.0%}" for within in advice],
)

# %% [markdown]
# ## Held against a live cache
#
# The budget of a live cache covers its own bookkeeping too, and it evicts in eight shards. This is the
# day once more, through live caches of the size that was recommended:

# %%
size = advice[0.2].size
compared = []
for policy in ("lru", "s3fifo"):
    live = traffic.replayed(requests, memory=size, memory_ttl=None, ttl=None, policy=policy)
    simulated = sim.replay(trace, policy, size, unit="bytes")
    compared.append((policy, simulated.miss_ratio, 1 - live.hit_rate))
pd.DataFrame(compared, columns=["policy", "predicted misses", "live misses"])

# %%
for policy, predicted, measured in compared:
    assert abs(predicted - measured) < 0.03, policy
folder.cleanup()
