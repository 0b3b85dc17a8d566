"""Batches a student is trained on: protected inputs beside what the teacher says of them.

A batch is a function of seed and step alone, so that an interrupted training continues with the
pictures, mirroring, displacement and noise it would have had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parties.model_provider.allocating import Noise
from parties.model_provider.embedders import Student
from parties.model_provider.ridge import RidgeBatch
from parties.model_provider.student import InputTransform
from parties.model_provider.targets import Target, TargetCache
from parties.model_provider.teacher import RgbEmbedder
from protocol.features import (
    Allocation,
    Calibration,
    FeatureExtractor,
    FeatureSpec,
    ProtectedBatch,
)

__all__ = [
    "Batch",
    "Client",
    "ClientMaker",
    "Relight",
    "Source",
    "Visits",
    "displaced",
    "training_bytes",
]

Pictures = NDArray[np.uint8]


class Client(Protocol):
    """Who protects pictures before a network sees them."""

    def protect(self, pictures: Pictures) -> ProtectedBatch:
        """Protect uint8 [B,112,112,3]."""
        ...


ClientMaker = Callable[[FeatureSpec, Calibration, Callable[[int], bytes]], Client]
Relight = Callable[[Pictures, np.random.Generator], Pictures]
"""Pictures under other light, uint8 [B,112,112,3] both."""


class Batch(NamedTuple):
    """Protected inputs `[B,C,112,112]` and the teacher's outputs on the same pictures.

    Attributes:
        protected: what the network reads.
        target: what the teacher says.
        noise: how it was made, where shares of the budget are learned.
        people: who is on each picture [B], where that is known.
    """

    protected: Tensor
    target: Target
    noise: Noise | None = None
    people: Tensor | None = None


class Visits(NamedTuple):
    """How pictures are visited.

    Attributes:
        size: pictures of a batch.
        seed: of order, mirroring, displacement and noise.
        shift: largest displacement in pixels, along each axis.
        half: the teacher's convolutions run in bfloat16.
        client: who protects them; another one than the specification implies adds noise of its own.
        light: share of pictures the student sees under other light than the teacher.
        relight: how that light is made; needed where `light` is not 0.
    """

    size: int
    seed: int
    shift: int = 0
    half: bool = False
    client: ClientMaker = FeatureExtractor
    light: float = 0.0
    relight: Relight | None = None


class Source:
    """Batches of matching protected inputs and targets, a function of seed and step alone."""

    def __init__(
        self,
        pictures: Pictures,
        teacher: RgbEmbedder,
        spec: FeatureSpec,
        calibration: Calibration,
        visits: Visits,
        targets: TargetCache | None = None,
        people: NDArray[np.int64] | None = None,
    ) -> None:
        """Keep what batches are made of.

        `targets` may remember these pictures already; `people` [N] numbers who is on them.
        """
        self.people = None if people is None else np.unique(people, return_inverse=True)[1]
        self._pictures = pictures
        self._teacher = teacher
        self.targets = targets or TargetCache(teacher, half=visits.half)
        self.spec, self.calibration = spec, calibration
        self._transform = InputTransform(spec, calibration)
        self._quiet = spec.quiet()
        self._plain = InputTransform(self._quiet, calibration)
        self._visits = visits

    @property
    def noisy(self) -> bool:
        """Whether inputs carry noise."""
        return self.spec.noisy or self._visits.client is not FeatureExtractor

    def batch(self, step: int, shares: Allocation | None = None) -> Batch:
        """Return the batch of one step; with shares, noise is divided by them and told."""
        size, count = self._visits.size, len(self._pictures)
        epoch, place = divmod(step, count // size)
        generator = np.random.default_rng((self._visits.seed, 1, epoch))
        order = generator.permutation(count)
        mirrored = (generator.random(count) < 0.5)[place * size :][:size]
        rows = order[place * size :][:size]
        chosen = self._pictures[rows]
        chosen[mirrored] = chosen[mirrored, :, ::-1]
        if self._visits.shift:
            largest = self._visits.shift
            moves = generator.integers(-largest, largest + 1, (count, 2))[place * size :][:size]
            chosen = displaced(chosen, moves)
            target = self.targets.ask(chosen)
        else:
            keys = [(int(row), bool(way)) for row, way in zip(rows, mirrored, strict=True)]
            target = self.targets.of(keys, chosen)
        # Only the student sees other light: the target says what should be seen in it.
        chosen = self.lit(np.ascontiguousarray(chosen), 2, step)
        people = None if self.people is None else torch.from_numpy(self.people[rows])
        if shares is None:
            return Batch(self.protected(chosen, f"step-{step}"), target, None, people)
        noise = self._noise(chosen, step, shares)
        return Batch(noise.read(noise.sent), target, noise, people)

    def _noise(self, chosen: Pictures, step: int, shares: Allocation) -> Noise:
        calibration = replace(self.calibration, allocation=shares)
        drawn = training_bytes(self._visits.seed, f"step-{step}")
        sent = FeatureExtractor(self.spec, calibration, drawn).protect(chosen)
        quiet = FeatureExtractor(self._quiet, calibration, drawn).protect(chosen)
        return Noise(sent, quiet, InputTransform(self.spec, calibration), self._plain)

    def lit(self, chosen: Pictures, *key: int) -> Pictures:
        """Return pictures of which a share is under other light, a function of seed and key."""
        if self._visits.light <= 0 or self._visits.relight is None:
            return chosen
        generator = np.random.default_rng((self._visits.seed, *key))
        rows = np.flatnonzero(generator.random(len(chosen)) < self._visits.light)
        output = chosen.copy()
        output[rows] = self._visits.relight(chosen[rows], generator)
        return output

    def known_embeddings(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield rows and the teacher's embeddings of all pictures as they are."""
        count, size = len(self._pictures), self._visits.size
        for start in range(0, count, size):
            rows = np.arange(start, min(start + size, count))
            keys = [(int(row), False) for row in rows]
            yield rows, self.targets.of(keys, self._pictures[rows]).embedding.numpy()

    def ridge(self, batches: int, earlier: Student | None) -> Iterator[RidgeBatch]:
        """Yield batches with the stem outputs of the teacher, or of an earlier student."""
        for index, chosen in enumerate(self.samples(batches)):
            protected = self.protected(chosen, f"ridge-{index}")
            yield RidgeBatch(protected, self._stem_output(chosen, earlier))

    def inputs(self, batches: int) -> Iterator[Tensor]:
        """Yield protected inputs of sampled pictures."""
        for index, chosen in enumerate(self.samples(batches)):
            yield self.protected(chosen, f"input-{index}")

    def samples(self, batches: int) -> Iterator[Pictures]:
        """Yield batches of pictures as they are, in an order of their own."""
        generator = np.random.default_rng((self._visits.seed, 0))
        order, size = generator.permutation(len(self._pictures)), self._visits.size
        for index in range(min(batches, len(order) // size)):
            yield self._pictures[np.sort(order[index * size :][:size])]

    def protected(self, chosen: Pictures, label: str, shares: Allocation | None = None) -> Tensor:
        """Return the student's input for pictures, with the noise that belongs to `label`."""
        noise = training_bytes(self._visits.seed, label)
        calibration, transform = self.calibration, self._transform
        if shares is not None:
            calibration = replace(calibration, allocation=shares)
            transform = InputTransform(self.spec, calibration)
        client = self._visits.client(self.spec, calibration, noise)
        return transform(client.protect(np.ascontiguousarray(chosen)))

    def _stem_output(self, chosen: Pictures, earlier: Student | None) -> Tensor:
        if earlier is None:
            wanted: Tensor = self._teacher.network.stem.linear(self._teacher.inputs(chosen))
            return wanted
        noise = training_bytes(self._visits.seed, "earlier")
        extractor = FeatureExtractor(earlier.spec, earlier.calibration, noise)
        transform = InputTransform(earlier.spec, earlier.calibration)
        reduced = earlier.network.reduced(transform(extractor.protect(chosen)))
        return earlier.network.face.stem.linear(reduced)


def displaced(pictures: Pictures, moves: NDArray[np.int64]) -> Pictures:
    """Move pictures `[B,112,112,3]` by rows and columns `[B,2]`; edge pixels are repeated."""
    output = np.empty_like(pictures)
    for picture, (down, right), target in zip(pictures, moves, output, strict=True):
        rows = np.clip(np.arange(len(picture)) - down, 0, len(picture) - 1)
        columns = np.clip(np.arange(picture.shape[1]) - right, 0, picture.shape[1] - 1)
        target[...] = picture[rows][:, columns]
    return output


def training_bytes(seed: int, label: str) -> Callable[[int], bytes]:
    """Reproducible noise for training pictures; a client never uses this generator."""
    state = {"count": 0}

    def take(size: int) -> bytes:
        state["count"] += 1
        text = f"bauta training noise {seed} {label} {state['count']}"
        return hashlib.shake_256(text.encode()).digest(size)

    return take
