"""Learned shares: their gradient, and that training finds where a picture is worth noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import DistilConfig, RgbEmbedder, distil
from parties.model_provider.allocating import Noise, Shares, share_gradient
from parties.model_provider.student import InputTransform
from protocol.features import Allocation, Calibration, FeatureExtractor, FeatureSpec, calibrate

Pictures = NDArray[np.uint8]
SPEC = FeatureSpec(colour="none", epsilon=8.0, wire_bits=16, allocation="learned")
STEP = 0.1


def draws(count: int) -> bytes:
    return b"\x09" * count


def told(pictures: Pictures, known: Calibration) -> Noise:
    quiet = SPEC.quiet()
    return Noise(
        FeatureExtractor(SPEC, known, draws).protect(pictures),
        FeatureExtractor(quiet, known, draws).protect(pictures),
        InputTransform(SPEC, known),
        InputTransform(quiet, known),
    )


def test_the_gradient_is_that_of_the_same_draws_at_other_shares(pictures: Pictures) -> None:
    bounds, shown = replace(calibrate([pictures], "maxabs"), pictures=500), pictures[:1]
    shares = Shares(SPEC)
    noise = told(shown, replace(bounds, allocation=shares.allocation()))
    gain = torch.from_numpy(noise.read.gain.transpose(1, 0, 2))
    drawn = torch.sign(noise.read(noise.sent) - gain * noise.plain(noise.quiet))
    weights = drawn * torch.linspace(0.5, 2, 63)[:, None, None] * torch.linspace(1, 2, 112)
    shares.backward(share_gradient(noise, weights))

    def loss(name: str, at: tuple[int, ...], change: float) -> float:
        moved = Shares(SPEC)
        with torch.no_grad():
            moved.get_parameter(name)[at] = change
        noise = told(shown, replace(bounds, allocation=moved.allocation()))
        return float((noise.read(noise.sent).double() * weights).sum())

    for name, at in (("channels", (3,)), ("channels", (50,)), ("places", (5, 6))):
        slope = (loss(name, at, STEP) - loss(name, at, -STEP)) / (2 * STEP)
        gradient = shares.get_parameter(name).grad
        assert gradient is not None
        assert abs(slope) > 10
        assert float(gradient[at]) == pytest.approx(slope, rel=0.1)


def test_shares_go_where_the_teacher_looks(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    bounds = calibrate([pictures], "plane")
    spec = FeatureSpec(
        fusion="plane", colour="none", pixel_epsilon=100.0, pixel_block=4, allocation="learned"
    )
    config = DistilConfig(steps=6, batch_size=8, ridge_pictures=32)
    student = distil(pictures, tiny_teacher, spec, config, calibration=bounds)
    again = distil(pictures, tiny_teacher, spec, config, calibration=bounds)
    shares = student.calibration.allocation
    assert shares is not None
    assert again.calibration.allocation is not None
    assert shares.places.std() > 0.05
    np.testing.assert_array_equal(shares.places, again.calibration.allocation.places)
    assert shares.total == pytest.approx(1, abs=1e-6)


def test_shares_are_taken_over_for_the_next_budget() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.normal(0, 0.03, (14, 14))
    earlier = Allocation.of_logits(
        rng.normal(0, 0.03, 63), coarse.repeat(8, axis=0).repeat(8, axis=1), 1.2
    )
    shares = Shares(SPEC)
    shares.start_from(earlier)
    found = shares.allocation()
    np.testing.assert_allclose(found.channels, earlier.channels, rtol=1e-4)
    assert np.corrcoef(found.places.ravel(), earlier.places.ravel())[0, 1] > 0.8


def test_no_share_vanishes() -> None:
    shares = Shares(SPEC)
    with torch.no_grad():
        shares.channels[0] = -50.0
    shares.keep_within()
    assert shares.channels.min().item() == -3.0
