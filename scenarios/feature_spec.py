"""Feature options of a scenario (fields of the protected input)."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["FeatureSpec"]


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the client computes from a picture; public parameters."""

    fusion: Literal["maxabs", "y_only", "mean", "sum", "none"] = "maxabs"
    colour: Literal["none", "lbp_y", "lbp_rgb", "malbp", "dlbp"] = "dlbp"
    epsilon: float | None = None
    colour_epsilon: float | None = None
    wire_bits: Literal[8, 16] = 8
