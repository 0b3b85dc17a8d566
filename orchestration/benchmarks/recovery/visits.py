"""Pictures an adversary protects itself to learn from, and the uploads it attacks."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestration.benchmarks.inputs.mechanisms import luminance
from orchestration.benchmarks.inputs.reading import Reader
from parties.adversary.learned_recovery import RecoveryBatch
from parties.adversary.linear_inversion import LinearAttack
from parties.model_provider.batches import training_bytes
from parties.model_provider.student import InputTransform
from protocol.errors import DataError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, ProtectedBatch
from scenarios.datasets import DataSet

__all__ = ["BATCH", "Oracle", "adversary_pictures", "mean_face"]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

BATCH: Final = 32
HELD: Final = 64
"""People held out, one picture each."""
FEWEST: Final = 2
LOADED: Final = 256
"""Pictures turned into luminance at a time."""


class Oracle:
    """The transform of one kind of input, as anybody can run it; noise is a function of labels."""

    def __init__(
        self, spec: FeatureSpec, calibration: Calibration, attack: LinearAttack, seed: int
    ) -> None:
        self.spec, self.calibration = spec, calibration
        self.seed = seed
        self.reader = Reader(spec, calibration, attack)
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
        return self.known(chosen, f"step-{step}")

    def known(self, pictures: Pictures, label: str) -> RecoveryBatch:
        """Return what the adversary has of pictures of its own, with the noise of `label`."""
        sent = self.protect(pictures, label)
        estimate = torch.from_numpy(self.reader.read(sent))
        return RecoveryBatch(self.inputs(sent), estimate, torch.from_numpy(luminance(pictures)))

    def _extractor(self, label: str) -> FeatureExtractor:
        noise = training_bytes(self.seed, f"recovery-{label}")
        return FeatureExtractor(self.spec, self.calibration, noise)


def adversary_pictures(dataset: DataSet, known: int) -> tuple[Pictures, Pictures]:
    """Return the pictures an adversary trains on, and those of people it holds out.

    The linear attack's prior was fitted to the first picture of each of the first `known` people.
    Its estimates of those are too good to learn from; they are left out where there are others.

    Raises:
        DataError: the data set has fewer than two training people.
    """
    people = dataset.training_identities()
    if len(people) < FEWEST:
        text = f"{len(people)} training people, at least {FEWEST} are needed"
        raise DataError(text, where=dataset.name)
    kept = max(1, min(HELD, len(people) // FEWEST))
    every = [list(dataset.pictures_of(name)) for name in people[:-kept]]
    fresh = [ids[1:] if number < known else ids for number, ids in enumerate(every)]
    chosen = [name for ids in (fresh if any(fresh) else every) for name in ids]
    held = [dataset.pictures_of(name)[0] for name in people[-kept:]]
    parts = [dataset.load(chosen[i : i + LOADED]) for i in range(0, len(chosen), LOADED)]
    return np.concatenate(parts), dataset.load(held)


def mean_face(pictures: Pictures) -> Planes:
    """Return the mean luminance minus 128 of pictures and their mirrored selves, [112,112]."""
    starts = range(0, len(pictures), LOADED)
    parts = (luminance(pictures[i : i + LOADED]).sum(axis=0, dtype=np.float64) for i in starts)
    mean = sum(parts, np.zeros(pictures.shape[1:3])) / len(pictures)
    return np.asarray((mean + mean[:, ::-1]) / 2, dtype=np.float32)
