"""Workers on one Redis share the newest model: one fits it, all swap to it."""

from __future__ import annotations

import hmac
import math
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

import msgspec

from .._messages import shown
from .._secret import Secret
from .._weights import HEADS, INPUTS, Model
from ..durations import Duration, parse_duration
from ..errors import ConfigError, ModelError

if TYPE_CHECKING:
    from ..cache import Cache

__all__ = ["Manifest", "SharedModel", "SharedModels"]

KEPT = 3
"""Models before the newest that stay in Redis, for who reads a manifest that is just replaced."""

_MANIFEST, _PREFIX = "model", "model:"  # names of the namespace's own keys
_MOST_OF_MANIFEST, _MOST_OF_MODEL = 4096, 1 << 20  # bytes
_LONGER = 3600.0  # seconds that a model outlives its manifest
_SHORTEST_KEY = 16  # bytes
_PURPOSE = b"vcache model manifest 1\n"  # a signature is for nothing else

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Redis says of the newest model.

    version: grows with each model of a namespace; sha256: of the bytes of its weights file.
    made_at: when it was published, in seconds since 1970; loss: of it on examples that it was not
        fitted to.
    inputs, outputs: its shape.
    previous: digests of the models before it that may still be there, the newest first.
    signature: HMAC-SHA256 in hexadecimal digits; None: unsigned.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    sha256: Digest
    made_at: float
    loss: Annotated[float, msgspec.Meta(ge=0)]
    inputs: int
    outputs: int
    previous: Annotated[list[Digest], msgspec.Meta(max_length=KEPT)] = []
    signature: Digest | None = None


@dataclass(frozen=True)
class SharedModel:
    """A model that another worker published, checked, and what was said of it."""

    model: Model
    manifest: Manifest


class SharedModels:
    """The models that the workers of one namespace share. Used by one thread at a time.

    Redis has the bytes of a model under NAMESPACE!model:SHA256, and a Manifest as JSON under
    NAMESPACE!model. It is replaced only where nobody else replaced it meanwhile, and no worker
    takes a version that is older than one it had.

    cache: of whose Redis and namespace; one with `redis`.
    signing_key: at least 16 bytes, equal in all workers: what it did not sign is refused, so that
        who may write to Redis cannot put a model of theirs into the workers. None: a manifest
        needs no signature.
    lifetime: how long Redis keeps a model that no newer one replaces. Workers that have it keep it.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        signing_key: str | bytes | None = None,
        lifetime: Duration = "30d",
    ) -> None:
        if cache._config.redis is None:
            raise ConfigError(f"cache={shown(cache)}: allowed is one with redis, to share it by")
        self._core = cache._tiers
        self._namespace = cache._config.namespace
        self._key = Secret(_signing_key(signing_key))
        self._lifetime = parse_duration(lifetime, "lifetime")
        self._version = 0

    @property
    def version(self) -> int:
        """Of the newest model that was published or fetched here; 0: none was."""
        return self._version

    def publish(self, model: Model, *, loss: float) -> Manifest | None:
        """Shares a model that was fitted here; None where another worker has a newer one.

        Then fetch() has that, and the caller decides between the two on examples of its own.
        loss: of the model on examples that it was not fitted to.
        Raises RedisError where Redis cannot be asked: nothing or all of it was done.
        """
        used, checked = _model(model), _loss(loss)
        found = self._core.read_blob(_MANIFEST, _MOST_OF_MANIFEST + 1)
        current = self._current(found)
        if current is not None and current.version > self._version:
            return None
        manifest = self._signed(_following(current, self._version, used, checked))
        name = _PREFIX + manifest.sha256
        self._core.write_blob(name, used.data, self._lifetime + _LONGER)
        data = msgspec.json.encode(manifest)
        if not self._core.replace_blob(_MANIFEST, found, data, self._lifetime):
            return None
        self._version = manifest.version
        self._erase_dropped(current, manifest)
        return manifest

    def fetch(self) -> SharedModel | None:
        """The newest model, where it is newer than what was published or fetched here; else None.

        Raises ModelError where it is not to be trusted: it is unsigned or wrongly signed though
        there is a signing key, its digest or shape is another one, or it is gone; RedisError where
        Redis cannot be asked.
        """
        seen = b""
        while True:
            found = self._core.read_blob(_MANIFEST, _MOST_OF_MANIFEST + 1)
            manifest = self._checked(found) if found else None
            if manifest is None or manifest.version <= self._version:
                return None
            data = self._core.read_blob(_PREFIX + manifest.sha256, _MOST_OF_MODEL + 1)
            if data or found == seen:  # else it may have been replaced and erased meanwhile
                break
            seen = found
        model = self._model_of(manifest, data)
        self._version = manifest.version
        return SharedModel(model, manifest)

    def _current(self, data: bytes) -> Manifest | None:
        """The manifest that is there; None also for one that nobody would take."""
        if len(data) > _MOST_OF_MANIFEST:
            raise self._refused(f"it is longer than {_MOST_OF_MANIFEST:,} bytes: delete it")
        try:
            return self._checked(data) if data else None
        except ModelError:
            return None

    def _checked(self, data: bytes) -> Manifest:
        if len(data) > _MOST_OF_MANIFEST:
            raise self._refused(f"it is longer than {_MOST_OF_MANIFEST:,} bytes")
        try:
            manifest = msgspec.json.decode(data, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._refused(f"it is no manifest: {error}") from None
        if self._key.reveal() is None:
            return manifest
        if manifest.signature is None:
            raise self._refused("it has no signature, and there is a signing_key")
        if not hmac.compare_digest(manifest.signature, self._signature_of(manifest)):
            raise self._refused("its signature is not that of signing_key")
        return manifest

    def _model_of(self, manifest: Manifest, data: bytes) -> Model:
        if (manifest.inputs, manifest.outputs) != (INPUTS, HEADS):
            shape = f"{manifest.inputs} inputs and {manifest.outputs} outputs"
            raise self._refused(f"the model has {shape}: allowed are {INPUTS} and {HEADS}")
        if not data:
            raise self._refused("the model is gone")
        if len(data) > _MOST_OF_MODEL:
            raise self._refused(f"the model is longer than {_MOST_OF_MODEL:,} bytes")
        digest = sha256(data).hexdigest()
        if digest != manifest.sha256:
            raise self._refused(f"the model has the digest {digest}, not {manifest.sha256}")
        try:
            return Model(data)
        except ModelError as error:
            raise self._refused(str(error)) from error

    def _signed(self, manifest: Manifest) -> Manifest:
        if self._key.reveal() is None:
            return manifest
        return msgspec.structs.replace(manifest, signature=self._signature_of(manifest))

    def _signature_of(self, manifest: Manifest) -> str:
        """Over the namespace too: what was signed for one is refused in another."""
        unsigned = msgspec.structs.replace(manifest, signature=None)
        text = msgspec.json.encode([self._namespace, unsigned], order="sorted")
        return hmac.new(self._key.reveal(), _PURPOSE + text, sha256).hexdigest()

    def _erase_dropped(self, before: Manifest | None, now: Manifest) -> None:
        if before is None:
            return
        kept = {now.sha256, *now.previous}
        for digest in {before.sha256, *before.previous} - kept:
            self._core.erase_blob(_PREFIX + digest)

    def _refused(self, why: str) -> ModelError:
        return ModelError(f"the model shared as {self._namespace}!{_MANIFEST} is refused: {why}")


def _following(current: Manifest | None, version: int, model: Model, loss: float) -> Manifest:
    """The manifest that follows one, or what was known to be there before it was lost."""
    previous: list[str] = []
    if current is not None:
        former = [current.sha256, *current.previous]
        previous = [digest for digest in former if digest != model.sha256][:KEPT]
        version = max(version, current.version)
    return Manifest(
        version=version + 1,
        sha256=model.sha256,
        made_at=time.time(),
        loss=loss,
        inputs=INPUTS,
        outputs=HEADS,
        previous=previous,
    )


def _signing_key(given: object) -> bytes | None:
    """Never shown, neither by messages."""
    allowed = f"allowed are bytes or text of at least {_SHORTEST_KEY} bytes, and None"
    if given is None:
        return None
    if not isinstance(given, (str, bytes)):
        raise TypeError(f"signing_key=*** is of type {type(given).__name__}: {allowed}")
    key = given.encode() if isinstance(given, str) else given
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"signing_key=*** of {len(key)} bytes: {allowed}")
    return key


def _model(given: object) -> Model:
    if not isinstance(given, Model):
        kind = type(given).__name__
        raise TypeError(f"model={shown(given)} is of type {kind}: allowed is a vcache.ml.Model")
    return given


def _loss(given: object) -> float:
    allowed = "allowed are finite numbers from 0 on"
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"loss={shown(given)} is of type {type(given).__name__}: {allowed}")
    if not 0 <= given < math.inf:
        raise ValueError(f"loss={shown(given)}: {allowed}")
    return float(given)
