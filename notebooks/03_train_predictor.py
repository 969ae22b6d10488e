# %% [markdown]
# # A predictor of one's own
#
# Under `policy="learned"` a small network says of an entry how likely it is read again. The shipped
# model was trained on public traces; this notebook trains one on a service's own log, and looks at two
# things: how many requests a cache that follows it misses, and whether its probabilities are true
# (calibration). Training needs PyTorch.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import traffic

from vcache import Cache, analysis, ml

pd.set_option("display.precision", 3)

# %%
folder = TemporaryDirectory(prefix="vcache-notebook-")
path = Path(folder.name) / "access_patterns.jsonl"
stats = traffic.replayed(traffic.one_day(60_000), path, memory="256MiB", memory_ttl=None, ttl=None)
trace = analysis.trace(path)

# %% [markdown]
# ## Training
#
# The log is replayed into caches of some sizes. Entries are drawn at random moments, and what became of
# them (read within a horizon, or not) is what is learned. The newest tenth of the log is left out: all
# figures below are of it alone. `sizes` are shares of the distinct objects.

# %%
sizes = ("3%", "10%", "30%")
trained = ml.train(trace, sizes=sizes, epochs=15, seed=1)
print(f"{trained.examples:,} examples, {trained.model.sha256[:12]}…")

# %% [markdown]
# ## Misses
#
# The shares of the newest requests that each policy missed. `learned` follows the best of all experts,
# of which the model is one; `leader` is the one that it followed at the end.

# %%
shipped = ml.evaluate(None, trace, sizes=sizes, seed=1)
rows = {}
for before, after in zip(shipped.simulated, trained.report.simulated, strict=True):
    rows[after.size] = {
        name: after.miss_ratios[name] for name in ("lru", "s3fifo", "wtinylfu", "belady")
    } | {
        "learned, shipped model": before.miss_ratios["learned"],
        "learned, own model": after.miss_ratios["learned"],
        "leader": after.leader,
    }
pd.DataFrame(rows).T

# %%
for simulated in trained.report.simulated:
    ratios = simulated.miss_ratios
    assert ratios["learned"] <= ratios[simulated.best_classic] + 0.01, simulated

# %% [markdown]
# ## Is it right?
#
# For each horizon, in terms of the mean time that an entry stays in the cache: how often entries were
# read (base rate), how often the model was right, its Brier score (mean squared error; lower is better)
# next to that of always saying the base rate, and its calibration error. The longest horizon has few
# examples whose outcome is known already.

# %%
pd.DataFrame(trained.report.as_dict()["horizons"]).set_index("residences")

# %%
for horizon in trained.report.horizons:
    assert horizon.brier is not None
    assert horizon.base_brier is not None
    assert horizon.calibration_error is not None
    assert horizon.brier < horizon.base_brier
    if horizon.examples >= 500:
        assert horizon.calibration_error < 0.1

# %% [markdown]
# `Cache.predict(key)` says how likely a key is read within the next hour. On the line a probability is
# true: of the keys that are said to have 30 %, 30 % were read. The areas are shares of the predictions,
# the figures in the legend mean distances from the line.

# %%
axes = analysis.plot_reliability(trained.report.predicted)
# %%
hours = pd.DataFrame(trained.report.as_dict()["predicted"]).drop(columns=["bins", "trace"])
hours.set_index("size")

# %%
assert np.all(hours["samples"] > 1_000)
assert np.all(hours["brier"] < hours["base_brier"])
assert np.all(hours["calibration_error"] < 0.1)

# %% [markdown]
# ## Use
#
# A model is a file of 7 KB. A cache takes it only with the digest that is given beside it.

# %%
file = Path(folder.name) / "model.bin"
trained.model.save(file)
with Cache(policy="learned", model_path=file, model_sha256=trained.model.sha256) as cache:
    cache.set("emb:1", np.ones(traffic.DIM, np.float32))
    cache.get("emb:1")
    print(f"P(emb:1 is read within the hour) = {cache.predict('emb:1'):.2f}")
    assert 0 <= cache.predict("emb:1") <= 1
folder.cleanup()
