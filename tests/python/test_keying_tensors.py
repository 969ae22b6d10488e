from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from vcache._keying import Encoder
from vcache.errors import UnkeyableError

torch = pytest.importorskip("torch")

ENCODER = Encoder(None)


@pytest.mark.parametrize(
    ("tensor", "numbers"),
    [
        (torch.tensor([0.5, 1.0]), [0.5, 1.0]),
        (torch.tensor([0.5, 1.0], dtype=torch.bfloat16), [0.5, 1.0]),
        (torch.tensor([0.1, 1.0], dtype=torch.float64, requires_grad=True), [0.1, 1.0]),
        (torch.tensor([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])),
    ],
)
def test_tensors_are_their_numbers(tensor: Any, numbers: Any) -> None:
    assert ENCODER.one(tensor) == ENCODER.one(list(tensor)) == ENCODER.one(numbers)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_inf_in_a_tensor(value: float) -> None:
    for vector in (torch.tensor([value]), [torch.tensor(value)]):
        with pytest.raises(ValueError, match="argument 'vector'"):
            ENCODER.all([vector], ["vector"])


def test_tensors_that_are_no_arrays() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these kinds are experimental
        tensors = [torch.ones(2, 2).to_sparse(), torch.ones(2, dtype=torch.complex32)]
    for tensor in tensors:
        with pytest.raises(UnkeyableError, match="argument 'x': a torch.Tensor that is no array"):
            ENCODER.all([tensor], ["x"])
