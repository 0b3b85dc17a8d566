"""Honest accounting of what the noise promises, per element and per picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from protocol.features.calibration import require_sensitivity
from protocol.features.noise import sampling_slack
from protocol.features.pixels import pixel_sampling_slack
from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from protocol.features.allocation import Allocation
    from protocol.features.calibration import Calibration
    from protocol.features.spec import FeatureSpec

__all__ = ["PrivacyBudget", "privacy_budget"]


class PrivacyBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Differential-privacy budget of one protected picture; infinity means no promise.

    Attributes:
        element_epsilon: epsilon of one frequency element, or of one pixel value; where shares were
            learned, the largest.
        image_epsilon: the same for all of them in a picture together.
        colour_bit_epsilon: epsilon of one colour bit.
        colour_image_epsilon: the same for all colour bits of a picture; 0 when none are sent,
            or when noise on pixels covers them.
        total: epsilon of everything that is sent for one picture.
        statement: one paragraph for the report.
    """

    element_epsilon: float
    image_epsilon: float
    colour_bit_epsilon: float
    colour_image_epsilon: float
    total: float
    statement: str


def privacy_budget(spec: FeatureSpec, calibration: Calibration) -> PrivacyBudget:
    """Account for one picture; raise ScenarioError when the sensitivities cannot carry noise."""
    require_sensitivity(spec, calibration)
    if spec.pixel_epsilon is not None:
        return _pixel_budget(spec, spec.pixel_epsilon, _shares(spec, calibration))
    shares = _shares(spec, calibration)
    elements = spec.frequency_channels * EDGE * EDGE
    element = math.inf if spec.epsilon is None else spec.epsilon
    bit = math.inf if spec.colour_epsilon is None else spec.colour_epsilon
    bit = bit if spec.colour_bits else 0.0
    colour = bit * spec.colour_bits if spec.colour_bits else 0.0
    image = element * elements * _total(shares)
    texts = [_frequency_text(spec, elements, shares), _colour_text(spec), _total_text(spec)]
    return PrivacyBudget(
        element_epsilon=element * _extremes(shares)[1],
        image_epsilon=image,
        colour_bit_epsilon=bit,
        colour_image_epsilon=colour,
        total=image + colour,
        statement=" ".join(texts),
    )


def _shares(spec: FeatureSpec, calibration: Calibration) -> Allocation | None:
    return calibration.allocation if spec.allocation == "learned" else None


def _extremes(shares: Allocation | None) -> tuple[float, float]:
    return (1.0, 1.0) if shares is None else shares.extremes


def _total(shares: Allocation | None) -> float:
    return 1.0 if shares is None else shares.total


def _share_text(epsilon: float, shares: Allocation | None) -> str:
    if shares is None:
        return f"epsilon {epsilon:g} for each of"
    low, high = (epsilon * share for share in shares.extremes)
    return f"epsilon {epsilon:g} in the mean ({low:.2g} to {high:.2g}, learned and public) for"


def _pixel_budget(spec: FeatureSpec, epsilon: float, shares: Allocation | None) -> PrivacyBudget:
    values, side = spec.pixel_values, spec.pixel_block
    what = "luminance" if spec.grey else "pixel"
    what = f"{what} values" if side == 1 else f"{what} means of {side}x{side} pixels"
    text = (
        f"Pixels: Laplace noise with {_share_text(epsilon, shares)} {values:,} {what}, "
        f"epsilon {epsilon * values:,.0f} for the picture; all is computed from the noisy "
        f"picture, so this covers everything sent; finite sampling resolution adds at most "
        f"{pixel_sampling_slack(epsilon, _extremes(shares)):.1g} per value. Budgets of several "
        "pictures of one person add up."
    )
    return PrivacyBudget(
        element_epsilon=epsilon * _extremes(shares)[1],
        image_epsilon=epsilon * values * _total(shares),
        colour_bit_epsilon=0.0,
        colour_image_epsilon=0.0,
        total=epsilon * values * _total(shares),
        statement=text,
    )


def _frequency_text(spec: FeatureSpec, elements: int, shares: Allocation | None) -> str:
    if spec.epsilon is None:
        return "Frequency part: no noise, so no differential-privacy promise."
    return (
        f"Frequency part: Laplace noise with {_share_text(spec.epsilon, shares)} {elements:,} "
        f"elements, epsilon {spec.epsilon * elements:,.0f} for the picture; sensitivities are the "
        f"widths of the clip bounds; finite sampling resolution adds at most "
        f"{sampling_slack(spec, shares):.1g} per element."
    )


def _colour_text(spec: FeatureSpec) -> str:
    if not spec.colour_bits:
        return "No colour part is sent."
    if spec.colour_epsilon is None:
        return "Colour part: sent without noise; local binary patterns alone show the face."
    return (
        f"Colour part: randomised response with epsilon {spec.colour_epsilon:g} for each of "
        f"{spec.colour_bits:,} bits, epsilon {spec.colour_epsilon * spec.colour_bits:,.0f} for the "
        f"picture."
    )


def _total_text(spec: FeatureSpec) -> str:
    if spec.epsilon is None or (spec.colour_bits and spec.colour_epsilon is None):
        return "The input as a whole carries no differential-privacy guarantee (infinite epsilon)."
    return "Budgets of several pictures of one person add up."
