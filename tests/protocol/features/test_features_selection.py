"""Selections of channels: which are sent, which group is drawn, and what the receiver reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from protocol.errors import ScenarioError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate, dequantise
from protocol.features.selection import GROUPS, LEFT_OUT, sent_channels

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from protocol.features.spec import Fusion, Selection

KINDS: list[tuple[Fusion, Selection]] = [
    ("none", "high"), ("none", "random"), ("maxabs", "high"), ("y_only", "random"),
]  # fmt: skip


def test_high_leaves_out_the_ten_lowest_of_every_plane() -> None:
    (sent,) = sent_channels(189, "high")
    assert len(set(sent.tolist())) == 162
    assert {(channel % 63) + 1 for channel in sent} == set(range(1, 64)) - set(LEFT_OUT)


def test_random_deals_the_high_channels_into_groups_spread_over_all_frequencies() -> None:
    groups = sent_channels(189, "random")
    assert groups.shape == (GROUPS, 27)
    assert sorted(groups.reshape(-1)) == sorted(sent_channels(189, "high")[0])
    rows, columns = np.divmod(groups[:, :9] + 1, 8)
    means = (rows + columns).mean(axis=1)
    assert np.ptp(means) < 1.5


@pytest.mark.parametrize(("fusion", "selection"), KINDS)
def test_what_is_read_is_one_group_of_the_exact_channels(
    pictures: NDArray[uint8], fusion: Fusion, selection: Selection
) -> None:
    spec = FeatureSpec(fusion=fusion, selection=selection, colour="none", wire_bits=16)
    whole = FeatureExtractor(
        FeatureSpec(fusion=fusion, colour="none"), calibrate([pictures], fusion), os.urandom
    ).exact(pictures[:12])
    calibration = calibrate([pictures], fusion, selection)
    batch = FeatureExtractor(spec, calibration, os.urandom).protect(pictures[:12])
    assert batch.frequency.shape == (12, spec.frequency_channels, 112, 112)
    assert batch.nbytes == 12 * spec.picture_bytes
    groups = sent_channels(whole.shape[1], selection)
    width = calibration.sensitivity.max()
    seen = set()
    for read, exact in zip(dequantise(batch, spec, calibration), whole, strict=True):
        errors = [abs(read - exact[group]).max() for group in groups]
        seen.add(int(np.argmin(errors)))
        assert min(errors) < width / 2**16 + 1e-2
    assert len(seen) == 1 if selection == "high" else len(seen) > 1


def test_noise_is_accounted_for_what_is_sent(pictures: NDArray[uint8]) -> None:
    from protocol.features import privacy_budget
    from protocol.features.noise import sampling_slack

    spec = FeatureSpec(fusion="none", selection="random", colour="none", epsilon=2.0)
    budget = privacy_budget(spec, calibrate([pictures], "none", "random"))
    assert budget.image_epsilon == pytest.approx(27 * 112 * 112 * (2.0 + sampling_slack(spec)))


def test_a_calibration_of_another_selection_is_refused(pictures: NDArray[uint8]) -> None:
    calibration = calibrate([pictures[:8]], "none", "high")
    again = Calibration.from_arrays(calibration.to_arrays())
    assert again.selection == "high"
    with pytest.raises(ScenarioError, match="selection"):
        FeatureExtractor(FeatureSpec(fusion="none"), again, os.urandom)


def test_the_plane_has_no_channels_to_select() -> None:
    with pytest.raises(ScenarioError, match="plane"):
        FeatureSpec(fusion="plane", selection="high", colour="none")
