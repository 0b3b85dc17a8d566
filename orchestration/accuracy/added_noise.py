"""Noise added before a network that was not made for it."""

from __future__ import annotations

import os
from dataclasses import replace

import msgspec
import numpy as np

from orchestration.accuracy.sources import Embedder, Embeddings, Source
from parties.model_provider import Student, StudentEmbedder
from protocol.errors import ScenarioError
from protocol.features import FeatureExtractor, FeatureSpec
from protocol.features.noise import NoiseSource
from protocol.features.pipeline import laplace
from protocol.features.pixels import noisy_pictures
from scenarios.datasets import Pictures

__all__ = ["with_pixel_noise", "with_released_noise"]

LARGEST_CODE = 2**16 - 1


def with_pixel_noise(source: Source, epsilon: float) -> Source:
    """Add noise to pictures before a network that knows nothing of it.

    Raises:
        ScenarioError: embeddings are stored, so there is no picture to add noise to, or epsilon is
            out of range.
    """
    FeatureSpec(pixel_epsilon=epsilon)
    if source.embed is None:
        raise ScenarioError("stored embeddings take no noise", where="--pixel-epsilon")
    embed, noise = source.embed, NoiseSource(os.urandom)
    return source._replace(
        says=f"{source.says}; pictures carry noise of epsilon {epsilon:g} per pixel value",
        embed=lambda pictures: embed(noisy_pictures(pictures, epsilon, noise)),
    )


def with_released_noise(source: Source, epsilon: float) -> Source:
    """Add DCTDP's noise as its released code does: every sensitivity is taken for 1.

    Laplace noise of scale 1/epsilon on every coefficient, whatever its range, drawn anew for every
    picture (the released code draws once a batch). It promises nothing, and no client sends it.
    Noisy values are cut to the public clip bounds, as a provider may, and rounded to 16 bits.

    Raises:
        ScenarioError: the network does not read coefficients without noise.
    """
    student = source.student
    if student is None or student.spec.noisy or student.spec.fusion == "plane":
        text = "noise as DCTDP released it needs a network for coefficients without noise"
        raise ScenarioError(
            text, where="--released-epsilon", hint="name a student of such features"
        )
    finer = replace(student, spec=msgspec.structs.replace(student.spec, wire_bits=16))
    return source._replace(
        says=f"{source.says}; coefficients carry noise of scale {1 / epsilon:g}, uncalibrated",
        embed=_noisy_embedder(finer, epsilon),
    )


def _noisy_embedder(student: Student, epsilon: float) -> Embedder:
    network, noise = StudentEmbedder(student), NoiseSource(os.urandom)
    extractor = FeatureExtractor(student.spec, student.calibration, os.urandom)
    scale = np.float32(LARGEST_CODE / epsilon) / student.calibration.sensitivity

    def embed(pictures: Pictures) -> Embeddings:
        sent = extractor.protect(pictures)
        for codes in sent.frequency:
            drawn = laplace(*noise.laplace_words(codes.size)).reshape(codes.shape)
            np.clip(np.rint(codes + scale * drawn), 0, LARGEST_CODE, out=codes, casting="unsafe")
        return network.embed(sent)

    return embed
