"""Honest accounting of what the noise promises, per element, per picture and per person.

Every number includes what the finite resolution of the draw may add to it. Budgets compose: those
of a picture's elements add up, and so do those of all pictures that are sent of one person.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from protocol.features.calibration import require_sensitivity
from protocol.features.noise import picture_sampling_slack, sampling_slack
from protocol.features.pixels import picture_pixel_slack, pixel_sampling_slack
from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from protocol.features.allocation import Allocation
    from protocol.features.calibration import Calibration
    from protocol.features.spec import FeatureSpec

__all__ = ["PrivacyBudget", "privacy_budget"]


class PrivacyBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Differential-privacy budget of protected pictures; infinity means no promise.

    Attributes:
        element_epsilon: epsilon of one frequency element, or of one pixel value; where shares were
            learned, the largest.
        image_epsilon: the same for all of them in a picture together.
        colour_bit_epsilon: epsilon of one colour bit.
        colour_image_epsilon: the same for all colour bits of a picture; 0 when none are sent,
            or when noise on pixels covers them.
        total: epsilon of everything that is sent for one picture.
        statement: one paragraph for the report.
        person_uploads: most pictures that are sent of one person.
        person_total: epsilon of all of them together.
    """

    element_epsilon: float
    image_epsilon: float
    colour_bit_epsilon: float
    colour_image_epsilon: float
    total: float
    statement: str
    person_uploads: int = 1
    person_total: float

    def of_person(self, uploads: int) -> PrivacyBudget:
        """Return the same budget, with the sum over the pictures that are sent of one person.

        Args:
            uploads: most pictures of one person, one that is sent again included.
        """
        whole = self.total * uploads
        text = f"{self.statement} {_person_text(uploads, whole)}"
        return msgspec.structs.replace(
            self, person_uploads=uploads, person_total=whole, statement=text
        )


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
    image = element * elements * _total(shares) + picture_sampling_slack(spec, shares)
    texts = [_frequency_text(spec, elements, shares), _colour_text(spec), _total_text(spec)]
    return PrivacyBudget(
        element_epsilon=element * _extremes(shares)[1] + sampling_slack(spec, shares),
        image_epsilon=image,
        colour_bit_epsilon=bit,
        colour_image_epsilon=colour,
        total=image + colour,
        person_total=image + colour,
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
    slack = picture_pixel_slack(epsilon, values, None if shares is None else shares.places)
    image = epsilon * values * _total(shares) + slack
    each = pixel_sampling_slack(epsilon, _extremes(shares))
    text = (
        f"Pixels: Laplace noise with {_share_text(epsilon, shares)} {values:,} {what}, "
        f"epsilon {image:,.0f} for the picture; all is computed from the noisy picture, so this "
        f"covers everything sent; {_slack_text(each, 'value', slack)}. Budgets of several pictures "
        "of one person add up."
    )
    return PrivacyBudget(
        element_epsilon=epsilon * _extremes(shares)[1] + each,
        image_epsilon=image,
        colour_bit_epsilon=0.0,
        colour_image_epsilon=0.0,
        total=image,
        person_total=image,
        statement=text,
    )


def _slack_text(each: float, what: str, picture: float) -> str:
    return (
        f"finite sampling resolution adds at most {each:.1g} per {what}, {picture:,.0f} in all, "
        "which is counted in"
    )


def _person_text(uploads: int, whole: float) -> str:
    pictures = "1 picture" if uploads == 1 else f"{uploads:,} pictures"
    if math.isinf(whole):
        return f"At most {pictures} are sent of one person, without a promise."
    return (
        f"This run sends at most {pictures} of one person, epsilon {whole:,.0f} together. Nobody "
        "adds up several runs. Noise averages out: n uploads of one picture protect it as one "
        "upload at sqrt(n) times its epsilon would against an attack that takes their mean."
    )


def _frequency_text(spec: FeatureSpec, elements: int, shares: Allocation | None) -> str:
    if spec.epsilon is None:
        return "Frequency part: no noise, so no differential-privacy promise."
    slack = picture_sampling_slack(spec, shares)
    return (
        f"Frequency part: Laplace noise with {_share_text(spec.epsilon, shares)} {elements:,} "
        f"elements, epsilon {spec.epsilon * elements + slack:,.0f} for the picture; sensitivities "
        f"are the widths of the clip bounds; "
        f"{_slack_text(sampling_slack(spec, shares), 'element', slack)}."
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
