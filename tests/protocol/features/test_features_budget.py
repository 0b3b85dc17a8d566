from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ScenarioError
from protocol.features import Calibration, FeatureSpec, privacy_budget
from protocol.features.allocation import Allocation
from protocol.features.noise import picture_sampling_slack, sampling_slack
from protocol.features.pixels import picture_pixel_slack, pixel_sampling_slack

FREQUENCY_ELEMENTS = 63 * 112 * 112
COLOUR_BITS = 24 * 112 * 112
WIDTHS = np.linspace(1, 2, 63 * 112 * 112, dtype=np.float32).reshape(63, 112, 112)
KNOWN = Calibration("maxabs", 0 * WIDTHS, WIDTHS, np.ones(63, np.float32), 1000)


def test_frequency_noise_alone(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(epsilon=0.5, colour="none"), calibration)
    slack = sampling_slack(FeatureSpec(epsilon=0.5, colour="none"))
    assert budget.element_epsilon == 0.5 + slack
    assert budget.image_epsilon == budget.total == pytest.approx(395_136 + 790_272 * slack)
    assert 0.5 * FREQUENCY_ELEMENTS == 395_136
    assert budget.colour_image_epsilon == 0
    assert f"epsilon {budget.image_epsilon:,.0f} for the picture" in budget.statement


def test_colour_without_noise_voids_the_whole_input(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(epsilon=0.5), calibration)
    assert 395_136 < budget.image_epsilon < 395_136 * 1.002
    assert math.isinf(budget.colour_image_epsilon)
    assert math.isinf(budget.total)
    assert "no differential-privacy guarantee" in budget.statement


@pytest.mark.parametrize(("colour", "planes"), [("lbp_y", 1), ("lbp_rgb", 3), ("dlbp", 3)])
def test_colour_bits_are_counted_before_recoding(
    colour: str, planes: int, calibration: Calibration
) -> None:
    spec = FeatureSpec(epsilon=1.0, colour_epsilon=2.0, colour=colour)  # type: ignore[arg-type]
    budget = privacy_budget(spec, calibration)
    assert budget.colour_image_epsilon == 2.0 * 8 * planes * 112 * 112
    slack = FREQUENCY_ELEMENTS * sampling_slack(spec)
    assert budget.total == FREQUENCY_ELEMENTS + slack + budget.colour_image_epsilon
    assert "no differential-privacy guarantee" not in budget.statement


def test_no_noise_promises_nothing(calibration: Calibration) -> None:
    for spec in (FeatureSpec(), FeatureSpec(colour="none"), FeatureSpec(colour_epsilon=1.0)):
        budget = privacy_budget(spec, calibration)
        assert math.isinf(budget.total)
        assert math.isinf(budget.element_epsilon)
        assert "no differential-privacy guarantee" in budget.statement
    assert FeatureSpec().colour_bits == COLOUR_BITS


def test_a_placeholder_calibration_gets_no_budget(calibration: Calibration) -> None:
    lower = calibration.lower * 0
    ones = Calibration("maxabs", lower, lower + 1, calibration.scale, 1000)
    with pytest.raises(ScenarioError, match="placeholder"):
        privacy_budget(FeatureSpec(epsilon=1.0), ones)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 11.0, math.inf, math.nan])
@pytest.mark.parametrize("field", ["epsilon", "colour_epsilon"])
def test_meaningless_epsilons_are_refused(field: str, epsilon: float) -> None:
    with pytest.raises(ScenarioError, match=r"features\.(colour_)?epsilon: epsilon must lie"):
        FeatureSpec(**{field: epsilon})  # type: ignore[arg-type]


def test_colour_noise_needs_colour() -> None:
    with pytest.raises(ScenarioError, match="no colour descriptor"):
        FeatureSpec(colour="none", colour_epsilon=1.0)


def test_the_specification_is_strict_about_its_fields() -> None:
    assert msgspec.convert({"wire_bits": 16, "fusion": "mean"}, FeatureSpec).wire_bits == 16
    with pytest.raises(msgspec.ValidationError, match="fuson"):
        msgspec.convert({"fuson": "mean"}, FeatureSpec)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"wire_bits": 12}, FeatureSpec)


@settings(max_examples=20)
@given(st.floats(0.01, 10), st.sampled_from([8, 16]))
def test_the_resolution_of_the_draw_is_part_of_the_pictures_epsilon(
    epsilon: float, bits: int
) -> None:
    """At 16 bits it is a quarter of what the noise alone would promise at epsilon 0.5."""
    spec = FeatureSpec(epsilon=epsilon, colour="none", wire_bits=bits)  # type: ignore[arg-type]
    budget, slack = privacy_budget(spec, KNOWN), sampling_slack(spec)
    assert slack > 0
    assert budget.image_epsilon == pytest.approx(FREQUENCY_ELEMENTS * (epsilon + slack))
    assert budget.element_epsilon == pytest.approx(epsilon + slack)
    assert f"{FREQUENCY_ELEMENTS * slack:,.0f} in all, which is counted in" in budget.statement


@settings(max_examples=8)
@given(st.floats(0.05, 2), st.integers(0, 2**32 - 1), st.sampled_from([8, 16]))
def test_slack_of_learned_shares_is_summed_share_by_share(
    epsilon: float, seed: int, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    shares = Allocation.of_logits(rng.normal(0, 1, 63), rng.normal(0, 1, (28, 28)), 10 / epsilon)
    spec = FeatureSpec(
        epsilon=epsilon, colour="none", allocation="learned", wire_bits=bits,  # type: ignore[arg-type]
    )  # fmt: skip
    whole = picture_sampling_slack(spec, shares)
    alone = [sampling_slack(msgspec.structs.replace(spec, epsilon=epsilon * share))
             for share in shares.elements()[:, ::4, ::4].reshape(-1)[:50]]  # fmt: skip
    assert min(alone) > 0
    assert max(alone) <= sampling_slack(spec, shares) * (1 + 1e-9)
    assert whole <= FREQUENCY_ELEMENTS * sampling_slack(spec, shares) * (1 + 1e-9)
    equal = Allocation(np.ones(63, np.float32), np.ones((28, 28), np.float32))
    assert picture_sampling_slack(spec, equal) == pytest.approx(picture_sampling_slack(spec))


@given(st.floats(0.1, 1024), st.integers(1, 3 * 112 * 112))
def test_slack_of_pixels_is_that_of_all_values(epsilon: float, values: int) -> None:
    whole = picture_pixel_slack(epsilon, values)
    assert whole == pytest.approx(values * pixel_sampling_slack(epsilon))
    assert picture_pixel_slack(epsilon, values, np.ones((4, 4), np.float32)) == whole


def test_budgets_of_one_persons_pictures_add_up(calibration: Calibration) -> None:
    one = privacy_budget(FeatureSpec(epsilon=0.5, colour="none"), calibration)
    assert (one.person_uploads, one.person_total) == (1, one.total)
    five = one.of_person(5)
    assert (five.total, five.person_total) == (one.total, 5 * one.total)
    assert f"at most 5 pictures of one person, epsilon {5 * one.total:,.0f}" in five.statement
    assert "sqrt(n)" in five.statement
    bare = privacy_budget(FeatureSpec(), calibration).of_person(3)
    assert math.isinf(bare.person_total)
    assert "At most 3 pictures are sent of one person, without a promise." in bare.statement
