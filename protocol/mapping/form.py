"""The integer form of rows and probes that the secure search works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ScenarioError
from protocol.mapping.folded_form import FoldedForm
from protocol.mapping.keys import MappingKey
from protocol.mapping.mapped_form import MappedForm
from protocol.mapping.quantise import check_scale, quantise_template
from protocol.mapping.spec import MappingSpec

__all__ = ["PlainForm", "RowForm", "open_form"]


class RowForm(Protocol):
    """Turns unit embeddings into integer rows and probes whose inner product is the score.

    Who knows what: the enrolling client calls `map_rows` with its own embeddings and keys, the
    model provider calls `map_probe`; the form itself is made of public parameters only.
    """

    @property
    def dimension(self) -> int:
        """Length D of a row or probe."""
        ...

    @property
    def embedding_length(self) -> int:
        """Entries n of the embeddings it takes."""
        ...

    @property
    def score_unit(self) -> float:
        """Ring units per unit of cosine."""
        ...

    @property
    def max_abs_score(self) -> int:
        """Largest absolute score; twice that fits the ring's signed range, so nothing wraps."""
        ...

    def map_probe(self, units: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return integer probes [B,D] of unit embeddings [B,n]."""
        ...

    def map_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.int32]:
        """Return the integer row [D] of one unit embedding [n] under its key."""
        ...

    def map_rows(
        self, units: NDArray[np.float64], keys: Sequence[MappingKey | None]
    ) -> NDArray[np.int32]:
        """Return integer rows [B,D] of unit embeddings [B,n], each under its own key."""
        ...

    def ring_threshold(self, cosine: float) -> int:
        """Return the smallest score that counts as at least this cosine."""
        ...


class PlainForm:
    """Unmapped rows: norm-scaled, rounded embeddings; a row and a probe look the same."""

    def __init__(self, dimension: int, ring_bits: int, scale: int) -> None:
        check_scale(scale, ring_bits)
        self.dimension = self.embedding_length = dimension
        self.score_unit = float(scale * scale)
        self.max_abs_score = scale * scale
        self._scale = scale

    def map_probe(self, units: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return integer probes [B,n], each of norm at most the scale."""
        return quantise_template(units, self._scale)

    def map_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.int32]:
        """Return one integer row [n]; there is no key to use."""
        return self.map_rows(unit, [key])

    def map_rows(
        self, units: NDArray[np.float64], keys: Sequence[MappingKey | None]
    ) -> NDArray[np.int32]:
        """Return integer rows [B,n]; there are no keys to use."""
        del keys
        return quantise_template(units, self._scale)

    def ring_threshold(self, cosine: float) -> int:
        """Return the score a cosine stands for, rounded up."""
        return int(np.ceil(cosine * self.score_unit))


def open_form(
    spec: MappingSpec,
    dimension: int,
    ring_bits: int,
    scale: int,
    cohort: NDArray[np.float64] | None,
) -> RowForm:
    """Return the row form a scenario asks for.

    Args:
        spec: the mapping.
        dimension: entries n of an embedding.
        ring_bits: the ring.
        scale: norm bound of integer rows and probes.
        cohort: public unit embeddings [c, n]; only a mapping needs them.

    Raises:
        ScenarioError: the scale does not fit the ring, or a mapping has no cohort.
    """
    if spec.kind == "none":
        return PlainForm(dimension, ring_bits, scale)
    if cohort is None or len(cohort) < 2:
        message = "a mapping needs a public cohort of at least two training people"
        raise ScenarioError(message, where="mapping.cohort")
    if spec.kind == "folded":
        return FoldedForm(spec, dimension, ring_bits, scale, cohort)
    return MappedForm(spec, dimension, ring_bits, scale, cohort)
