"""Miss ratios of every policy over the .npz traces of a folder, beside those of libCacheSim.

usage: PYTHONPATH=tests/bench python tests/bench/probes/referee.py FOLDER [SHARE...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from libcachesim_traces import replay as replay_by_libcachesim
from libcachesim_traces import write_trace

from vcache.sim import POLICIES, read_trace, replay

THEIRS = {
    "lru": "LRU",
    "fifo": "FIFO",
    "lfu": "LFU",
    "s3fifo": "S3FIFO",
    "sieve": "Sieve",
    "arc": "ARC",
    "wtinylfu": "WTinyLFU",
    "gdsf": "GDSF",
    "belady": "Belady",
}


def main(folder: str, *shares: str) -> None:
    print("| trace | entries | policy | misses | libCacheSim's | off by |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for path in sorted(Path(folder).glob("*.npz")):
        trace = read_trace(path)
        with tempfile.TemporaryDirectory() as made:
            binary = write_trace(trace.ids, Path(made) / "trace.bin")
            for share in shares or ("1%", "10%"):
                for policy in POLICIES:
                    ours = replay(trace, policy, share)
                    theirs, _ = replay_by_libcachesim(binary, THEIRS[policy], ours.capacity)
                    off = ours.miss_ratio / theirs - 1
                    print(
                        f"| {trace.name} | {ours.capacity} | {policy} | {ours.miss_ratio:.4f}"
                        f" | {theirs:.4f} | {off:+.2%} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main(*sys.argv[1:])
