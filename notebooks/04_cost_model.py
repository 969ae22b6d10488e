# %% [markdown]
# # What a cache is worth
#
# A hit saves what the miss would have cost: seconds of a model, or money. This notebook says what was
# saved, where, and when; what a larger or smaller cache would save; and from which traffic on a Redis
# of its own pays. Prices are arguments: put in yours.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import traffic
from matplotlib import pyplot

from vcache import CostReport, EmbeddingCache, analysis

pd.set_option("display.precision", 3)

# %%
folder = TemporaryDirectory(prefix="vcache-notebook-")
path = Path(folder.name) / "access_patterns.jsonl"
requests = traffic.one_day()
with traffic.redis() as url:
    stats = traffic.replayed(requests, path, memory="16MiB", memory_ttl="1h", ttl="30d", redis=url)
log = analysis.accesses(path)

# %% [markdown]
# ## Seconds by group
#
# The costs here are the seconds that were given with each `set(…, cost=)`. A miss is not told its cost:
# its line takes that of the hits of the same key, and what was never hit is of unknown cost. It is
# counted as such, and not guessed.

# %%
costs = analysis.costs(log)
analysis.frame(costs)

# %%
axes = analysis.plot_costs(costs, unit="seconds of computing")
# %% [markdown]
# A tenth of the look-ups, those of the re-ranking model, bring half of the saving: what to keep is a
# question of cost as well as of hits (`policy="gdsf"`, or `minimize="cost"` under `"learned"`).

# %%
rerank = costs[costs["group"] == "rerank"]
assert rerank["requests"][0] < 0.1 * costs["requests"].sum()
assert rerank["cost_saved"][0] > 0.4 * costs["cost_saved"].sum()
np.testing.assert_allclose(costs["cost_saved"].sum(), stats.cost_saved, rtol=1e-4)

# %% [markdown]
# ## Hour by hour

# %%
by_hour = analysis.frame(analysis.costs(log, by=None, window="1h")).set_index("time")
figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
hours = by_hour.index.hour
axes.bar(hours, by_hour["cost_saved"], color="#0072B2", label="saved by the cache")
axes.bar(hours, by_hour["cost_spent"], bottom=by_hour["cost_saved"], color="#BBBBBB", label="spent")
axes.set_xlabel("hour of the day (UTC)")
axes.set_ylabel("seconds of computing")
axes.spines[["top", "right"]].set_visible(False)
_ = axes.legend(frameon=False)
# %% [markdown]
# ## How much memory is worth its price
#
# The saving of each size, by replaying the log, less the price of the memory. The prices: 1.20 USD for
# an hour of the machine that computes, 4 USD for a GiB of memory a month.

# %%
MACHINE_HOUR, GIB_MONTH = 1.20, 4.0
sizes = [f"{megabytes}MiB" for megabytes in (1, 2, 4, 8, 16, 32, 64)]
found = analysis.frame(analysis.what_if(log, ["gdsf"], sizes))
month = pd.DataFrame(
    {
        "memory": sizes,
        "hit rate": 1 - found["miss_ratio"],
        "saved, USD a month": found["cost_saved"] * 30 / 3600 * MACHINE_HOUR,
        "memory, USD a month": found["capacity"] / 2**30 * GIB_MONTH,
    }
).set_index("memory")
month["net, USD a month"] = month["saved, USD a month"] - month["memory, USD a month"]
month

# %%
assert month["saved, USD a month"].is_monotonic_increasing
assert month["net, USD a month"].idxmax() != "1MiB"

# %% [markdown]
# ## Embeddings at a price
#
# `EmbeddingCache.report()` counts what it computed and what it did not. Here the questions of the day
# go through one, in batches of 64, at 0.0001 USD an embedding.


# %%
def embed(texts: list[str]) -> np.ndarray:
    return np.ones((len(texts), traffic.DIM), np.float32)


questions = [f"question {number}" for number in requests["number"][requests["group"] == "emb"]]
with traffic.ReplayedCache(memory="64MiB", ttl="30d", memory_ttl=None) as cache:
    embeddings = EmbeddingCache(embed, model="small", cache=cache, cost_per_embedding=0.0001)
    for start in range(0, len(questions), 64):
        embeddings.embed(questions[start : start + 64])
    report = embeddings.report()
print(f"{report.requests:,} texts, {report.computed:,} computed: {report.cost_reduction:.0%} saved")
assert report.computed == len(set(questions))

# %% [markdown]
# A million requests a month, a Redis that costs 15 USD, and 500 USD of work to set it up:

# %%
monthly = report.monthly(1_000_000, redis_cost=15)
print(f"{monthly:.2f} USD a month; set-up is earned back in "
      f"{report.roi_months(500, monthly_saving=monthly):.1f} months")  # fmt: skip
print(f"{report.annual(queries_per_hour=2_000):,.0f} USD a year at 2,000 queries an hour")

# %% [markdown]
# From how many requests a month on is that Redis worth its price? Where the line crosses zero.

# %%
traffic_a_month = np.linspace(0, 2e6, 41)


def net_of(report: CostReport, redis_cost: float) -> np.ndarray:
    return np.array([report.monthly(each, redis_cost) for each in traffic_a_month])


figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
for redis_cost, color in ((0, "#0072B2"), (15, "#E69F00"), (50, "#009E73")):
    label = f"Redis at {redis_cost} USD a month"
    axes.plot(traffic_a_month / 1e6, net_of(report, redis_cost), color=color, label=label)
axes.axhline(0, color="#666666", linewidth=1)
axes.set_xlabel("requests a month (millions)")
axes.set_ylabel("net saving (USD a month)")
axes.spines[["top", "right"]].set_visible(False)
_ = axes.legend(frameon=False)

# %%
break_even = float(np.interp(0, net_of(report, 15), traffic_a_month))
print(f"15 USD are earned from {break_even:,.0f} requests a month on")
assert abs(report.monthly(break_even, 15)) < 0.5
folder.cleanup()
