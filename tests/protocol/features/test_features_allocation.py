"""Shares of a budget: their sum, their noise, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from protocol.errors import DataError, ScenarioError
from protocol.features import (
    Allocation,
    Calibration,
    FeatureExtractor,
    FeatureSpec,
    calibrate,
    dequantise,
    privacy_budget,
    wire_error,
)
from protocol.features.noise import picture_sampling_slack, sampling_slack
from protocol.features.wire import wire_variance

LEARNED = FeatureSpec(colour="none", epsilon=2.0, wire_bits=16, allocation="learned")
LOGITS = arrays(np.float64, 9, elements=st.floats(-4, 4))
PLACES = arrays(np.float64, (14, 14), elements=st.floats(-4, 4))


def uneven(calibration: Calibration, largest: float = 4.9) -> Calibration:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 0.5, 63), rng.normal(0, 0.5, (112, 112))
    return replace(calibration, allocation=Allocation.of_logits(*logits, largest))


@given(LOGITS, PLACES, st.floats(1.01, 30))
def test_shares_keep_the_sum_and_the_limit(
    channels: NDArray[np.float64], places: NDArray[np.float64], largest: float
) -> None:
    found = Allocation.of_logits(channels, places, largest)
    low, high = found.extremes
    assert 0 < low <= 1 + 1e-6
    assert high <= largest * (1 + 1e-5)
    assert found.total == pytest.approx(1, abs=1e-6)
    assert found.elements().mean(dtype=np.float64) == pytest.approx(1, abs=1e-5)


@given(LOGITS, PLACES)
def test_evening_out_keeps_the_order(
    channels: NDArray[np.float64], places: NDArray[np.float64]
) -> None:
    found = Allocation.of_logits(channels, places, 1.5)
    order = np.argsort(channels, kind="stable")
    assert (np.diff(found.channels[order]) >= 0).all()


def test_each_element_carries_the_noise_of_its_share(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    known = uneven(calibration)
    extractor = FeatureExtractor(LEARNED, known, lambda count: b"\x03" * count)
    values = dequantise(extractor.protect(pictures[:1]), LEARNED, known)
    error = (values - extractor.exact(pictures[:1]))[0]
    assert known.allocation is not None
    unit = error / known.sensitivity * known.allocation.elements()
    # The grid cuts draws beyond six scales, at most 2 e^-6 (6 + 1) of the variance of 2.
    for part in (unit[:20], unit[40:], unit[:, :30], unit[:, :, 80:]):
        assert 0.96 < part.var() / (2 / LEARNED.epsilon**2) < 1.02  # type: ignore[operator]
    ratio = np.square(error).mean(dtype=np.float64) / wire_variance(LEARNED, known).mean()
    assert 0.95 < ratio < 1.02


def test_equal_shares_send_what_uniform_noise_sends(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    equal = Allocation(np.ones(63, np.float32), np.ones((112, 112), np.float32))
    known = replace(calibration, allocation=equal)
    uniform = msgspec.structs.replace(LEARNED, allocation="uniform")
    one, two = (
        FeatureExtractor(spec, known, lambda count: b"\x03" * count).protect(pictures[:2])
        for spec in (LEARNED, uniform)
    )
    np.testing.assert_array_equal(one.frequency, two.frequency)
    assert wire_error(LEARNED, known) == wire_error(uniform, known)


def test_means_of_pixels_have_shares_of_places(pictures: NDArray[np.uint8]) -> None:
    spec = FeatureSpec(
        fusion="plane", colour="none", pixel_epsilon=200.0, pixel_block=4, allocation="learned"
    )
    places = np.full((28, 28), 0.5, np.float32)
    places[:14] = 1.5
    shares = Allocation(np.ones(1, np.float32), places)
    known = replace(calibrate([pictures], "plane"), allocation=shares)
    grey = np.full((1, 112, 112, 3), 128, np.uint8)
    sent = FeatureExtractor(spec, known, lambda count: b"\x05" * count).protect(grey).frequency
    means = sent[0, 0, ::4, ::4].astype(float) - 128
    for rows, share in ((np.s_[:14], 1.5), (np.s_[14:], 0.5)):
        expected = 255 / (200 * share) * np.sqrt(2)
        assert means[rows].std() == pytest.approx(expected, rel=0.2)


def test_the_budget_of_a_picture_stays(calibration: Calibration) -> None:
    known = uneven(calibration)
    budget = privacy_budget(LEARNED, known)
    assert known.allocation is not None
    slack = picture_sampling_slack(LEARNED, known.allocation)
    assert budget.image_epsilon == pytest.approx(2.0 * 63 * 112 * 112 + slack, rel=1e-6)
    most = 2.0 * known.allocation.extremes[1] + sampling_slack(LEARNED, known.allocation)
    assert budget.element_epsilon == pytest.approx(most)
    assert "in the mean" in budget.statement
    assert sampling_slack(LEARNED, known.allocation) > sampling_slack(LEARNED)


def test_shares_survive_their_file(calibration: Calibration) -> None:
    known = uneven(calibration)
    again = Calibration.from_arrays(known.to_arrays())
    assert known.allocation is not None
    assert again.allocation is not None
    np.testing.assert_array_equal(again.allocation.elements(), known.allocation.elements())
    assert Calibration.from_arrays(calibration.to_arrays()).allocation is None


@pytest.mark.parametrize(
    ("channels", "places", "message"),
    [
        (np.ones(63), np.ones((112, 56)), "shares must be"),
        (np.ones(63), np.ones((111, 111)), "do not divide"),
        (np.zeros(63), np.ones((112, 112)), "positive"),
        (np.full(63, 1.1), np.ones((112, 112)), "mean 1"),
    ],
)
def test_shares_that_cannot_be_are_refused(
    channels: NDArray[np.float64], places: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Allocation(channels.astype(np.float32), places.astype(np.float32))


def test_shares_that_do_not_fit_are_refused(calibration: Calibration) -> None:
    with pytest.raises(ScenarioError, match="no shares were learned"):
        FeatureExtractor(LEARNED, calibration, os.urandom)
    few = replace(
        calibration, allocation=Allocation(np.ones(1, np.float32), np.ones((28, 28), np.float32))
    )
    with pytest.raises(ScenarioError, match="the noise has"):
        FeatureExtractor(LEARNED, few, os.urandom)
    with pytest.raises(ScenarioError, match="largest share"):
        FeatureExtractor(LEARNED, uneven(calibration, 8.0), os.urandom)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "no noise"),
        ({"epsilon": 1.0, "fusion": "none", "selection": "random"}, "these change"),
        ({"pixel_epsilon": 10.0}, "learned for the plane"),
    ],
)
def test_what_cannot_be_allocated_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        FeatureSpec(allocation="learned", colour="none", **fields)  # type: ignore[arg-type]
