"""Folded rows in the ring: sign-forgetting features under a keyed projection.

Who knows what: the client that enrols draws the key and computes the row; the provider computes
the features of a probe, for which it needs no key; the fold and its cohort are public. No message
and no round is added to a search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.folding import Fold
from protocol.mapping.keyed_projection import KeyedProjection
from protocol.mapping.keys import MappingKey, SeedKey
from protocol.mapping.quantise import check_scale, clamp_round, unit_rows
from protocol.mapping.spec import MappingSpec

__all__ = ["FoldedForm"]


class FoldedForm:
    """Rows and probes of the strict 1:N search over folded templates.

    A template is K_j f(v), K_j the keyed projection of identity j; the score of a probe q is
    <f(q), K_j^T K_j f(v)> with f(q) and the row of unit length. Both are rounded to norms of at
    most `scale`, so no score exceeds scale^2 and nothing wraps.

    Attributes:
        dimension: D, features per row and probe.
        score_unit: ring units per unit of score; a score is a cosine of features.
        max_abs_score: scale^2, which no score exceeds.
    """

    def __init__(
        self,
        spec: MappingSpec,
        dimension: int,
        ring_bits: int,
        scale: int,
        cohort: NDArray[np.float64],
    ) -> None:
        """Derive the public fold from the cohort.

        Args:
            spec: a mapping of kind `folded`.
            dimension: entries n of an embedding.
            ring_bits: the ring.
            scale: norm bound of integer rows and probes.
            cohort: public unit embeddings [c, n].

        Raises:
            ScenarioError: the scale does not fit the ring.
            LocalProtocolError: the cohort is of another dimension, or hardly varies.
        """
        check_scale(scale, ring_bits)
        if cohort.ndim != 2 or cohort.shape[1] != dimension:
            message = f"the cohort has shape {cohort.shape}, expected [c, {dimension}]"
            raise LocalProtocolError(message)
        self.fold = Fold(cohort, spec.blocks, spec.whitening)
        self.embedding_length, self.dimension = dimension, self.fold.length
        self.score_unit = float(scale * scale)
        self.max_abs_score = scale * scale
        self._kept, self._scale = spec.kept, scale

    def map_probe(self, units: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return integer features [B,D] of unit embeddings [B,n]."""
        return clamp_round(self.fold.features(units) * self._scale, self._scale)

    def map_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.int32]:
        """Return the integer row [D] of one unit embedding [n] under its key.

        Raises:
            LocalProtocolError: there is no key.
        """
        return clamp_round(self.real_row(unit, key) * self._scale, self._scale)

    def map_rows(
        self, units: NDArray[np.float64], keys: Sequence[MappingKey | None]
    ) -> NDArray[np.int32]:
        """Return integer rows [B,D] of unit embeddings [B,n], each under its own key.

        Raises:
            LocalProtocolError: a key is missing.
        """
        return np.stack([self.map_row(unit, key) for unit, key in zip(units, keys, strict=True)])

    def real_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.float64]:
        """Return the unit row [D] before rounding.

        Raises:
            LocalProtocolError: there is no key.
        """
        if not isinstance(key, SeedKey):
            raise LocalProtocolError("a folded row needs its identity's key")
        projection = KeyedProjection(key.seed, self.dimension, self._kept)
        return unit_rows(projection.lift(projection.project(self.fold.features(unit))))

    def ring_threshold(self, cosine: float) -> int:
        """Return the score a cosine of features stands for, rounded up and kept in range."""
        limit = self.max_abs_score
        return int(np.clip(np.ceil(cosine * self.score_unit), -limit, limit))
