from __future__ import annotations

import math

import msgspec
import pytest

from protocol.errors import ScenarioError
from protocol.features import Calibration, FeatureSpec, privacy_budget

FREQUENCY_ELEMENTS = 63 * 112 * 112
COLOUR_BITS = 24 * 112 * 112


def test_frequency_noise_alone(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(epsilon=0.5, colour="none"), calibration)
    assert budget.element_epsilon == 0.5
    assert budget.image_epsilon == budget.total == 395_136 == 0.5 * FREQUENCY_ELEMENTS
    assert budget.colour_image_epsilon == 0
    assert "395,136" in budget.statement


def test_colour_without_noise_voids_the_whole_input(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(epsilon=0.5), calibration)
    assert budget.image_epsilon == 395_136
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
    assert budget.total == FREQUENCY_ELEMENTS + budget.colour_image_epsilon
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
