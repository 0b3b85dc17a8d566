"""Training a small RGB network from nothing, on people whose factors are known.

Generated people come with the numbers they were drawn from. Pointing an embedding at those
numbers (loss 1 − cos) teaches far more per picture than telling a thousand people apart, and
needs no person twice. What cannot be seen in a picture shrinks towards zero by itself.
A closed-form discriminant then weighs directions by how well they tell people apart.

Time is what limits such a network, so steps are made cheap: slopes of the PReLU stay where they
start, which halves the time of a backward pass, and convolutions may run in bfloat16.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from parties.model_provider.schedule import OnProgress, Precision, Report, one_cycle
from parties.model_provider.teacher import RgbEmbedder

__all__ = ["SCALING", "FactorBatch", "SmallConfig", "separate_people", "train_small"]

SCALING = RgbScaling(0, 1 / 128)
_MEMORY = 0.95  # of the running loss
_RIDGE = 1.0  # relative to the mean spread within people; chosen on held-out generated people

FactorBatch = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Pictures `[B,112,112,3]` and the wanted directions `[B,dimension]`."""


@dataclass(frozen=True, slots=True)
class SmallConfig:
    """How a small network is trained.

    Attributes:
        steps: gradient steps; with the seed they determine the result on one machine.
        learning_rate: peak of the one-cycle schedule.
        width: factor on the channels of the published network.
        dimension: entries of an embedding.
        seed: of the first weights; the batches have their own.
        precision: of the convolutions; losses, head and weights are always float32.
    """

    steps: int = 2000
    learning_rate: float = 3e-3
    width: float = 0.5
    dimension: int = 128
    seed: int = 7
    precision: Precision = "float32"


def train_small(
    batch: Callable[[int], FactorBatch],
    config: SmallConfig,
    on_progress: OnProgress | None = None,
) -> RgbEmbedder:
    """Train on `batch(0)`, `batch(1)`, …; the next one is drawn while a step is taken."""
    network = MobileFaceNet(Architecture(dimension=config.dimension, width=config.width))
    initialise(network, config.seed).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = _fix_slopes(network)
    optimiser = torch.optim.AdamW(trained, lr=0.0, weight_decay=1e-3)
    inputs = RgbEmbedder(network, SCALING).inputs
    network.train()
    began, mean = time.monotonic(), float("nan")
    with ThreadPoolExecutor(1) as background:
        pending = background.submit(batch, 0)
        for step in range(config.steps):
            pictures, wanted = pending.result()
            pending = background.submit(batch, step + 1)
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * one_cycle(step / config.steps)
            with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
                features = network.features(inputs(pictures))
            found = network.head(features.float())
            loss = 1 - functional.cosine_similarity(found, torch.from_numpy(wanted)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            value = float(loss.detach())
            mean = value if step == 0 else _MEMORY * mean + (1 - _MEMORY) * value
            if on_progress:
                on_progress(_report(step + 1, mean, time.monotonic() - began, config.steps))
    return RgbEmbedder(network.eval(), SCALING)


def _fix_slopes(network: MobileFaceNet) -> list[nn.Parameter]:
    """Leave the slopes of all PReLU where they are; return what is trained."""
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            module.weight.requires_grad = False
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _report(step: int, loss: float, elapsed_s: float, steps: int) -> Report:
    return Report(step, loss, elapsed_s, elapsed_s * (steps - step) / step)


def separate_people(embedder: RgbEmbedder, pictures: NDArray[np.uint8], each: int) -> RgbEmbedder:
    """Replace the last layer by Fisher's discriminant, in closed form.

    `pictures` holds `each` pictures of one person after another. Directions in which people
    differ more than their pictures do count fully, the others by how much they differ.
    """
    network = embedder.network
    pooled = _pooled(embedder, pictures)
    centre = pooled.mean(0)
    people = (pooled - centre).reshape(-1, each, pooled.shape[1])
    means = people.mean(1)
    spread = (people - means[:, None]).reshape(pooled.shape)
    within = spread.T @ spread / (len(people) * (each - 1))
    between = means.T @ means / len(people) - within / each
    directions = _discriminant(between, within)[: embedder.dimension]
    with torch.no_grad():
        network.embed.weight.zero_()
        network.embed.weight[: len(directions)] = directions.float()
        ones = torch.ones(embedder.dimension)
        mean = network.embed.weight @ centre.float()
    state = {"weight": ones, "bias": 0 * ones, "running_mean": mean, "running_var": ones}
    network.embed_norm.load_state_dict(state, strict=False)
    return RgbEmbedder(network, SCALING)


def _pooled(embedder: RgbEmbedder, pictures: NDArray[np.uint8]) -> Tensor:
    network, parts = embedder.network, []
    with torch.inference_mode():
        for start in range(0, len(pictures), 32):
            features = network.features(embedder.inputs(pictures[start : start + 32]))
            parts.append(network.spread(network.expand(features)).flatten(1))
    return torch.cat(parts).double()


def _discriminant(between: Tensor, within: Tensor) -> Tensor:
    """Rows that whiten the spread within people, the most telling first."""
    ridge = _RIDGE * within.diagonal().mean() * torch.eye(len(within), dtype=within.dtype)
    root = torch.linalg.cholesky(within + ridge)
    inverse = torch.linalg.inv(root)
    ratio, axes = torch.linalg.eigh(inverse @ between @ inverse.T)
    weights = ratio.flip(0).clamp(0, 1)
    directions: Tensor = weights[:, None] * (axes.flip(1).T @ inverse)
    return directions
