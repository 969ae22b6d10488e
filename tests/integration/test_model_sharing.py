"""Workers that share models through Redis."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis_cluster import RedisCluster
from redis_server import RedisServer
from running import Talking
from small_models import small_model

from vcache import Cache
from vcache.errors import ConfigError, ModelError, RedisError
from vcache.ml import SharedModels

KEY = b"0123456789abcdef"
WORKER = Path(__file__).parents[1] / "support" / "model_worker.py"

Join = Callable[..., SharedModels]


class Worker(Talking):
    """A process that shares models, as model_worker.py does."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        self.spawn([sys.executable, str(WORKER), self._url])
        assert self.hear() == "ready"

    def ask(self, **task: Any) -> None:
        self.say(json.dumps(task))

    def answer(self) -> Any:
        return json.loads(self.hear())


@pytest.fixture
def join(make_cache: Callable[..., Cache]) -> Join:
    """One more worker, with a cache of its own."""
    return lambda **arguments: SharedModels(make_cache(timeout=5), **arguments)


def digests_in(redis_server: RedisServer) -> set[str]:
    with redis_server.client() as connection:
        return {key.decode().rsplit(":")[1] for key in connection.keys("vcache!model:*")}


def manifest_in(redis_server: RedisServer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(redis_server.call("GET", "vcache!model"))
    return found


def test_one_publishes_and_all_have_it(join: Join, redis_server: RedisServer) -> None:
    one, other = join(), join()
    assert other.fetch() is None
    model = small_model(1)
    published = one.publish(model, loss=0.25)
    assert published is not None
    found = other.fetch()
    assert found is not None
    assert found.model == model
    assert found.manifest == published
    assert (published.version, published.loss, published.sha256) == (1, 0.25, model.sha256)
    assert (one.version, other.version) == (1, 1)
    assert other.fetch() is None
    assert one.fetch() is None, "it is its own"
    assert redis_server.call("GET", f"vcache!model:{model.sha256}") == model.data
    assert manifest_in(redis_server) | {"made_at": 0} == {
        "version": 1,
        "sha256": model.sha256,
        "made_at": 0,
        "loss": 0.25,
        "inputs": 17,
        "outputs": 5,
        "previous": [],
        "signature": None,
    }


def test_who_missed_a_version_does_not_replace_it(join: Join) -> None:
    one, other = join(), join()
    assert one.publish(small_model(1), loss=0.5) is not None
    assert other.publish(small_model(2), loss=0.1) is None
    found = other.fetch()
    assert found is not None
    assert found.model == small_model(1)
    following = other.publish(small_model(2), loss=0.1)
    assert following is not None
    assert following.version == 2
    assert one.publish(small_model(3), loss=0.1) is None


def test_an_older_version_is_not_taken(join: Join, redis_server: RedisServer) -> None:
    one, other = join(), join()
    one.publish(small_model(1), loss=0.5)
    older = redis_server.call("GET", "vcache!model")
    one.publish(small_model(2), loss=0.5)
    assert other.fetch() is not None
    redis_server.call("SET", "vcache!model", older)
    assert other.fetch() is None
    assert other.version == 2
    newer = other.publish(small_model(3), loss=0.5)
    assert newer is not None
    assert newer.version == 3


def test_versions_go_on_when_redis_lost_all(join: Join, redis_server: RedisServer) -> None:
    one, other, late = join(), join(), join()
    for seed in range(3):
        one.publish(small_model(seed), loss=0.5)
    assert other.fetch() is not None
    redis_server.call("FLUSHALL")
    assert other.fetch() is None
    assert late.publish(small_model(7), loss=0.5) is not None
    assert other.fetch() is None, "it has a later version"
    assert one.publish(small_model(8), loss=0.5) is not None
    for each in (other, late):
        found = each.fetch()
        assert found is not None
        assert (found.manifest.version, found.model) == (4, small_model(8))


def test_the_last_three_are_kept_and_all_end_by_themselves(
    join: Join, redis_server: RedisServer
) -> None:
    one = join(lifetime="1h")
    models = [small_model(seed) for seed in range(6)]
    for model in models:
        one.publish(model, loss=0.5)
    assert digests_in(redis_server) == {model.sha256 for model in models[2:]}
    assert manifest_in(redis_server)["previous"] == [models[at].sha256 for at in (4, 3, 2)]
    assert 3_500 < redis_server.call("TTL", "vcache!model") <= 3_600
    assert redis_server.call("TTL", f"vcache!model:{models[-1].sha256}") > 3_600


def test_a_model_that_comes_again_stays(join: Join, redis_server: RedisServer) -> None:
    one, other = join(), join()
    for seed in (0, 1, 0, 1, 0, 2, 0):
        one.publish(small_model(seed), loss=0.5)
    found = other.fetch()
    assert found is not None
    assert (found.model, found.manifest.version) == (small_model(0), 7)
    assert found.manifest.previous == [small_model(2).sha256, small_model(1).sha256]
    assert len(digests_in(redis_server)) == 3


def test_of_processes_that_publish_at_once_each_version_is_of_one(
    redis_server: RedisServer, join: Join
) -> None:
    times = 25
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(redis_server.url)) for _ in range(3)]
        for number, worker in enumerate(workers):
            worker.ask(race=times, seed=1_000 * number)
        answers = [worker.answer() for worker in workers]
        versions = sorted(version for answer in answers for version in answer["published"])
        assert versions == list(range(1, 3 * times + 1))
        for answer in answers:
            assert answer["published"] == sorted(answer["published"])
            assert answer["seen"] == sorted(set(answer["seen"]))
            assert not set(answer["seen"]) & set(answer["published"])
        newest = join().fetch()
        assert newest is not None
        assert newest.manifest.version == 3 * times
        for worker in workers:
            worker.ask(fetch=True)
            assert worker.answer() in (newest.model.sha256, None)
    assert len(digests_in(redis_server)) >= 4


def test_a_signature_is_needed_where_there_is_a_key(join: Join, redis_server: RedisServer) -> None:
    join().publish(small_model(1), loss=0.5)
    signed = join(signing_key=KEY)
    with pytest.raises(ModelError, match=r"vcache!model is refused: it has no signature, and ther"):
        signed.fetch()
    published = signed.publish(small_model(2), loss=0.5)
    assert published is not None
    assert published.signature is not None
    found = join(signing_key=KEY.decode()).fetch()
    assert found is not None
    assert found.model == small_model(2)
    with pytest.raises(ModelError, match="its signature is not that of signing_key"):
        join(signing_key=KEY + b"x").fetch()
    assert join().fetch() is not None, "without a key none is checked"


@pytest.mark.parametrize(
    "change", [{"version": 9}, {"sha256": "0" * 64}, {"loss": 0.1}, {"previous": ["0" * 64]}]
)
def test_what_was_signed_cannot_be_changed(
    change: dict[str, Any], join: Join, redis_server: RedisServer
) -> None:
    one, other = join(signing_key=KEY), join(signing_key=KEY)
    one.publish(small_model(1), loss=0.5)
    redis_server.call("SET", "vcache!model", json.dumps(manifest_in(redis_server) | change))
    with pytest.raises(ModelError, match="its signature is not that of signing_key"):
        other.fetch()
    assert one.publish(small_model(2), loss=0.5) is not None, "it takes the place"
    assert other.fetch() is not None


def test_what_was_signed_for_another_namespace_is_refused(
    make_cache: Callable[..., Cache], redis_server: RedisServer
) -> None:
    SharedModels(make_cache(namespace="elsewhere"), signing_key=KEY).publish(
        small_model(1), loss=0.5
    )
    for name in ("model", f"model:{small_model(1).sha256}"):
        redis_server.call("COPY", f"elsewhere!{name}", f"vcache!{name}")
    with pytest.raises(ModelError, match="its signature is not that of signing_key"):
        SharedModels(make_cache(), signing_key=KEY).fetch()


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"no json", "it is no manifest"),
        (b"\xff\x00", "it is no manifest"),
        (b"{}", "it is no manifest"),
        (b"[" * 4_000, "it is no manifest"),
        (b" " * 5_000, "it is longer than 4,096 bytes"),
    ],
)
def test_manifests_that_are_none(
    manifest: bytes, words: str, join: Join, redis_server: RedisServer
) -> None:
    redis_server.call("SET", "vcache!model", manifest)
    one = join()
    with pytest.raises(ModelError, match=words):
        one.fetch()
    if len(manifest) > 4_096:
        with pytest.raises(ModelError, match="delete it"):
            one.publish(small_model(1), loss=0.5)
    else:
        assert one.publish(small_model(1), loss=0.5) is not None
        assert join().fetch() is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 0}, "it is no manifest"),
        ({"version": True}, "it is no manifest"),
        ({"sha256": "../../x"}, "it is no manifest"),
        ({"loss": -1}, "it is no manifest"),
        ({"previous": ["0" * 64] * 4}, "it is no manifest"),
        ({"more": 1}, "it is no manifest"),
        ({"inputs": 18}, "the model has 18 inputs and 5 outputs: allowed are 17 and 5"),
        ({"sha256": "0" * 64}, "the model is gone"),
    ],
)
def test_manifests_that_are_not_taken(
    change: dict[str, Any], words: str, join: Join, redis_server: RedisServer
) -> None:
    join().publish(small_model(1), loss=0.5)
    redis_server.call("SET", "vcache!model", json.dumps(manifest_in(redis_server) | change))
    other = join()
    with pytest.raises(ModelError, match=words):
        other.fetch()
    assert other.version == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (small_model(2).data, "the model has the digest"),
        (small_model(1).data[:-1], "the model has the digest"),
        (b"x" * (1 << 20) + b"x", "the model is longer than 1,048,576 bytes"),
    ],
)
def test_bytes_that_are_not_the_model(
    data: bytes, words: str, join: Join, redis_server: RedisServer
) -> None:
    join().publish(small_model(1), loss=0.5)
    redis_server.call("SET", f"vcache!model:{small_model(1).sha256}", data)
    with pytest.raises(ModelError, match=words):
        join().fetch()


def test_redis_away_is_told_and_nothing_is_lost(join: Join, redis_server: RedisServer) -> None:
    one = join()
    one.publish(small_model(1), loss=0.5)
    redis_server.kill()
    with pytest.raises(RedisError):
        one.publish(small_model(2), loss=0.5)
    with pytest.raises(RedisError):
        one.fetch()
    assert one.version == 1


@pytest.mark.parametrize("redis_user", ["least"])
def test_the_least_user_may_share_models(join: Join) -> None:
    one, other = join(), join()
    for seed in range(6):
        assert one.publish(small_model(seed), loss=0.5) is not None
    assert other.fetch() is not None


def test_in_a_cluster_all_lies_in_one_slot(tmp_path: Path) -> None:
    with (
        RedisCluster(tmp_path, masters=3, replicas=0) as cluster,
        Cache(redis=cluster.url, timeout=5) as cache,
        Cache(redis=cluster.url, timeout=5) as second,
    ):
        one, other = SharedModels(cache), SharedModels(second)
        for seed in range(6):
            assert one.publish(small_model(seed), loss=0.5) is not None
        found = other.fetch()
        assert found is not None
        assert found.model == small_model(5)
        assert cluster.slot_of("vcache!{vcache}model") == cluster.slot_of("vcache")


def test_a_key_is_never_shown(join: Join) -> None:
    one = join(signing_key=KEY)
    assert KEY.decode() not in repr(vars(one)) + repr(one)
    for key in ("short-secret", b"short-secret"):
        with pytest.raises(ValueError, match=r"signing_key=\*\*\* of 12 bytes: allowed") as caught:
            join(signing_key=key)
        assert "short-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": b"bytes"}, "model=b'bytes' is of type bytes: allowed"),
        ({"loss": "low"}, "loss='low' is of type str: allowed"),
        ({"loss": float("nan")}, "loss=nan: allowed"),
        ({"loss": -0.1}, "loss=-0.1: allowed"),
        ({"loss": True}, "loss=True is of type bool: allowed"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], words: str, join: Join) -> None:
    one = join()
    with pytest.raises((TypeError, ValueError)) as caught:
        one.publish(**({"model": small_model(1), "loss": 0.5} | arguments))
    assert words in str(caught.value)
    assert one.fetch() is None


def test_bad_settings(join: Join) -> None:
    with pytest.raises(TypeError, match=r"signing_key=\*\*\* is of type int: allowed"):
        join(signing_key=3)
    with pytest.raises(ValueError, match="lifetime='0s': allowed"):
        join(lifetime="0s")
    with Cache() as alone, pytest.raises(ConfigError, match="allowed is one with redis"):
        SharedModels(alone)
