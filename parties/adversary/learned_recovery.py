"""Attack A3: a trained network that paints a face's luminance from protected inputs.

The adversary can protect pictures of its own as often as it likes (it knows everything but the
noise of the upload it attacks) and learns the way back from such pairs. It starts where linear
algebra ends: the network sees the linear attack's estimate beside the upload, returns it unchanged
before its first step, and learns what to add. The network is a small U-Net: a 1x1 reduction of the
channels, then five scales, because what single coefficients say are differences of neighbouring
pixels that have to be summed over the whole face.

Training ends where pictures of people it was not trained on stop getting better, and the best
network on them is kept. One that ran out of steps before has not converged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    "TrainedRecovery",
    "recover",
    "train_recovery",
]

WIDTHS: Final = (16, 32, 64, 64, 64)
"""Channels at 112, 56, 28, 14 and 7 pixels."""
SHADES: Final = 64.0
"""Grey levels the network counts as one."""
WARMUP: Final = 10
"""Steps to the full learning rate."""
SLOWER: Final = 4.0
"""By what the learning rate falls."""
FALLS: Final = 2
"""How often it falls before training ends."""
MEMORY: Final = 0.95
"""Weight of the past in the reported loss."""


class RecoveryBatch(NamedTuple):
    """What the adversary knows of pictures, and what it wants to know.

    Attributes:
        inputs: protected, float32 `[B,C,112,112]`.
        estimate: luminance minus 128 as the linear attack recovers it, `[B,112,112]`.
        luminance: the true one.
    """

    inputs: Tensor
    estimate: Tensor
    luminance: Tensor


@dataclass(frozen=True, slots=True)
class RecoveryConfig:
    """How the adversary trains.

    Attributes:
        steps: gradient steps at most.
        learning_rate: of Adam after warming up, until people not trained on stop getting better.
        every: steps between looks at those people.
        patience: looks without a better one before the learning rate falls.
        seed: of the first weights.
        device: `cpu` or `cuda`.
        half: convolutions run in bfloat16; weights and loss are float32.
    """

    steps: int
    learning_rate: float = 1e-3
    every: int = 20
    patience: int = 3
    seed: int = 7
    device: str = "cpu"
    half: bool = False


class RecoveryReport(NamedTuple):
    """One line of progress; `loss` is a running mean of |error| in grey levels."""

    step: int
    loss: float


class TrainedRecovery(NamedTuple):
    """A trained adversary.

    Attributes:
        network: the best one on people it was not trained on.
        steps: gradient steps that were taken.
        converged: whether they ended because nothing got better any more.
        start_error: mean |error| of the linear estimate on those people, in grey levels.
        error: the same of the network.
    """

    network: RecoveryNetwork
    steps: int
    converged: bool
    start_error: float
    error: float


class RecoveryNetwork(nn.Module):
    """Protected inputs `[B,C,112,112]` and linear estimates to luminance minus 128, `[B,112,112]`.

    It starts out returning the estimate, and learns what to add.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, last = WIDTHS[0], WIDTHS[-1]
        self.reduce = nn.Conv2d(channels + 1, first, 1)
        self.enter = _block(first, first)
        pairs = list(pairwise(WIDTHS))
        self.down = nn.ModuleList(_block(high, low, stride=2) for high, low in pairs)
        self.bottom = _block(last, last)
        self.narrow = nn.ModuleList(nn.Conv2d(low, high, 1) for high, low in reversed(pairs))
        self.merge = nn.ModuleList(_block(high, high) for high, _ in reversed(pairs))
        self.paint = nn.Conv2d(first, 1, 1, bias=False)
        nn.init.zeros_(self.paint.weight)

    def forward(self, inputs: Tensor, estimate: Tensor) -> Tensor:
        """Paint pictures."""
        seen = torch.cat([inputs, estimate[:, None] / SHADES], dim=1)
        reduced = self.reduce(seen)
        scales = [self.enter(reduced)]
        for down in self.down:
            scales.append(down(scales[-1]))
        found = self.bottom(scales.pop())
        for narrow, merge in zip(self.narrow, self.merge, strict=True):
            wide = functional.interpolate(narrow(found), scale_factor=2.0, mode="nearest")
            found = merge(wide + scales.pop())
        # The reduced input goes along unchanged: of a plane, the picture itself.
        added: Tensor = self.paint(found + reduced)[:, 0].float()
        return estimate + SHADES * added


def train_recovery(
    batch_of: Callable[[int], RecoveryBatch],
    held: Sequence[RecoveryBatch],
    config: RecoveryConfig,
    on_progress: Callable[[RecoveryReport], None] = lambda _: None,
) -> TrainedRecovery:
    """Train a network on the batch of each step; the result is a function of all arguments.

    The next batch is prepared meanwhile, in another thread.

    Args:
        batch_of: step to batch.
        held: batches of people that are not trained on; they say when to stop.
        config: of the training.
        on_progress: told of every step.
    """
    batch = batch_of(0)
    network = _drawn(batch.inputs.shape[1], config.seed).to(config.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=0.0)
    watch = _Watch(network, held, config)
    mean, step = math.nan, 0
    with ThreadPoolExecutor(1) as background:
        while step < config.steps and not watch.ended:
            pending = background.submit(batch_of, step + 1)
            rate = config.learning_rate * watch.share * min(1.0, (step + 1) / WARMUP)
            loss = _step(network, optimiser, batch, rate, config)
            mean = loss if math.isnan(mean) else MEMORY * mean + (1 - MEMORY) * loss
            step += 1
            on_progress(RecoveryReport(step, mean))
            if step % config.every == 0 or step == config.steps:
                watch.look(network)
            batch = pending.result()
    network.load_state_dict(watch.best)
    return TrainedRecovery(network.eval(), step, watch.ended, watch.start, watch.least)


def recover(
    network: RecoveryNetwork, inputs: Tensor, estimate: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the luminance minus 128 the network paints, float32 `[B,112,112]`."""
    device = network.paint.weight.device
    with torch.inference_mode():
        known = torch.from_numpy(estimate).to(device)
        found: NDArray[np.float32] = network(inputs.to(device), known).cpu().numpy()
    return found


class _Watch:
    """Looks at people who are not trained on, keeps the best network, and says when to stop."""

    def __init__(
        self, network: RecoveryNetwork, held: Sequence[RecoveryBatch], config: RecoveryConfig
    ) -> None:
        self._held, self._config = held, config
        self._waited, self._falls = 0, 0
        self.start = self.least = self._error(network)
        self.best = _copied(network)
        self.share, self.ended = 1.0, False

    def look(self, network: RecoveryNetwork) -> None:
        """Compare the network with the best one; where none is better any more, slow down."""
        error = self._error(network)
        if error < self.least:
            self.least, self.best, self._waited = error, _copied(network), 0
            return
        self._waited += 1
        if self._waited >= self._config.patience:
            self._waited, self._falls = 0, self._falls + 1
            self.share /= SLOWER
            self.ended = self._falls > FALLS
            network.load_state_dict(self.best)

    def _error(self, network: RecoveryNetwork) -> float:
        network.eval()
        total = 0.0
        for batch in self._held:
            found = recover(network, batch.inputs, batch.estimate.numpy())
            total += float(np.abs(found - batch.luminance.numpy()).mean())
        network.train()
        return total / len(self._held)


def _copied(network: RecoveryNetwork) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _drawn(channels: int, seed: int) -> RecoveryNetwork:
    """Return a network with first weights of that seed; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecoveryNetwork(channels)


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
        found = network(batch.inputs.to(config.device), batch.estimate.to(config.device))
    loss = functional.l1_loss(found, batch.luminance.to(config.device))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def _convolutions(config: RecoveryConfig) -> torch.autocast:
    return torch.autocast(config.device, torch.bfloat16, enabled=config.half)
