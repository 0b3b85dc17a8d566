from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.errors import DataError, LocalProtocolError, ScenarioError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate
from protocol.features.calibration import MINIMUM_WIDTH, _outward


def test_bounds_contain_every_training_picture(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    extractor = FeatureExtractor(FeatureSpec(colour="none"), calibration, bytes)
    for start in range(0, len(pictures), 8):
        values = extractor.exact(pictures[start : start + 8])
        assert (values >= calibration.lower).all()
        assert (values <= calibration.upper).all()


def test_bounds_are_tight_and_scales_are_standard_deviations(
    pictures: NDArray[np.uint8],
) -> None:
    calibration = calibrate([pictures[:4], pictures[4:6]], "maxabs")
    values = FeatureExtractor(FeatureSpec(colour="none"), calibration, bytes).exact(pictures[:6])
    slack = MINIMUM_WIDTH + abs(values).max() * 2**-9
    assert abs(values.max(0) - calibration.upper).max() <= slack
    assert abs(values.min(0) - calibration.lower).max() <= slack
    np.testing.assert_allclose(values.std((0, 2, 3), dtype=float), calibration.scale, rtol=1e-4)
    assert calibration.pictures == 6


def test_arrays_survive_a_file_unchanged(calibration: Calibration) -> None:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **calibration.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = Calibration.from_arrays(arrays)
    assert (again.fusion, again.pictures) == (calibration.fusion, calibration.pictures)
    np.testing.assert_array_equal(again.lower, calibration.lower)
    np.testing.assert_array_equal(again.upper, calibration.upper)
    np.testing.assert_array_equal(again.scale, calibration.scale)
    assert calibration.to_arrays()["calibration_lower"].dtype == np.float16


@given(st.floats(-2000, 2000, width=32))
def test_rounding_goes_outward_by_at_most_one_step(value: float) -> None:
    number = np.array([value], dtype=np.float32)
    low, high = _outward(number, -np.inf), _outward(number, np.inf)
    assert low[0] <= value <= high[0]
    assert high[0] <= np.nextafter(low[0], np.float16(np.inf))


def test_elements_that_never_vary_get_the_minimum_width(pictures: NDArray[np.uint8]) -> None:
    framed = pictures[:4].copy()
    framed[:, :20] = 0
    narrow = calibrate([framed], "maxabs").sensitivity
    assert narrow.min() >= MINIMUM_WIDTH
    assert narrow[:, 5].max() <= MINIMUM_WIDTH * 1.01


@pytest.mark.parametrize("missing", ["calibration_lower", "calibration_fusion"])
def test_missing_arrays_are_refused(missing: str, calibration: Calibration) -> None:
    arrays = calibration.to_arrays()
    del arrays[missing]
    with pytest.raises(DataError, match="missing"):
        Calibration.from_arrays(arrays)


def test_malformed_arrays_are_refused(calibration: Calibration) -> None:
    arrays = calibration.to_arrays()
    with pytest.raises(DataError, match="bounds must be"):
        Calibration.from_arrays(arrays | {"calibration_lower": np.zeros((3, 3))})
    broken = {"calibration_lower": np.full_like(calibration.lower, np.nan)}
    with pytest.raises(DataError, match="finite"):
        Calibration.from_arrays(arrays | broken)
    name = {"calibration_fusion": np.frombuffer(b"median", dtype=np.uint8)}
    with pytest.raises(DataError, match="unknown fusion"):
        Calibration.from_arrays(arrays | name)


def test_pictures_that_say_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="at least one"):
        calibrate([], "maxabs")
    with pytest.raises(DataError, match="scale"):
        calibrate([np.zeros((2, 112, 112, 3), dtype=np.uint8)], "y_only")
    with pytest.raises(LocalProtocolError, match="uint8"):
        calibrate([np.zeros((2, 112, 96, 3), dtype=np.uint8)], "y_only")


def test_a_calibration_of_another_fusion_is_refused(calibration: Calibration) -> None:
    with pytest.raises(ScenarioError, match="maxabs"):
        FeatureExtractor(FeatureSpec(fusion="mean"), calibration, bytes)
