"""Training a small RGB network from nothing, on people whose factors are known.

Generated people come with the numbers they were drawn from. Pointing an embedding at those
numbers (loss 1 − cos) teaches far more per picture than telling a thousand people apart, and
needs no person twice. What cannot be seen in a picture shrinks towards zero by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from parties.model_provider.distillation import OnProgress, Report, one_cycle
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from parties.model_provider.teacher import RgbEmbedder

__all__ = ["SCALING", "FactorBatch", "SmallConfig", "train_small"]

SCALING = RgbScaling(0, 1 / 128)
_MEMORY = 0.95  # of the running loss

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
    """

    steps: int = 400
    learning_rate: float = 4e-3
    width: float = 0.5
    dimension: int = 128
    seed: int = 7


def train_small(
    batch: Callable[[int], FactorBatch],
    config: SmallConfig,
    on_progress: OnProgress | None = None,
) -> RgbEmbedder:
    """Train on `batch(0)`, `batch(1)`, …; the next one is drawn while a step is taken."""
    network = MobileFaceNet(Architecture(dimension=config.dimension, width=config.width))
    initialise(network, config.seed).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.0, weight_decay=1e-3)
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
            found = network(inputs(pictures))
            loss = 1 - functional.cosine_similarity(found, torch.from_numpy(wanted)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            value = float(loss.detach())
            mean = value if step == 0 else _MEMORY * mean + (1 - _MEMORY) * value
            if on_progress:
                on_progress(_report(step + 1, mean, time.monotonic() - began, config.steps))
    return RgbEmbedder(network.eval(), SCALING)


def _report(step: int, loss: float, elapsed_s: float, steps: int) -> Report:
    return Report(step, loss, elapsed_s, elapsed_s * (steps - step) / step)
