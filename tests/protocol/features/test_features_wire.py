from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.features import (
    Calibration,
    FeatureExtractor,
    FeatureSpec,
    ProtectedBatch,
    calibrate,
    dequantise,
    network_input,
    wire_error,
)

NARROW = FeatureSpec()
WIDE = FeatureSpec(wire_bits=16)


@pytest.mark.parametrize("spec", [NARROW, WIDE])
def test_the_declared_error_holds_and_is_not_idle(
    spec: FeatureSpec, calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    extractor = FeatureExtractor(spec, calibration, os.urandom)
    exact = extractor.exact(pictures[:8])[:, : spec.frequency_channels]
    values = dequantise(extractor.protect(pictures[:8]), spec, calibration)
    errors = abs(values - exact) / calibration.scale[:, None, None]
    declared = wire_error(spec, calibration)
    assert 0.5 * declared < errors.max() <= declared


def test_sixteen_bits_are_two_hundred_times_finer(calibration: Calibration) -> None:
    assert wire_error(WIDE, calibration) < wire_error(NARROW, calibration) / 150


@pytest.mark.parametrize("colour", ["none", "dlbp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_costs_what_is_declared(
    colour: str, bits: int, calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    spec = FeatureSpec(colour=colour, wire_bits=bits)  # type: ignore[arg-type]
    batch = FeatureExtractor(spec, calibration, os.urandom).protect(pictures[:3])
    maps = 0 if colour == "none" else 8
    assert batch.nbytes == 3 * spec.picture_bytes == 3 * 112 * 112 * (63 * bits // 8 + maps)
    assert len(batch) == 3


def test_values_outside_the_bounds_are_clipped(calibration: Calibration) -> None:
    extractor = FeatureExtractor(WIDE, calibration, os.urandom)
    loud = np.random.default_rng(4).integers(0, 2, (1, 112, 112, 3), dtype=np.uint8) * 255
    values = dequantise(extractor.protect(loud), WIDE, calibration)[0]
    exact = extractor.exact(loud)[0, :63]
    outside = (exact < calibration.lower) | (exact > calibration.upper)
    assert outside.mean() > 0.3
    tolerance = 0.01 + calibration.sensitivity / 65535
    assert (values >= calibration.lower - tolerance).all()
    assert (values <= calibration.upper + tolerance).all()


def test_elements_without_range_travel_as_their_bound(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    upper = calibration.upper.copy()
    upper[9, 10:20] = calibration.lower[9, 10:20]
    flat = Calibration("maxabs", calibration.lower, upper, calibration.scale, 104)
    batch = FeatureExtractor(NARROW, flat, os.urandom).protect(pictures[:2])
    values = dequantise(batch, NARROW, flat)
    assert (batch.frequency[:, 9, 10:20] == 0).all()
    np.testing.assert_allclose(values[0, 9, 10:20], flat.lower[9, 10:20], rtol=1e-5)


def test_the_network_reads_normalised_features(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    extractor = FeatureExtractor(WIDE, calibration, os.urandom)
    batch = extractor.protect(pictures[:8])
    tensor = network_input(batch, WIDE, calibration)
    assert tensor.shape == (8, 71, 112, 112)
    assert tensor.dtype == torch.float32
    exact = extractor.exact(pictures[:8])
    expected = exact[:, :63] / calibration.scale[:, None, None]
    declared = wire_error(WIDE, calibration)
    assert abs(tensor[:, :63].numpy() - expected).max() <= declared
    np.testing.assert_allclose(tensor[:, 63:].numpy(), exact[:, 63:] - 0.5, atol=1e-6)
    assert 0.5 < float(tensor[:, :63].std()) < 2


def test_received_read_only_arrays_are_accepted(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    batch = FeatureExtractor(NARROW, calibration, os.urandom).protect(pictures[:1])
    frequency = np.frombuffer(batch.frequency.tobytes(), np.uint8).reshape(batch.frequency.shape)
    colour = np.frombuffer(batch.colour.tobytes(), np.uint8).reshape(batch.colour.shape)
    received = network_input(ProtectedBatch(frequency, colour), NARROW, calibration)
    assert torch.equal(received, network_input(batch, NARROW, calibration))


def test_unfused_features_have_189_channels(pictures: NDArray[np.uint8]) -> None:
    spec = FeatureSpec(fusion="none", colour="lbp_y")
    calibration = calibrate([pictures[:8]], "none")
    batch = FeatureExtractor(spec, calibration, os.urandom).protect(pictures[:2])
    assert batch.frequency.shape == (2, 189, 112, 112)
    assert network_input(batch, spec, calibration).shape == (2, 190, 112, 112)


def test_an_empty_batch_is_allowed(calibration: Calibration) -> None:
    nobody = np.zeros((0, 112, 112, 3), dtype=np.uint8)
    batch = FeatureExtractor(NARROW, calibration, os.urandom).protect(nobody)
    assert network_input(batch, NARROW, calibration).shape == (0, 71, 112, 112)


@pytest.mark.parametrize("shape", [(112, 112, 3), (1, 3, 112, 112), (1, 112, 96, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...], calibration: Calibration) -> None:
    extractor = FeatureExtractor(NARROW, calibration, os.urandom)
    with pytest.raises(LocalProtocolError, match="uint8"):
        extractor.protect(np.zeros(shape, dtype=np.uint8))
