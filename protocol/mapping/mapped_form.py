"""Mapped rows in the ring: folded keys and templates, power features, balanced scales.

Who knows what: the client that enrols draws the key and folds the row; the provider computes
the power features of a probe, for which it needs no key; the cohort, the anchor and the scales
are public and the same for every row and probe. No message and no round is added to a search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.keys import KeyRing, MappingKey, PolynomialKey
from protocol.mapping.power_features import KeyedRow, PublicCohort
from protocol.mapping.quantise import check_scale, clamp_round
from protocol.mapping.spec import MappingSpec
from protocol.sharing.prg import keyed_random_bytes

__all__ = ["MappedForm"]

SAMPLE_KEYS = 64
HEADROOM = 1.1


class MappedForm:
    """Rows and probes of the strict 1:N search under identity-specific keys.

    A cosine needs the norm of the mapped probe, which differs per key and is no linear function
    of the power features. A row therefore asks for `numerator - anchor * (norm estimate - 1)`,
    where both are linear: the part of the norm that the features can tell is subtracted at the
    slope that makes the score equal to the cosine where the cosine is the anchor, the highest
    impostor cosine of the cohort, near which thresholds lie. Away from it the score is a
    monotone stand-in: higher is more alike.

    Probe block e is multiplied by a_e and row block e divided by it, with a_e chosen on the
    cohort so that both sides carry equal norm; then both are rounded with one public factor each
    and norms of at most `scale`, so by Cauchy-Schwarz no score exceeds scale^2 and nothing wraps.
    A row or probe longer than any the cohort suggests by a tenth is shrunk, which lowers scores.

    Attributes:
        embedding_length: entries n of the embeddings it takes.
        dimension: D = m n entries per row and probe, plus cross features where the norm is
            quadratic, plus a constant one where not centred.
        score_unit: ring units per unit of cosine.
        max_abs_score: scale^2, which no score exceeds.
        anchor: the public cosine at which scores are cosines.
    """

    def __init__(
        self,
        spec: MappingSpec,
        dimension: int,
        ring_bits: int,
        scale: int,
        cohort: NDArray[np.float64],
    ) -> None:
        """Derive the public scales from the cohort.

        Args:
            spec: a mapping of kind `polyprotect`.
            dimension: entries n of an embedding.
            ring_bits: the ring.
            scale: norm bound of integer rows and probes.
            cohort: public unit embeddings [c, n], c >= 2.

        Raises:
            ScenarioError: the scale does not fit the ring.
            LocalProtocolError: the cohort is of another dimension.
        """
        check_scale(scale, ring_bits)
        if cohort.ndim != 2 or cohort.shape[1] != dimension:
            message = f"the cohort has shape {cohort.shape}, expected [c, {dimension}]"
            raise LocalProtocolError(message)
        self.embedding_length = dimension
        self._constant = not spec.centred
        self._scale = scale
        self._public = PublicCohort(
            cohort, spec.terms, spec.overlap, centred=spec.centred, norm=spec.norm
        )
        crossed = self._public.cross_features(cohort[:1]).shape[1]
        blocks = [dimension] * spec.terms + [crossed] + [1] * self._constant
        self._blocks = [length for length in blocks if length]
        self.dimension = sum(self._blocks)
        self.max_abs_score = scale * scale
        samples = self._sample_rows(spec, cohort)
        self.anchor = _highest_impostor(samples)
        self._balance = np.ones(self.dimension)
        probes, rows = self._flat_probes(cohort), np.stack([self._flat_row(s) for s in samples])
        self._balance = self._balanced(probes, rows)
        self._probe_factor = scale / _longest(probes * self._balance)
        self._row_factor = scale / _longest(rows / self._balance)
        self.score_unit = self._probe_factor * self._row_factor

    def map_probe(self, units: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return integer power features [B,D] of unit embeddings [B,n]."""
        return clamp_round(self._flat_probes(units) * self._probe_factor, self._scale)

    def map_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.int32]:
        """Return the integer row [D] of one unit embedding [n] under its key.

        Raises:
            LocalProtocolError: there is no key.
        """
        return clamp_round(self._keyed_row(unit, key) * self._row_factor, self._scale)

    def map_rows(
        self, units: NDArray[np.float64], keys: Sequence[MappingKey | None]
    ) -> NDArray[np.int32]:
        """Return integer rows [B,D] of unit embeddings [B,n], each under its own key.

        Raises:
            LocalProtocolError: a key is missing.
        """
        return np.stack([self.map_row(unit, key) for unit, key in zip(units, keys, strict=True)])

    def real_scores(
        self, units: NDArray[np.float64], unit: NDArray[np.float64], key: MappingKey | None
    ) -> NDArray[np.float64]:
        """Return the scores [B] of probes [B,n] with one enrolled template, before rounding.

        Raises:
            LocalProtocolError: there is no key.
        """
        return np.asarray(self.real_probes(units) @ self.real_row(unit, key))

    def real_probes(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return power features [B,D] before rounding."""
        return self._flat_probes(units)

    def real_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.float64]:
        """Return the row [D] before rounding.

        Raises:
            LocalProtocolError: there is no key.
        """
        return self._keyed_row(unit, key)

    def power_weights(
        self, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Undo the public scales of integer rows [..., D], which needs no key.

        Returns:
            weights [..., m, n] of the power features, as they were before rounding, and the
            standard deviation [m] of what rounding did to each degree's weights.
        """
        count = len(self._public.mean)
        size = self._public.mean.size
        factor = self._balance / self._row_factor
        weights = (np.asarray(rows, dtype=np.float64) * factor)[..., :size]
        rounding = factor[:size].reshape(count, -1)[:, 0] / np.sqrt(12.0)
        return weights.reshape(*weights.shape[:-1], count, -1), rounding

    @property
    def public(self) -> PublicCohort:
        """The public cohort's statistics, which everybody may hold."""
        return self._public

    def ring_threshold(self, cosine: float) -> int:
        """Return the score a cosine stands for, rounded up and kept inside the score range."""
        limit = self.max_abs_score
        return int(np.clip(np.ceil(cosine * self.score_unit), -limit, limit))

    def _keyed_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.float64]:
        if not isinstance(key, PolynomialKey):
            raise LocalProtocolError("a mapped row needs its identity's key")
        return self._flat_row(self._public.keyed_row(unit, key))

    def _flat_probes(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        features = self._public.centred_features(units)
        flat = features.reshape(*features.shape[:-2], -1)
        crossed = self._public.cross_features(units)
        one = np.ones((*flat.shape[:-1], int(self._constant)))
        return np.asarray(np.concatenate([flat, crossed, one], axis=-1) * self._balance)

    def _flat_row(self, row: KeyedRow) -> NDArray[np.float64]:
        flat = (row.numerator - self.anchor * row.energy).ravel()
        offset = [row.offset] * self._constant
        return np.concatenate([flat, -self.anchor * row.cross, offset]) / self._balance

    def _sample_rows(self, spec: MappingSpec, cohort: NDArray[np.float64]) -> list[KeyedRow]:
        """Return rows of cohort members under public sample keys, to choose public scales."""
        keys = KeyRing(spec, keyed_random_bytes(bytes(32), "public sample keys"))
        count = min(SAMPLE_KEYS, keys.capacity)
        members = cohort[np.arange(count) % len(cohort)]
        issued = (keys.issue(str(index)) for index in range(count))
        return [
            self._public.keyed_row(unit, key)
            for unit, key in zip(members, issued, strict=True)
            if isinstance(key, PolynomialKey)
        ]

    def _balanced(
        self, probes: NDArray[np.float64], rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the factor [D] of each probe entry, one per block, equalising both sides."""
        sizes = [self._block_sizes(side) for side in (probes, rows)]
        floor = 1e-9 * sizes[1].max()
        # Neither side may be divided by nothing: an empty block keeps a tiny, harmless factor.
        factors = np.sqrt(np.maximum(sizes[1], floor) / np.maximum(sizes[0], floor))
        return np.repeat(factors, self._blocks)

    def _block_sizes(self, side: NDArray[np.float64]) -> NDArray[np.float64]:
        starts = np.cumsum([0, *self._blocks[:-1]])
        energies = np.add.reduceat(np.square(side), starts, axis=1)
        return np.asarray(np.sqrt(energies.mean(axis=0)))


def _highest_impostor(samples: list[KeyedRow]) -> float:
    """Return the highest cosine of a sample row with another member of the cohort."""
    count = len(samples[0].impostors)
    highest = [
        float(np.delete(row.impostors, index % count).max()) for index, row in enumerate(samples)
    ]
    return max(highest)


def _longest(vectors: NDArray[np.float64]) -> float:
    return HEADROOM * float(np.linalg.norm(vectors, axis=1).max())
