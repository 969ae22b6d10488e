"""Fits the weights of a model to examples, with PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._weights import HEADS, HIDDEN, INPUTS, Layer, Model
from ..errors import ModelError
from ._examples import Examples

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["fit", "need_torch"]

_WIDTHS = (INPUTS, HIDDEN, HIDDEN, HEADS)
_LARGEST_BATCH = 4096
_LEAST_BATCH = 64
_BATCHES = 64  # of an epoch, at least, where that leaves them the least size
_RATE = 6e-3  # the highest of the cycle


def need_torch() -> Any:
    """The module torch. Raises ModelError where it is missing."""
    try:
        import torch
    except ImportError as error:
        raise ModelError(
            f"training needs torch, which cannot be imported ({error}): pip install 'vcache[torch]'"
        ) from error
    return torch


def fit(
    examples: Examples,
    *,
    epochs: int,
    seed: int,
    start: Model | None = None,
    progress: Callable[[float], object] = lambda share: None,
) -> Model:
    """The model that fits best what became of the examples.

    Binary cross-entropy of each example's own output, by weight; Adam (Kingma, Ba, ICLR 2015)
    under a one-cycle rate (Smith, Topin, 2018), in `epochs` rounds of shuffled batches. From the
    weights of `start`, or random ones; an output that no example is of stays as it was there, or
    says 0.5. Equal arguments give equal bytes on one machine. One thread; leaves torch's own
    settings and random numbers as they were. Raises ModelError where torch is missing, or what it
    finds is not finite.
    """
    torch = need_torch()
    random = np.random.default_rng(seed)
    layers = _random_layers(random) if start is None else start.layers
    if start is None:  # what no example tells of has no say
        layers[0][0][~examples.features.any(axis=0)] = 0
    with _one_thread(torch):
        parameters = [torch.tensor(part, requires_grad=True) for layer in layers for part in layer]
        _descend(torch, parameters, examples, epochs, random, progress)
        fitted: list[npt.NDArray[np.float32]] = [each.detach().numpy() for each in parameters]
    pairs = zip(fitted[::2], fitted[1::2], strict=True)
    return Model.of_layers(list(pairs))


def _descend(
    torch: Any,
    parameters: list[Tensor],
    examples: Examples,
    epochs: int,
    random: np.random.Generator,
    progress: Callable[[float], object],
) -> None:
    features, labels = torch.from_numpy(examples.features), torch.from_numpy(examples.labels)
    heads = torch.from_numpy(examples.heads.astype(np.int64))[:, None]
    weights, labels = torch.from_numpy(examples.weights), labels.to(torch.float32)
    count = len(examples)
    batch = min(max(count // _BATCHES, _LEAST_BATCH), _LARGEST_BATCH, count)
    steps = count // batch
    adam = torch.optim.Adam(parameters, _RATE)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, _RATE, total_steps=epochs * steps + 1)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    for epoch in range(epochs):
        order = torch.from_numpy(random.permutation(count))
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            outputs = _outputs(features[chosen], parameters).gather(1, heads[chosen])[:, 0]
            losses = loss_of(outputs, labels[chosen], reduction="none")
            weight = weights[chosen]
            loss = (losses * weight).sum() / weight.sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            cycle.step()
            if step % _BATCHES == 0:
                progress((epoch + step / steps) / epochs)
    progress(1.0)


def _outputs(rows: Tensor, parameters: list[Tensor]) -> Tensor:
    """Logits of shape (n, 5)."""
    for place, (weights, biases) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        rows = (rows if place == 0 else rows.relu()) @ weights + biases
    return rows


def _random_layers(random: np.random.Generator) -> list[Layer]:
    """Uniform up to 1 / sqrt(inputs), as torch.nn.Linear begins; outputs of no horizon are 0."""
    layers = []
    for inputs, outputs in pairwise(_WIDTHS):
        bound = inputs**-0.5
        weights = random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        layers.append((weights, random.uniform(-bound, bound, outputs).astype(np.float32)))
    weights, biases = layers[-1]
    weights[:, -1] = biases[-1] = 0
    return layers


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Matrices of this size are multiplied fastest by one; and its sums are the same each time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
