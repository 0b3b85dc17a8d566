"""Pictures an adversary protects itself to learn from, and the uploads it attacks."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestration.benchmarks.inputs.mechanisms import luminance
from parties.adversary.learned_recovery import RecoveryBatch
from parties.model_provider.batches import training_bytes
from parties.model_provider.student import InputTransform
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, ProtectedBatch

__all__ = ["BATCH", "Oracle", "mean_face"]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

BATCH: Final = 32
LOADED: Final = 256
"""Pictures turned into luminance at a time."""


class Oracle:
    """The transform of one kind of input, as anybody can run it; noise is a function of labels."""

    def __init__(self, spec: FeatureSpec, calibration: Calibration, seed: int) -> None:
        self.spec, self.calibration = spec, calibration
        self.seed = seed
        self._transform = InputTransform(spec, calibration)

    def protect(self, pictures: Pictures, label: str) -> ProtectedBatch:
        """Return what would be sent, with the noise that belongs to `label`."""
        return self._extractor(label).protect(np.ascontiguousarray(pictures))

    def inputs(self, batch: ProtectedBatch) -> Tensor:
        """Return what a network reads of it, float32 `[B,C,112,112]`."""
        return self._transform(batch)

    def batch(self, pictures: Pictures, step: int) -> RecoveryBatch:
        """Return the training batch of one step: another order every epoch, half mirrored."""
        size = min(BATCH, len(pictures))
        epoch, place = divmod(step, len(pictures) // size)
        generator = np.random.default_rng((self.seed, epoch))
        rows = generator.permutation(len(pictures))[place * size :][:size]
        mirrored = (generator.random(len(pictures)) < 0.5)[place * size :][:size]
        chosen = pictures[rows]
        chosen[mirrored] = chosen[mirrored, :, ::-1]
        inputs = self.inputs(self.protect(chosen, f"step-{step}"))
        return RecoveryBatch(inputs, torch.from_numpy(luminance(chosen)))

    def _extractor(self, label: str) -> FeatureExtractor:
        noise = training_bytes(self.seed, f"recovery-{label}")
        return FeatureExtractor(self.spec, self.calibration, noise)


def mean_face(pictures: Pictures) -> Planes:
    """Return the mean luminance minus 128 of pictures and their mirrored selves, [112,112]."""
    starts = range(0, len(pictures), LOADED)
    parts = (luminance(pictures[i : i + LOADED]).sum(axis=0, dtype=np.float64) for i in starts)
    mean = sum(parts, np.zeros(pictures.shape[1:3])) / len(pictures)
    return np.asarray((mean + mean[:, ::-1]) / 2, dtype=np.float32)
