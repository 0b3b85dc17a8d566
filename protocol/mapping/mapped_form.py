"""Mapped rows in the ring: folded keys and templates, power features, balanced scales.

Who knows what: the client draws the key and folds the row; the provider computes the power
features of the probe; the cohort and the scales below are public.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.keys import KeyRing, MappingKey
from protocol.mapping.power_features import key_statistics, mapped_row, power_features
from protocol.mapping.quantise import check_scale, clamp_round
from protocol.mapping.spec import MappingSpec
from protocol.sharing.prg import keyed_random_bytes

__all__ = ["MappedForm"]

SAMPLE_KEYS = 64
HEADROOM = 1.1


class MappedForm:
    """Rows and probes of the strict 1:N search under identity-specific keys.

    Probe block e is multiplied by a_e and row block e divided by it, with a_e chosen on the
    cohort so that both sides carry equal norm; then both are rounded with one public factor each
    and norms of at most `scale`, so by Cauchy-Schwarz no score exceeds scale^2. A row or probe
    longer than the cohort suggests is shrunk, which can only lower a matching score.
    """

    def __init__(
        self,
        spec: MappingSpec,
        dimension: int,
        ring_bits: int,
        scale: int,
        cohort: NDArray[np.float64],
    ) -> None:
        check_scale(scale, ring_bits)
        self._spec = spec
        self._scale = scale
        self._cohort = cohort
        self._length = dimension
        self.dimension = (spec.terms + 1) * dimension
        probes = power_features(cohort, spec.terms)
        rows = self._sample_rows()
        self._balance = _balance(probes, rows)[:, None]
        self._probe_factor = scale / _longest(probes * self._balance)
        self._row_factor = scale / _longest(rows / self._balance)
        self.score_unit = self._probe_factor * self._row_factor

    def map_probe(self, units: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return integer power features [B,D] of unit embeddings [B,n]."""
        features = power_features(units, self._spec.terms) * self._balance
        return self._rounded(features * self._probe_factor)

    def map_row(self, unit: NDArray[np.float64], key: MappingKey | None) -> NDArray[np.int32]:
        """Return the integer row [D] of one unit embedding [n] under its key.

        Raises:
            LocalProtocolError: there is no key.
        """
        if key is None:
            raise LocalProtocolError("a mapped row needs its identity's key")
        row = self._real_row(unit, key) / self._balance
        return self._rounded(row * self._row_factor)

    def ring_threshold(self, cosine: float) -> int:
        """Return the score a cosine stands for, rounded up and kept inside the score range."""
        limit = self._scale**2
        return int(np.clip(np.ceil(cosine * self.score_unit), -limit, limit))

    def _real_row(self, unit: NDArray[np.float64], key: MappingKey) -> NDArray[np.float64]:
        spec = self._spec
        statistics = key_statistics(key, self._cohort, spec.overlap, centred=spec.centred)
        return mapped_row(unit, key, statistics, spec.overlap)

    def _sample_rows(self) -> NDArray[np.float64]:
        """Return rows of cohort members under public sample keys, to choose public scales."""
        keys = KeyRing(self._spec, keyed_random_bytes(bytes(32), "public sample keys"))
        members = self._cohort[np.arange(SAMPLE_KEYS) % len(self._cohort)]
        return np.stack(
            [self._real_row(unit, keys.issue(str(index))) for index, unit in enumerate(members)]
        )

    def _rounded(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        return clamp_round(values.reshape(*values.shape[:-2], self.dimension), self._scale)


def _balance(probes: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a_e [m + 1] that equalises the two sides' norms block by block."""
    sizes = [np.sqrt((side**2).sum(axis=2).mean(axis=0)) for side in (probes, rows)]
    tiny = np.finfo(np.float64).tiny
    # A block that rows leave empty (no centring constant) costs the probe nothing at a_e = 0.
    return np.where(sizes[1] > 0, np.sqrt(sizes[1] / np.maximum(sizes[0], tiny)), 1e-6)


def _longest(blocks: NDArray[np.float64]) -> float:
    norms = np.sqrt((blocks**2).sum(axis=(1, 2)))
    return HEADROOM * float(norms.max())
