"""What a scenario may say about the identity-specific mapping; public parameters."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import msgspec

from protocol.errors import ScenarioError

__all__ = ["MAX_BLOCKS", "MAX_TERMS", "MappingSpec", "Norm", "cross_pairs", "folded_length"]

Norm = Literal["per_key", "linear", "quadratic"]

MAX_TERMS = 12
"""Largest degree offered: beyond it unit-norm entries vanish below float64 rounding."""


MAX_BLOCKS = 64
"""Most blocks offered: with blocks of two entries little of an identity is left."""

MAX_WHITENING = 1e6
"""From here on the whitening is a mere rotation."""


class MappingSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choice and parameters of the mapping.

    Attributes:
        kind: `none` searches plain unit templates, `polyprotect` maps each entry with its own key
            (method reference 6.1), `folded` forgets the signs of blocks and projects with a key.
        terms: m, terms per window = largest exponent.
        overlap: o, entries shared by neighbouring windows, 0..m-1; the window step is m - o.
        coefficient_limit: c_max, coefficients are distinct non-zero integers in [-c_max, c_max].
        norm: how far a mapped probe's norm is accounted for: `per_key` by its mean under the key,
            `linear` also by what power features tell of it, `quadratic` also by cross features,
            which make rows longer (docs/decisions/0020).
        centred: subtract the public cohort's mean from mapped probes and templates.
        cohort: how many public people estimate that mean and the mapped norms, or the whitening.
        blocks: B of a folded template, of which 2^(B-1) look the same.
        whitening: ridge of the whitening before the fold, in mean variances; 0 whitens fully.
        kept: share of the features' Hadamard transform a folded template's key keeps.
    """

    kind: Literal["none", "polyprotect", "folded"] = "none"
    terms: int = 5
    overlap: int = 2
    coefficient_limit: int = 50
    norm: Norm = "linear"
    centred: bool = True
    cohort: int = 200
    blocks: int = 8
    whitening: float = 1.0
    kept: float = 0.75

    def row_length(self, dimension: int) -> int:
        """Return the most ring elements a row of an embedding with `dimension` entries has."""
        if self.kind == "polyprotect":
            crossed = self.norm == "quadratic"
            pairs = cross_pairs(dimension, self.terms, self.overlap) if crossed else 0
            return self.terms * dimension + pairs + (not self.centred)
        return folded_length(dimension, self.blocks) if self.kind == "folded" else dimension

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
        if not 1 <= self.blocks <= MAX_BLOCKS:
            raise _problem("blocks", f"got {self.blocks}", f"use 1..{MAX_BLOCKS}; 8 is measured")
        if not 0.0 <= self.whitening <= MAX_WHITENING:
            raise _problem("whitening", f"got {self.whitening}", f"use 0 to {MAX_WHITENING:g}")
        if not 0.0 < self.kept <= 1.0:
            raise _problem("kept", f"got {self.kept}", "use a share above 0 and at most 1")


def cross_pairs(dimension: int, terms: int, overlap: int) -> int:
    """Return how many ordered pairs of n entries share a window of m terms."""
    starts = range(0, max(dimension - overlap, 1), terms - overlap)
    windows = (range(start, min(start + terms, dimension)) for start in starts)
    return len({pair for window in windows for pair in permutations(window, 2)})


def folded_length(dimension: int, blocks: int) -> int:
    """Return D for n entries in B blocks whose sizes differ by one at most."""
    small, larger = divmod(dimension, blocks)
    return larger * _products(small + 1) + (blocks - larger) * _products(small)


def _products(size: int) -> int:
    return size * (size + 1) // 2


def _problem(field: str, message: str, hint: str) -> ScenarioError:
    return ScenarioError(message, where=f"mapping.{field}", hint=hint)
