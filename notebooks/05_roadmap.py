# %% [markdown]
# # A roadmap, measured step by step
#
# One day of one service, replayed through a live cache with a real redis-server, over and over: each
# time with one more means switched on. `roadmap.py` beside this notebook makes the requests and sends
# them. Every replay begins with both tiers empty, and computes what it lacks.
#
# Three kinds of requests: the embeddings of eight passages at once, which overlap with those of other
# requests; results of searches and answers of a re-ranking model; and sessions. At night a job reads
# 8,000 passages once.

# %%
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import roadmap
import traffic
from matplotlib import pyplot
from roadmap import Phase

from vcache import analysis
from vcache.options import AdaptiveTTL, SmallOrHot

pd.set_option("display.precision", 3)

# %%
requests = roadmap.requests_of(traffic.one_day(30_000))
day_before = roadmap.requests_of(traffic.one_day(30_000, seed=8), seed=4)
asked = sum(len(request.numbers) for request in requests)
print(f"{len(requests):,} requests for {asked:,} objects")

# %% [markdown]
# ## The start, and how much memory is enough
#
# A memory tier of 1 MiB, which keeps values for an hour, with the policy of most caches; each request
# cached as a whole, nothing compressed. Its access log says which size would have been enough: here the smallest with at most a
# third more misses than the best of all sizes has.

# %%
folder = TemporaryDirectory(prefix="vcache-notebook-")
path = Path(folder.name) / "access_patterns.jsonl"
settings = {
    "memory": "1MiB",
    "policy": "lru",
    "memory_ttl": "1h",
    "ttl": "30d",
    "compression": "none",
    "promotion_threshold": 1,
}
with traffic.redis() as url:
    start = roadmap.replayed(requests, Phase("start", settings), url, path)
advice = analysis.recommend_size(path, "lru", within=1 / 3)
print(f"{advice.size / 2**20:.1f} MiB")

# %% [markdown]
# ## The phases
#
# Each keeps what the ones before it changed.
#
# * **size**: the memory that the log recommends.
# * **warming**: before the first request the cache has the 2,000 keys that were asked for most on the
#   day before.
# * **adaptive TTL**: in memory a value stays by how often it is read: half an hour before it is, 24 hours
#   with more than 2 reads a day, and else an hour, as everything did before.
# * **promotion**: what is found in Redis enters memory with its second hit there, not with its first.
# * **decomposition**: each passage is cached by itself, and not the eight of a request together, so that
#   requests share them; those that are missing are computed in one call.
# * **compression**: objects over 1 KiB are compressed in Redis, and vectors are stored there as float16.
# * **admission**: only values of up to 2 KiB enter memory, larger ones with their second hit in Redis.

# %%
by_use = AdaptiveTTL(
    memory_ttl="1h", hot_memory_ttl="24h", cold_memory_ttl="30m", hot_hits=2, cold_hits=1
)
steps = [
    ("size", {"memory": advice.size}),
    ("warming", {}),
    ("adaptive TTL", {"adaptive_ttl": by_use}),
    ("promotion", {"promotion_threshold": 2}),
    ("decomposition", {}),
    ("compression", {"compression": "auto", "storage_dtype": "float16"}),
    ("admission", {"admit": SmallOrHot(bytes="2KiB", hits=1)}),
]
measured = [start]
with traffic.redis() as url:
    warmed, is_decomposed = 0, False
    for name, changes in steps:
        settings = settings | changes
        warmed = 2_000 if name == "warming" else warmed
        is_decomposed = is_decomposed or name == "decomposition"
        phase = Phase(name, settings, by_passage=is_decomposed, warmed=warmed)
        measured.append(roadmap.replayed(requests, phase, url, before=day_before))

# %% [markdown]
# ## What each of them did
#
# Shares are of all objects asked for. *Computing* is what the missing ones take, by the price list in
# `roadmap.py`; *cache p50* is the time that the cache took for half of the requests or less, measured
# while other programs ran, so that small differences mean nothing.

# %%
rows = pd.DataFrame(map(asdict, measured)).set_index("phase")
shares = rows[["memory", "redis", "computed"]].div(rows["asked"], axis=0)
table = shares.rename(columns="{} share".format).assign(
    **{
        "computed ahead": rows["ahead"],
        "computing, s": rows["compute_seconds"],
        "cache p50, µs": rows["p50"] * 1e6,
        "memory, MiB": rows["memory_bytes"] / 2**20,
        "Redis, MiB": rows["redis_bytes"] / 2**20,
        "evictions": rows["evictions"],
    }
)
table.T

# %%
figure, (left, middle, right) = pyplot.subplots(
    1, 3, figsize=(10, 3.4), width_ratios=(1.6, 1, 1), sharey=True, layout="constrained"
)
begin = 0.0
for column, color, label in (
    ("memory", "#0072B2", "memory"),
    ("redis", "#E69F00", "Redis"),
    ("computed", "#BBBBBB", "computed"),
):
    bars = left.barh(shares.index, shares[column], left=begin, color=color, label=label)
    texts = [f"{share:.0%}" for share in shares[column]]
    ink = "white" if column == "memory" else "#222222"
    left.bar_label(bars, texts, label_type="center", color=ink)
    begin = begin + shares[column]
left.set_xlim(0, 1)
left.xaxis.set_major_formatter("{x:.0%}")
left.set_xlabel("share of objects")
left.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
left.invert_yaxis()
for axes, column, title in (
    (middle, "computing, s", "computing (seconds a day)"),
    (right, "Redis, MiB", "Redis (MiB at the end)"),
):
    bars = axes.barh(table.index, table[column], color="#009E73")
    axes.bar_label(bars, [f"{value:,.0f}" for value in table[column]], padding=3)
    axes.margins(x=0.2)
    axes.set_xlabel(title)
for axes in (left, middle, right):
    axes.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## What this says
#
# * **Size** moves hits from Redis to memory; what is computed stays the same, since Redis had it.
# * **Warming** spares requests what the day before knew; in all more is computed, since not all of it is
#   asked for.
# * **Adaptive TTL** keeps what is read, for longer than all could be kept.
# * **Promotion** costs a few hits in memory for fewer evictions: worth its while where memory churns.
# * **Decomposition** is the one step that saves computing: half of the requests differ from all others
#   as a whole, and few of their passages do.
# * **Compression** changes no rate, and Redis holds the same in well under half of the bytes.
# * **Admission** gives the room of large values that are asked for once to small ones: more hits in
#   memory from the same bytes.

# %%
memory, computed = shares["memory"], shares["computed"]
assert memory["size"] > memory["start"] + 0.03
assert abs(computed["size"] - computed["start"]) < 0.01
assert computed["warming"] < computed["size"] - 0.03
assert memory["adaptive TTL"] > memory["warming"] + 0.01
assert rows["evictions"]["promotion"] < rows["evictions"]["adaptive TTL"]
assert abs(memory["promotion"] - memory["adaptive TTL"]) < 0.02
assert computed["decomposition"] < 0.6 * computed["promotion"]
assert memory["decomposition"] > memory["promotion"] + 0.1
assert rows["redis_bytes"]["compression"] < 0.45 * rows["redis_bytes"]["decomposition"]
assert abs(computed["compression"] - computed["decomposition"]) < 0.01
assert memory["admission"] > memory["compression"] + 0.01
assert rows["memory_bytes"].iloc[1:].max() <= advice.size
folder.cleanup()
