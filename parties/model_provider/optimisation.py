"""Gradient steps of one student: losses, rates, shares of the budget, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parties.model_provider.allocating import Shares, share_gradient
from parties.model_provider.batches import Batch, Source
from parties.model_provider.checkpoint import Progress
from parties.model_provider.held_out import HeldOut
from parties.model_provider.margin import AngularMargin
from parties.model_provider.schedule import (
    DistilConfig,
    OnProgress,
    Report,
    convolutions,
    one_cycle,
)
from parties.model_provider.student import StudentNetwork
from parties.model_provider.teacher import RgbEmbedder
from protocol.errors import DataError
from protocol.features import Allocation, Calibration

__all__ = ["Optimisation"]

_CHECKPOINT_EVERY_S: Final = 60.0
_CENTRE_RATE: Final = 10.0
"""Centres of people start at their mean embedding and move faster than the network."""


def _shares(source: Source) -> Shares:
    shares = Shares(source.spec)
    if source.calibration.allocation is not None:
        shares.start_from(source.calibration.allocation)
    return shares


def _margin(source: Source, config: DistilConfig, dimension: int) -> AngularMargin | None:
    """Return the margin loss with the teacher's mean embedding of everybody to start from."""
    if config.arcface_weight <= 0:
        return None
    if source.people is None:
        raise DataError("the margin loss needs to know who is on each picture", where="training")
    centres = np.zeros((int(source.people.max()) + 1, dimension), np.float32)
    for rows, embeddings in source.known_embeddings():
        np.add.at(centres, source.people[rows], embeddings)
    return AngularMargin(centres, config.arcface_scale, config.arcface_margin)


class Optimisation:
    """The optimisation of one student."""

    def __init__(
        self,
        network: StudentNetwork,
        teacher: RgbEmbedder,
        config: DistilConfig,
        source: Source,
        held: NDArray[np.uint8] | None = None,
    ) -> None:
        self.progress = Progress()
        self.config, self._source = config, source
        self.network = network.to(config.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        teacher.network.to(config.device)
        groups: list[dict[str, Any]] = [
            {"params": list(network.parameters()), "weight_decay": 1e-4, "peak": 1.0}
        ]
        self.shares = _shares(source) if source.spec.allocation == "learned" else None
        self.margin = _margin(source, config, network.design.dimension)
        if self.shares is not None:
            peak = config.share_rate / config.learning_rate
            shared = list(self.shares.parameters())
            groups.append({"params": shared, "weight_decay": 0.0, "peak": peak})
        if self.margin is not None:
            centres = list(self.margin.to(config.device).parameters())
            groups.append({"params": centres, "weight_decay": 1e-4, "peak": _CENTRE_RATE})
        self.optimiser = torch.optim.AdamW(groups, lr=0.0)
        self.held_out: HeldOut | None = None
        if held is not None:
            self.held_out = HeldOut(held, config, source, self.network, self.trained)

    @property
    def trained(self) -> nn.Module:
        """Everything gradients change."""
        parts = {"network": self.network, "shares": self.shares, "margin": self.margin}
        found = {name: part for name, part in parts.items() if part is not None}
        return self.network if len(found) == 1 else nn.ModuleDict(found)

    @property
    def calibration(self) -> Calibration:
        """The calibration with the shares learned so far."""
        known = self._source.calibration
        return known if self.shares is None else replace(known, allocation=self._allocation())

    def _allocation(self) -> Allocation | None:
        return None if self.shares is None else self.shares.allocation()

    def train(self, on_progress: OnProgress | None, save: Callable[[], None]) -> None:
        """Take steps until the schedule is over or patience ends.

        The next batch is prepared meanwhile. Where people were held out, the network ends as the
        best one that was checked.
        """
        last, saved = time.monotonic(), time.monotonic()
        with ThreadPoolExecutor(1) as background:
            pending = background.submit(self._source.batch, self.progress.step, self._allocation())
            while self._fraction() < 1.0 and not self._lost():
                batch = pending.result()
                # Shares of one step ago: a batch must not depend on when it is prepared.
                pending = background.submit(
                    self._source.batch, self.progress.step + 1, self._allocation()
                )
                loss = self._step(batch)
                now = time.monotonic()
                self.progress = self.progress.after(loss, now - last)
                last = now
                if on_progress:
                    on_progress(self._report())
                if now - saved > _CHECKPOINT_EVERY_S:
                    save()
                    saved = now
        if self.held_out is not None:
            self.held_out.check(self._allocation())
            self.held_out.restore_best()

    def _lost(self) -> bool:
        """Check on held-out people when it is time; return whether patience has ended."""
        if self.held_out is None:
            return False
        if self.progress.step and self.progress.step % self.config.check_steps == 0:
            self.held_out.check(self._allocation())
        return self.held_out.lost

    def _fraction(self) -> float:
        if self.config.steps is not None:
            return self.progress.step / self.config.steps if self.config.steps else 1.0
        return self.progress.elapsed_s / max(1e-9, 60 * self.config.minutes)

    def _step(self, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            rate = self.config.learning_rate * group["peak"]
            group["lr"] = rate * one_cycle(self._fraction())
        device = self.config.device
        protected = batch.protected.to(device).requires_grad_(self.shares is not None)
        features = self._features(protected)
        wanted, target = (part.to(device) for part in batch.target)
        embeddings = self.network.face.head(features)
        distance = _distance(embeddings, target)
        goal = distance + self.config.hint_weight * _distance(features, wanted)
        total = self.config.distil_weight * goal
        if self.margin is not None and batch.people is not None:
            apart = self.margin(embeddings, batch.people.to(device))
            total = total + self.config.arcface_weight * apart
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.shares is not None and batch.noise is not None and protected.grad is not None:
            self.shares.backward(share_gradient(batch.noise, protected.grad.cpu()))
        self.optimiser.step()
        if self.shares is not None:
            self.shares.keep_within()
        return float(distance.detach())

    def _features(self, protected: Tensor) -> Tensor:
        with convolutions(self.config):
            found: Tensor = self.network.features(protected).float()
        return found

    def _report(self) -> Report:
        fraction, elapsed = self._fraction(), self.progress.elapsed_s
        remaining = elapsed * (1 - fraction) / max(fraction, 1e-9)
        held = None if self.held_out is None else self.held_out.last
        return Report(self.progress.step, self.progress.loss, elapsed, max(0.0, remaining), held)


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean of 1 − cos along the channels."""
    return 1 - functional.cosine_similarity(ours, theirs, dim=1).mean()
