"""What a scenario may say about the identity-specific mapping; public parameters."""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol.errors import ScenarioError

__all__ = ["MAX_TERMS", "MappingSpec"]

MAX_TERMS = 12
"""Largest degree offered: beyond it unit-norm entries vanish below float64 rounding."""


class MappingSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choice and parameters of the mapping (PolyProtect, method reference 6.1).

    Attributes:
        kind: `none` searches plain unit templates, `polyprotect` maps each entry with its own key.
        terms: m, terms per window = largest exponent.
        overlap: o, entries shared by neighbouring windows, 0..m-1; the window step is m - o.
        coefficient_limit: c_max, coefficients are distinct non-zero integers in [-c_max, c_max].
        centred: subtract the public cohort's mean from mapped probes and templates.
        cohort: how many public people estimate that mean and the mapped norms.
    """

    kind: Literal["none", "polyprotect"] = "none"
    terms: int = 5
    overlap: int = 2
    coefficient_limit: int = 50
    centred: bool = True
    cohort: int = 200

    def __post_init__(self) -> None:
        """Refuse parameters for which the mapping is not defined.

        Raises:
            ScenarioError: with the path of the field.
        """
        terms, overlap = self.terms, self.overlap
        if not 1 <= terms <= MAX_TERMS:
            raise _problem("terms", f"got {terms}", f"use 1..{MAX_TERMS}; 5 is the usual choice")
        if not 0 <= overlap < terms:
            message = f"overlap must be below terms ({terms}), got {overlap}"
            raise _problem("overlap", message, f"use 0..{terms - 1}")
        if 2 * self.coefficient_limit < terms:
            message = f"{terms} distinct non-zero coefficients do not fit in the limit"
            raise _problem("coefficient_limit", message, "50 is the usual choice")
        if self.cohort < 2:
            raise _problem("cohort", f"got {self.cohort}", "use at least 2 people")


def _problem(field: str, message: str, hint: str) -> ScenarioError:
    return ScenarioError(message, where=f"mapping.{field}", hint=hint)
