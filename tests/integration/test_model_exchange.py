"""Caches that learn for each other through Redis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from polling import wait_until
from redis_server import RedisServer

from vcache import Cache
from vcache.errors import ConfigError, ModelError, RedisError
from vcache.ml import ModelExchange

MakeCache = Callable[..., Cache]
VALUE = np.ones(384, np.float32)


def busy(cache: Cache, seed: int = 1) -> None:
    """Look-ups of which something can be learned, in memory alone."""
    random = np.random.default_rng(seed)
    keys = (random.pareto(1.0, 40_000) * 100).astype(np.int64) % 5_000
    for key in keys:
        name = f"v:{key}"
        if not cache._tiers.memory_has([name]):
            cache.set(name, VALUE)
        cache.get(name)


def learn(cache: Cache) -> None:
    for seed in range(10):
        busy(cache, seed)
        if cache.retrain(wait=True) == "published":
            return
    pytest.fail("no model was published")


@pytest.fixture
def make_learner(make_cache: MakeCache) -> MakeCache:
    return lambda **more: make_cache(policy="learned", memory="2MiB", timeout=5, **more)


def test_one_learns_and_the_others_use_its_model(make_learner: MakeCache) -> None:
    learner, other = make_learner(), make_learner()
    with ModelExchange(learner, every="1h") as ours, ModelExchange(other, every="1h") as theirs:
        assert ours.exchange() == "nothing new"
        learn(learner)
        assert ours.exchange() == "published"
        assert ours.exchange() == "nothing new"
        assert theirs.exchange() == "adopted"
        assert theirs.exchange() == "nothing new"
        model = other.stats().model
        assert model is not None
        assert model["version"] == 1
        assert model["fits"] == 0
        assert "online" in other.stats().policy["experts"] or other.stats().entries == 0
        assert ours.version == theirs.version == 1


def test_the_exchange_goes_on_by_itself(make_learner: MakeCache) -> None:
    learner, other = make_learner(), make_learner()
    with ModelExchange(learner, every="20ms"), ModelExchange(other, every="20ms"):
        learn(learner)
        wait_until(lambda: (other.stats().model or {})["version"] > 0, what="the model")


def test_only_signed_models_are_used(make_learner: MakeCache) -> None:
    learner, other = make_learner(), make_learner()
    with (
        ModelExchange(learner, every="1h") as ours,
        ModelExchange(other, every="1h", signing_key="0123456789abcdef") as theirs,
    ):
        learn(learner)
        ours.exchange()
        with pytest.raises(ModelError, match="signature"):
            theirs.exchange()


def test_a_redis_that_is_away_is_a_problem_and_no_more(
    make_learner: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_learner()
    with ModelExchange(cache, every="20ms") as exchange:
        redis_server.kill()
        try:
            with pytest.raises(RedisError):
                exchange.exchange()
            wait_until(lambda: exchange.problem, what="the problem")
        finally:
            redis_server.start()
        wait_until(lambda: not exchange.problem, what="the exchange")


def test_wrong_caches_are_named(make_cache: MakeCache) -> None:
    with pytest.raises(ConfigError, match="learned"):
        ModelExchange(make_cache(policy="lru"))
    with Cache(policy="learned") as cache, pytest.raises(ConfigError, match="with redis"):
        ModelExchange(cache)
