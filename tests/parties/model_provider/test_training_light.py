"""A student sees other light than its teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import DistilConfig, RgbEmbedder, distil
from parties.model_provider.batches import Source, Visits
from protocol.errors import DataError
from protocol.features import FeatureSpec, calibrate

Pictures = NDArray[np.uint8]
PLAIN = FeatureSpec(fusion="plane", colour="none")
CONFIG = DistilConfig(steps=3, batch_size=8, ridge_pictures=16)


def darkened(pictures: Pictures, generator: np.random.Generator) -> Pictures:
    assert generator.random() < 1
    return pictures // 4


def source(pictures: Pictures, teacher: RgbEmbedder, light: float) -> Source:
    visits = Visits(8, 7, light=light, relight=darkened)
    return Source(pictures, teacher, PLAIN, calibrate([pictures], "plane"), visits)


def test_only_the_student_sees_it(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    bright, dark = (source(pictures, tiny_teacher, light).batch(1) for light in (0.0, 1.0))
    assert torch.equal(bright.target.embedding, dark.target.embedding)
    assert torch.equal(bright.target.features, dark.target.features)
    assert not torch.equal(bright.protected, dark.protected)


def test_a_share_is_lit_and_a_batch_is_a_function_of_its_step(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    half = source(pictures, tiny_teacher, 0.5)
    many = np.tile(np.full((1, 112, 112, 3), 200, np.uint8), (200, 1, 1, 1))
    lit = (half.lit(many, 2, 5) == 50).all(axis=(1, 2, 3))
    assert 70 < lit.sum() < 130
    assert np.array_equal(half.lit(many, 2, 5), half.lit(many, 2, 5))
    assert not np.array_equal(half.lit(many, 2, 5), half.lit(many, 2, 6))
    again = source(pictures, tiny_teacher, 0.5)
    assert torch.equal(half.batch(4).protected, again.batch(4).protected)


def test_the_record_says_so_and_light_needs_somebody_who_makes_it(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    lit = replace(CONFIG, light=0.5, patience=2, check_steps=2)
    student = distil(pictures, tiny_teacher, PLAIN, lit, relight=darkened)
    assert student.record["config"]["light"] == 0.5
    with pytest.raises(DataError, match="other light"):
        distil(pictures, tiny_teacher, PLAIN, lit)
    with pytest.raises(DataError, match="a share"):
        replace(CONFIG, light=1.5)
