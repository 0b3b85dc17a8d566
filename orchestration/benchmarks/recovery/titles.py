"""Kinds of protected input in words, for tables."""

from __future__ import annotations

from typing import Final

from protocol.features import FeatureSpec

__all__ = ["input_title"]

_FUSIONS: Final = {
    "maxabs": "63 maxabs",
    "y_only": "63 of Y",
    "mean": "63 of the planes' mean",
    "sum": "63 of the planes' sum",
    "none": "189 coefficients",
}
_SELECTIONS: Final = {"high": "high", "random": "drawn"}


def input_title(spec: FeatureSpec) -> str:
    """Return fusion, colour descriptor and noise: `63 maxabs + dlbp, eps 4 each`."""
    parts = [_frequency(spec)]
    if spec.colour != "none":
        parts.append(f"+ {spec.colour}")
    return " ".join(parts) + _noise(spec)


def _frequency(spec: FeatureSpec) -> str:
    side = spec.pixel_block
    if spec.fusion == "plane":
        return "luminance pixels" if side == 1 else f"{side}x{side} means"
    chosen = _FUSIONS[spec.fusion]
    if spec.selection != "all":
        chosen = f"{spec.frequency_channels} {_SELECTIONS[spec.selection]} of {chosen}"
    return chosen if side == 1 else f"{chosen} of {side}x{side} means"


def _noise(spec: FeatureSpec) -> str:
    words = []
    if spec.epsilon is not None:
        words.append(f"eps {spec.epsilon:.3g} a coefficient")
    if spec.pixel_epsilon is not None:
        words.append(
            f"eps {spec.pixel_epsilon:.3g} a {'pixel' if spec.pixel_block == 1 else 'mean'}"
        )
    if spec.colour_epsilon is not None:
        words.append(f"eps {spec.colour_epsilon:.3g} a colour bit")
    if spec.allocation == "learned":
        words.append("learned shares")
    return "".join(f", {word}" for word in words) or ", no noise"
