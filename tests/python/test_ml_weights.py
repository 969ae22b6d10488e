"""Weights files: what they hold, what is refused, and the shipped one."""

from __future__ import annotations

import copy
import os
import stat
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vcache
from vcache import _weights as weights
from vcache.errors import ModelError
from vcache.ml import Model, default_model, load_model

HEADER = b"vcache-mlp-1\n" + struct.pack("<3I", 17, 32, 5)
SHAPES = ((17, 32), (32,), (32, 32), (32,), (32, 5), (5,))
COUNT = sum(int(np.prod(shape)) for shape in SHAPES)


def file_of(values: np.ndarray) -> bytes:
    return HEADER + values.astype("<f4").tobytes()


def random_values(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=COUNT).astype(np.float32)


def parts(values: np.ndarray) -> list[np.ndarray]:
    """The six arrays of a file in its order."""
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])
    return [part.reshape(s) for part, s in zip(np.split(values, ends[:-1]), SHAPES, strict=True)]


def test_predicts_what_the_weights_say() -> None:
    values = random_values()
    w1, b1, w2, b2, w3, b3 = (part.astype(np.float64) for part in parts(values))
    rows = np.random.default_rng(2).normal(size=(50, 17))
    hidden = np.maximum(np.maximum(rows @ w1 + b1, 0) @ w2 + b2, 0)
    expected = 1 / (1 + np.exp(-(hidden @ w3 + b3)))
    for dtype in (np.float64, np.float32):
        found = Model(file_of(values)).predict(rows.astype(dtype))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert Model(file_of(values)).predict(np.empty((0, 17))).shape == (0, 5)


def test_extreme_features_give_probabilities() -> None:
    found = Model(file_of(1e3 * random_values())).predict(np.full((1, 17), 1e6))
    assert ((found >= 0) & (found <= 1)).all()


def test_layers_come_back() -> None:
    values = random_values()
    model = Model(file_of(values))
    found = [part for layer in model.layers for part in layer]
    for part, expected in zip(found, parts(values), strict=True):
        np.testing.assert_array_equal(part, expected)
    found[0][:] = 0  # a copy
    assert Model.of_layers(model.layers) == model


def test_files_come_back(tmp_path: Path) -> None:
    model, path = Model(file_of(random_values())), tmp_path / "m.bin"
    model.save(path)
    model.save(str(path))  # over another
    assert path.read_bytes() == model.data
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    for again in (load_model(path), load_model(str(path)), copy.deepcopy(model)):
        assert again == model
        assert hash(again) == hash(model)
    assert model.sha256 == sha256(path.read_bytes()).hexdigest()
    assert model != default_model()
    assert model.sha256[:12] in repr(model)
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_never_changes() -> None:
    model = default_model()
    with pytest.raises(AttributeError, match="data: a Model never changes"):
        model.data = b""
    with pytest.raises(AttributeError, match="core: a Model never changes"):
        del model.core


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"old")

    def fails(descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="no space"):
        default_model().save(path)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]
    with pytest.raises(OSError, match="no-such"):
        default_model().save(tmp_path / "no-such" / "m.bin")


GOOD = file_of(random_values())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with vcache-mlp-1"),
        (b"PK\x03\x04" + GOOD, "does not begin with vcache-mlp-1"),
        (GOOD[:-1], f"{len(GOOD)} bytes, this one {len(GOOD) - 1}"),
        (GOOD[:20], f"{len(GOOD)} bytes, this one 20"),
        (GOOD + b"\0", f"{len(GOOD)} bytes, this one {len(GOOD) + 1}"),
        (GOOD + bytes(2 << 20), f"{len(GOOD)} bytes, this one"),
        (GOOD.replace(struct.pack("<I", 17), struct.pack("<I", 16), 1), "other inputs"),
        (file_of(np.full(COUNT, np.nan)), "weight 0 of the model is not finite"),
    ],
)
def test_foreign_and_broken_files(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"path={str(path)!r}: ")
    assert "allowed is a weights file" in str(caught.value)
    with pytest.raises(ModelError, match=words):
        Model(data)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("none", "No such file"),
        ("", "[Ii]s a directory|not a regular file"),
        ("pipe", "not a regular file"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(ModelError, match=words):
            load_model(tmp_path / name)


@pytest.mark.parametrize("path", [7, b"m.bin", ["m.bin"]])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(TypeError, match="path=.* is of type .*: allowed are a path"):
        load_model(path)


@pytest.mark.parametrize(
    ("features", "error", "words"),
    [
        (np.zeros((2, 16)), ValueError, r"features of shape \(2, 16\): allowed is \(n, 17\)"),
        (np.zeros(17), ValueError, r"features of shape \(17,\)"),
        (np.zeros((2, 17), int), TypeError, "features of dtype int64: allowed are floats"),
    ],
)
def test_features_of_another_kind(features: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        default_model().predict(features)


def test_data_of_another_kind() -> None:
    with pytest.raises(TypeError, match="data=.* is of type bytearray: allowed is bytes"):
        Model(bytearray(GOOD))  # type: ignore[arg-type]


def test_the_shipped_model_is_the_one_that_the_code_names() -> None:
    path = Path(vcache.__file__).parent / "ml" / "default_model.bin"
    assert sha256(path.read_bytes()).hexdigest() == weights.DEFAULT_SHA256
    assert load_model() is default_model()
    assert load_model().data == path.read_bytes()


def test_another_file_in_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "default_model.bin"
    path.write_bytes(GOOD)
    monkeypatch.setattr(weights, "_DEFAULT", path)
    with pytest.raises(ModelError, match=f"digest {sha256(GOOD).hexdigest()}, not .*: install"):
        default_model.__wrapped__()
    path.unlink()
    with pytest.raises(ModelError, match="the shipped model.*No such file"):
        default_model.__wrapped__()
