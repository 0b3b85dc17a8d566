"""A secret mixing of channels, and what one intercepted upload tells about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.judges import Recognised
from orchestration.benchmarks.inputs.measure import Campaign, correlation
from orchestration.benchmarks.inputs.mechanisms import luminance
from parties.adversary.unmixing import Statistics, statistics_of, unmixing
from parties.adversary.uploads import ChannelLaw
from parties.model_provider import Student, StudentEmbedder
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate

__all__ = ["Eavesdropped", "MixedChannels", "eavesdrop", "rounding_cost"]

Pictures = NDArray[np.uint8]
Channels = NDArray[np.float32]

CHANNELS: Final = 63
EVERY: Final = 3
"""One position in so many is read for statistics."""
ROUNDING: Final = 0.25
"""Variance credited to coefficients without noise."""


class Eavesdropped(msgspec.Struct, frozen=True, kw_only=True):
    """What the linear attack reads from faces whose channels are mixed.

    Attributes:
        uploads: intercepted uploads of another person the mixing was estimated from; 0 reads the
            mixed channels as they are, None knows the mixing.
        correlation: mean correlation of recovered and true luminance.
        judged: what each network says of the recovered faces.
        faces: how many were attacked.
    """

    uploads: int | None
    correlation: float
    judged: tuple[Recognised, ...]
    faces: int


class MixedChannels(NamedTuple):
    """A deployment that multiplies its 63 channels by a secret orthogonal matrix.

    Attributes:
        key: the matrix [63,63].
        calibration: public scales of the channels.
        public: statistics of channels of public faces, not mixed.
    """

    key: NDArray[np.float64]
    calibration: Calibration
    public: Statistics

    @classmethod
    def drawn(cls, training: Pictures, rng: np.random.Generator) -> MixedChannels:
        """Draw a key, uniform over rotations, and gather what everybody knows of faces."""
        calibration = calibrate([training], "maxabs")
        key, _ = np.linalg.qr(rng.standard_normal((CHANNELS, CHANNELS)))
        public = statistics_of(_samples(_scaled(training, calibration)))
        return cls(key, calibration, public)

    def estimated(self, upload: Pictures) -> NDArray[np.float64]:
        """Return an adversary's estimate of the key from mixed channels of pictures [B,...]."""
        mixed = _samples(_scaled(upload, self.calibration)) @ self.key.T
        return unmixing(self.public, statistics_of(mixed.astype(np.float32)))


def eavesdrop(
    deployment: MixedChannels, uploads: Pictures, campaign: Campaign
) -> Iterator[Eavesdropped]:
    """Attack faces with the key unknown, known, and estimated from one upload after another.

    An estimate is right up to one common sign at best; the adversary keeps the better of both.
    """
    seen = _scaled(campaign.faces.pictures, deployment.calibration)
    nothing, identity = deployment.key, np.eye(CHANNELS)
    yield _attacked(nothing, seen, deployment, campaign, 0)
    yield _attacked(identity, seen, deployment, campaign, None)
    for number in range(len(uploads)):
        estimate = deployment.estimated(uploads[number : number + 1])
        left = estimate.T @ deployment.key
        both = [_attacked(sign * left, seen, deployment, campaign, 1) for sign in (1.0, -1.0)]
        yield max(both, key=lambda found: found.judged[0].other_picture)


def rounding_cost(
    deployment: MixedChannels, student: Student, training: Pictures, pictures: Pictures
) -> float:
    """Return the mean cosine of embeddings with and without the mixing.

    A network's first layer is linear in the channels and undoes the mixing exactly; what is left is
    that mixed channels are rounded to 8 bits between bounds of their own. Those come from
    training pictures, one pair for each channel.
    """
    extractor = FeatureExtractor(student.spec, student.calibration, os.urandom)
    plain = StudentEmbedder(student).embed(extractor.protect(pictures))
    exact = extractor.exact(pictures)
    key, scale = deployment.key.astype(np.float32), student.calibration.scale[:, None, None]
    channels = exact[:, :CHANNELS] / scale
    mixed = np.einsum("cd,bdij->bcij", key, channels, optimize=True)
    known = _samples(_scaled(training, student.calibration)) @ key.T
    low, high = (bound[:, None, None] for bound in (known.min(axis=0), known.max(axis=0)))
    step = (high - low) / 255
    rounded = np.rint((np.clip(mixed, low, high) - low) / step) * step + low
    read = np.einsum("dc,bdij->bcij", key, rounded, optimize=True)
    inputs = np.concatenate([read, exact[:, CHANNELS:] - np.float32(0.5)], axis=1)
    with torch.inference_mode():
        through = student.network(torch.from_numpy(inputs)).numpy()
    norms = np.linalg.norm(plain, axis=1) * np.linalg.norm(through, axis=1)
    return float(np.mean(np.einsum("td,td->t", plain, through) / norms))


def _attacked(
    left: NDArray[np.float64],
    seen: Channels,
    deployment: MixedChannels,
    campaign: Campaign,
    uploads: int | None,
) -> Eavesdropped:
    """Attack channels that are still multiplied by `left`."""
    scale = deployment.calibration.scale[:, None, None]
    read = np.einsum("cd,bdij->bcij", left.astype(np.float32), seen, optimize=True) * scale
    law = ChannelLaw(np.arange(CHANNELS), np.full((CHANNELS, 1, 1), ROUNDING))
    planes = campaign.attack.against(law).recover(law.gather(np.ascontiguousarray(read)))
    return Eavesdropped(
        uploads=uploads,
        correlation=correlation(planes, luminance(campaign.faces.pictures)),
        judged=campaign.faces.recognised(planes),
        faces=len(planes),
    )


def _scaled(pictures: Pictures, calibration: Calibration) -> Channels:
    """Return channels in units of their deviation, float32 [B,63,112,112]."""
    extractor = FeatureExtractor(FeatureSpec(colour="none"), calibration, os.urandom)
    return np.asarray(extractor.exact(pictures) / calibration.scale[:, None, None])


def _samples(channels: Channels) -> Channels:
    return np.ascontiguousarray(channels.transpose(0, 2, 3, 1).reshape(-1, CHANNELS)[::EVERY])
