"""Attack A3: a trained network that paints a face's luminance from protected inputs.

The adversary can protect pictures of its own as often as it likes (it knows everything but the
noise of the upload it attacks) and learns the way back from such pairs. The network is a small
U-Net: a 1×1 reduction of the channels, then five scales, because what single coefficients say are
differences of neighbouring pixels that have to be summed over the whole face.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "RecoveryBatch",
    "RecoveryConfig",
    "RecoveryNetwork",
    "RecoveryReport",
    "recover",
    "train_recovery",
]

WIDTHS: Final = (16, 32, 64, 64, 64)
"""Channels at 112, 56, 28, 14 and 7 pixels."""
SHADES: Final = 64.0
"""Grey levels the network counts as one."""
WARMUP: Final = 0.03
MEMORY: Final = 0.95
"""Weight of the past in the reported loss."""


class RecoveryBatch(NamedTuple):
    """Protected inputs float32 `[B,C,112,112]`, and the luminance minus 128 `[B,112,112]`."""

    inputs: Tensor
    luminance: Tensor


@dataclass(frozen=True, slots=True)
class RecoveryConfig:
    """How the adversary trains.

    Attributes:
        steps: gradient steps.
        learning_rate: of Adam after warming up; a cosine takes it to zero.
        seed: of the first weights.
        device: `cpu` or `cuda`.
        half: convolutions run in bfloat16; weights and loss are float32.
    """

    steps: int
    learning_rate: float = 3e-3
    seed: int = 7
    device: str = "cpu"
    half: bool = False


class RecoveryReport(NamedTuple):
    """One line of progress; `loss` is a running mean of |error| in grey levels."""

    step: int
    loss: float


class RecoveryNetwork(nn.Module):
    """Protected inputs `[B,C,112,112]` to luminance minus 128, `[B,112,112]`.

    It starts out painting one face for everybody, `typical` `[112,112]`, and learns what to add.
    """

    typical: Tensor

    def __init__(self, channels: int, typical: Tensor) -> None:
        super().__init__()
        self.register_buffer("typical", typical)
        first, last = WIDTHS[0], WIDTHS[-1]
        self.reduce = nn.Conv2d(channels, first, 1)
        self.enter = _block(first, first)
        pairs = list(pairwise(WIDTHS))
        self.down = nn.ModuleList(_block(high, low, stride=2) for high, low in pairs)
        self.bottom = _block(last, last)
        self.narrow = nn.ModuleList(nn.Conv2d(low, high, 1) for high, low in reversed(pairs))
        self.merge = nn.ModuleList(_block(high, high) for high, _ in reversed(pairs))
        self.paint = nn.Conv2d(first, 1, 1, bias=False)
        nn.init.zeros_(self.paint.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Paint pictures."""
        reduced = self.reduce(inputs)
        scales = [self.enter(reduced)]
        for down in self.down:
            scales.append(down(scales[-1]))
        found = self.bottom(scales.pop())
        for narrow, merge in zip(self.narrow, self.merge, strict=True):
            wide = functional.interpolate(narrow(found), scale_factor=2.0, mode="nearest")
            found = merge(wide + scales.pop())
        # The reduced input goes along unchanged: of a plane, the picture itself.
        added: Tensor = self.paint(found + reduced)[:, 0].float()
        return self.typical + SHADES * added


def train_recovery(
    typical: NDArray[np.float32],
    batch_of: Callable[[int], RecoveryBatch],
    config: RecoveryConfig,
    on_progress: Callable[[RecoveryReport], None] = lambda _: None,
) -> RecoveryNetwork:
    """Train a network on the batch of each step; the result is a function of all arguments.

    The next batch is prepared meanwhile, in another thread.

    Args:
        typical: luminance minus 128 that is painted where nothing is known, `[112,112]`.
        batch_of: step to batch.
        config: of the training.
        on_progress: told of every step.
    """
    batch = batch_of(0)
    network = _drawn(batch.inputs.shape[1], typical, config.seed).to(config.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=0.0)
    mean = math.nan
    with ThreadPoolExecutor(1) as background:
        for step in range(config.steps):
            pending = background.submit(batch_of, step + 1)
            loss = _step(network, optimiser, batch, _rate(step, config), config)
            mean = loss if math.isnan(mean) else MEMORY * mean + (1 - MEMORY) * loss
            on_progress(RecoveryReport(step + 1, mean))
            batch = pending.result()
    return network.eval()


def recover(network: RecoveryNetwork, inputs: Tensor) -> NDArray[np.float32]:
    """Return the luminance minus 128 the network paints, float32 `[B,112,112]`."""
    device = network.paint.weight.device
    with torch.inference_mode():
        found: NDArray[np.float32] = network(inputs.to(device)).cpu().numpy()
    return found


def _drawn(channels: int, typical: NDArray[np.float32], seed: int) -> RecoveryNetwork:
    """Return a network with first weights of that seed; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecoveryNetwork(channels, torch.from_numpy(typical))


def _block(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _step(
    network: RecoveryNetwork,
    optimiser: torch.optim.Adam,
    batch: RecoveryBatch,
    rate: float,
    config: RecoveryConfig,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = rate
    with _convolutions(config):
        found = network(batch.inputs.to(config.device))
    loss = functional.l1_loss(found, batch.luminance.to(config.device))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def _rate(step: int, config: RecoveryConfig) -> float:
    """Linear warm-up, then a cosine down to zero."""
    done = step / config.steps
    falling = 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * falling * min(1.0, (done + 1e-3) / WARMUP)


def _convolutions(config: RecoveryConfig) -> torch.autocast:
    return torch.autocast(config.device, torch.bfloat16, enabled=config.half)
