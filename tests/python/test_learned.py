"""Learned eviction in a live cache."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vcache import Cache, _learning
from vcache._model import make_trainer
from vcache._weights import default_model
from vcache.errors import ConfigError, ModelError

DIM = 384
VALUE = np.arange(DIM, dtype=np.float32)


def zipf(requests: int, keys: int, seed: int = 1) -> NDArray[np.int64]:
    """Keys whose popularity falls as their rank, with a scan through strangers now and then."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, keys + 1) ** 0.9
    popular = random.choice(keys, size=requests, p=weights / weights.sum())
    scan = np.arange(keys, keys + requests // 8)
    parts = np.array_split(popular, 4)
    scans = np.array_split(scan, 4)
    return np.concatenate([np.concatenate(pair) for pair in zip(parts, scans, strict=True)])


def replay(cache: Cache, keys: Iterable[int]) -> int:
    """Asks for each, and stores what is not there; how many were not."""
    misses = 0
    for key in keys:
        name = f"v:{key}"
        if cache.get(name) is None:
            misses += 1
            cache.set(name, VALUE)
    return misses


@pytest.fixture
def cache() -> Iterator[Cache]:
    with Cache(policy="learned", memory="2MiB") as opened:
        yield opened


def test_the_best_of_the_experts_decides(cache: Cache) -> None:
    misses = replay(cache, zipf(40_000, 5_000))
    stats = cache.stats()
    assert stats.misses == misses
    assert stats.policy["active"] == "learned"
    assert stats.policy["leader"] in stats.policy["experts"]
    assert set(stats.policy["experts"]) >= {"s3fifo", "lru", "arc", "wtinylfu", "frozen"}
    assert 0 < stats.policy["bytes"] < 0.2 * stats.memory_limit
    assert stats.memory_bytes <= stats.memory_limit
    with Cache(policy="lru", memory="2MiB") as lru:
        assert misses < replay(lru, zipf(40_000, 5_000))


def test_what_is_asked_for_often_is_likely_to_be_asked_for(cache: Cache) -> None:
    replay(cache, zipf(20_000, 5_000))
    popular, rare = cache.predict("v:0"), cache.predict("v:4990")
    assert 0 <= rare < popular <= 1
    assert cache.predict("never heard of") == 0.0


def test_an_explanation_says_what_is_known(cache: Cache) -> None:
    replay(cache, zipf(20_000, 5_000))
    popular = cache.explain("v:0")
    assert popular is not None
    assert popular.held
    assert popular.accesses > 100
    assert popular.leader == cache.stats().policy["leader"]
    assert list(popular.probabilities) == [0.125, 0.5, 2.0, 8.0]
    assert all(0 <= p <= 1 for p in popular.probabilities.values())
    assert popular.mean_residence > 100
    assert cache.explain("never heard of") is None
    cache.delete("v:0")
    gone = cache.explain("v:0")
    assert gone is not None
    assert not gone.held
    assert gone.accesses == popular.accesses


def test_an_expert_can_be_pinned(cache: Cache) -> None:
    replay(cache, zipf(10_000, 5_000))
    cache.pin_expert("lru")
    replay(cache, zipf(20_000, 5_000, seed=2))
    assert cache.stats().policy["leader"] == "lru"
    cache.pin_expert(None)
    replay(cache, zipf(40_000, 5_000, seed=3))
    assert cache.stats().policy["leader"] != "lru"
    for wrong in ("fifo", "gdsf", ""):
        with pytest.raises(ConfigError, match="expert"):
            cache.pin_expert(wrong)


def test_other_policies_have_nothing_of_it() -> None:
    with Cache(policy="lru") as cache:
        assert cache.stats().model is None
        for call in (
            lambda: cache.predict("k"),
            lambda: cache.explain("k"),
            cache.retrain,
            cache.roll_back_model,
            lambda: cache.pin_expert("lru"),
        ):
            with pytest.raises(ConfigError, match="learned"):
                call()


# Learning


def test_it_learns_while_it_serves(cache: Cache) -> None:
    assert "too little" in cache.retrain(wait=True)
    replay(cache, zipf(60_000, 5_000))
    outcome = cache.retrain(wait=True)
    model = cache.stats().model
    assert outcome in ("published", "refused")
    assert model is not None
    assert model["fits"] > 0
    assert model["published"] + model["refused"] == model["fits"]
    assert model["failed"] == 0
    assert model["problem"] == ""
    assert model["version"] == model["published"]
    assert 0.5 < model["accuracy"] <= 1
    assert model["age"] is None if model["version"] == 0 else model["age"] >= 0


def test_a_model_can_be_rolled_back(cache: Cache) -> None:
    assert not cache.roll_back_model()
    for seed in range(20):
        replay(cache, zipf(10_000, 5_000, seed=seed))
        cache.retrain(wait=True)
        model = cache.stats().model
        assert model is not None
        if model["published"] >= 2:
            break
    version = model["version"]
    assert cache.roll_back_model()
    model = cache.stats().model
    assert model is not None
    assert model["version"] == version + 1


def test_without_torch_the_shipped_model_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_learning, "torch_library", lambda: None)
    with Cache(policy="learned", memory="2MiB") as cache:
        replay(cache, zipf(20_000, 5_000))
        assert cache.retrain(wait=True) == "torch is not installed, or memory is below 1MiB"
        assert cache.stats().policy["experts"]["frozen"]["misses"] > 0
        assert cache.predict("v:0") > 0


def test_a_small_cache_leaves_its_memory_to_values() -> None:
    with Cache(policy="learned", memory="512KiB") as cache:
        replay(cache, zipf(20_000, 5_000))
        assert cache.retrain(wait=True) == "torch is not installed, or memory is below 1MiB"
        assert cache.stats().policy["experts"]["frozen"]["misses"] > 0


def test_without_any_model_classic_policies_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModelError("the shipped model is not as it was shipped")

    monkeypatch.setattr(_learning, "default_model", broken)
    monkeypatch.setattr(_learning, "torch_library", lambda: None)
    with pytest.warns(RuntimeWarning, match="the classic policies decide"):
        cache = Cache(policy="learned", memory="2MiB")
    with cache:
        replay(cache, zipf(20_000, 5_000))
        assert "frozen" not in cache.stats().policy["experts"]
        with pytest.raises(ModelError, match="no model is in use"):
            cache.predict("v:0")


# Models of one's own


def archive() -> bytes:
    weights = np.concatenate([np.ravel(part) for layer in default_model().layers for part in layer])
    return make_trainer(weights=weights.astype(np.float32)).archive()


def digest(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def test_a_torchscript_model_decides(tmp_path: Path) -> None:
    data = archive()
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    with Cache(
        policy="learned", memory="2MiB", model_path=path, model_sha256=digest(data)
    ) as cache:
        cache.pin_expert("frozen")
        with Cache(policy="learned", memory="2MiB") as twin:
            twin.pin_expert("frozen")
            keys = zipf(20_000, 5_000)
            misses = replay(cache, keys)
            assert cache.stats().policy["leader"] == "frozen"
            assert cache.stats().policy["failures"] == 0
            assert misses == pytest.approx(replay(twin, keys), rel=0.02)


def test_a_weights_file_decides(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    default_model().save(path)
    with Cache(policy="learned", model_path=path, model_sha256=default_model().sha256) as cache:
        assert "frozen" in cache.stats().policy["experts"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "No such file"),
        (b"", "empty|bytes"),
        (b"not a model", ""),
        (b"vcache-mlp-1\n" + b"\0" * 40, ""),
        (default_model().data[:-1], ""),
        (default_model().data + b"\0", ""),
    ],
)
def test_a_model_that_cannot_be_used_is_warned_of(
    tmp_path: Path, content: bytes | None, what: str
) -> None:
    path = tmp_path / "model.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match=f"model_path=.*{what}.*the shipped model is used"):
        cache = Cache(policy="learned", memory="2MiB", model_path=path)
    with cache:
        replay(cache, zipf(5_000, 2_000))
        assert cache.stats().policy["experts"]["frozen"]["misses"] >= 0


def test_a_model_of_another_digest_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    default_model().save(path)
    with pytest.warns(RuntimeWarning, match="the shipped model is used instead"):
        Cache(policy="learned", model_path=path, model_sha256="0" * 64).close()


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("model_path", 7),
        ("model_path", ""),
        ("model_sha256", "12"),
        ("model_sha256", b"0" * 64),
        ("model_update_interval", -1),
        ("minimize", "bytes"),
        ("minimize", None),
    ],
)
def test_wrong_arguments_are_named(argument: str, wrong: object) -> None:
    with pytest.raises(ConfigError, match=argument):
        Cache(policy="learned", **{argument: wrong})  # type: ignore[arg-type]


def test_costs_count_where_asked_for() -> None:
    def lost(minimize: str) -> float:
        with Cache(policy="learned", memory="2MiB", minimize=minimize) as cache:  # type: ignore[arg-type]
            total = 0.0
            for key in zipf(60_000, 5_000):
                cost = 10.0 if key % 5 == 0 else 0.1
                name = f"v:{key}"
                if cache.get(name) is None:
                    total += cost
                    cache.set(name, VALUE, cost=cost)
            return total

    assert lost("cost") < 0.9 * lost("misses")


def test_pickles_as_any_cache(cache: Cache) -> None:
    with pickle.loads(pickle.dumps(cache)) as copy:
        assert copy.stats().policy["active"] == "learned"


def test_a_closed_cache_says_what_it_knows_and_learns_no_more() -> None:
    cache = Cache(policy="learned", memory="2MiB")
    replay(cache, zipf(20_000, 5_000))
    cache.close()
    assert cache.retrain(wait=True) == "the cache is closed"
    assert cache.predict("v:0") > 0
    assert cache.explain("v:0") is not None
    replay(cache, zipf(2_000, 5_000))


def test_many_threads_ask_at_once(cache: Cache) -> None:
    replay(cache, zipf(40_000, 5_000))
    outcomes: list[str] = []

    def ask(seed: int) -> None:
        for _ in range(5):
            outcomes.append(cache.retrain(wait=True))
            cache.roll_back_model()
            cache.pin_expert("lru" if seed % 2 else None)
            replay(cache, zipf(500, 5_000, seed=seed))
            cache.explain("v:0")
            assert 0 <= cache.predict("v:0") <= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert set(outcomes) <= {"published", "refused"}
    assert len(outcomes) == 20
    assert cache.stats().memory_bytes <= cache.stats().memory_limit


@pytest.mark.parametrize(("memory", "max_entries"), [("64KiB", None), ("1MiB", 1), (0, None)])
def test_the_least_caches_work(memory: str | int, max_entries: int | None) -> None:
    with Cache(policy="learned", memory=memory, max_entries=max_entries) as cache:
        replay(cache, zipf(3_000, 500))
        cache.mset([(f"m:{i}", VALUE) for i in range(2_000)])
        stats = cache.stats()
        if memory == 0:
            assert stats.entries == 0
            return
        assert stats.entries == (max_entries or stats.entries)
        assert stats.entries >= 1
        assert stats.memory_bytes <= stats.memory_limit
        assert cache.explain("m:1999") is not None
