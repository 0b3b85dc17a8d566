"""A sharper linear norm for PolyProtect: 8 n products v_i v_j² of neighbouring entries.

The squared norm of a mapped probe contains, besides squares, the product of the terms of degree
one and two of each window. It is no linear function of powers, but of v_i v_(i+d)², |d| <= m - 1,
which the provider can compute without a key. Rows grow from 5 n to 13 n entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.mappings.schemes import Keys, LinearPolyProtect
from protocol.mapping import MappedForm, PolynomialKey
from protocol.mapping.polyprotect import powers, protect_powers, window_positions

__all__ = ["CrossPolyProtect"]

Floats = NDArray[np.float64]


class CrossPolyProtect(LinearPolyProtect):
    """As the secure search computes it, with cross products in the norm estimate."""

    def __init__(self, cohort: Floats, overlap: int) -> None:
        super().__init__(cohort, overlap)
        self.name = f"PolyProtect o={overlap}, centred, norm with 8n cross features"
        raised = powers(cohort, self.spec.terms)
        self._mean = raised.mean(axis=0)
        self._cohort = raised - self._mean
        self._shifts = [d for d in range(1 - self.spec.terms, self.spec.terms) if d]
        self.row_length += len(self._shifts) * cohort.shape[1]
        self._cross_mean = np.zeros((len(self._shifts), cohort.shape[1]))
        self._cross_mean = self._cross(self._cohort).mean(axis=0)

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return the linear scores minus what the cross products say about the norm."""
        if not isinstance(self.form, MappedForm):
            raise TypeError
        cross = self._cross(powers(probes, self.spec.terms) - self._mean)
        weights = np.stack([self._weights(key).ravel() for key in keys], axis=1)
        linear = super().scores(probes, gallery, keys)
        return linear - self.form.anchor * (cross.reshape(len(probes), -1) @ weights)

    def _cross(self, moved: Floats) -> Floats:
        """Return (v_i - mean)(v_(i+d)² - mean), [B, shifts, n], zero past the ends."""
        first, second = moved[:, 0], moved[:, 1]
        padded = np.pad(second, ((0, 0), (self.spec.terms, self.spec.terms)))
        width = first.shape[1]
        parts = [
            first * padded[:, self.spec.terms + d : self.spec.terms + d + width]
            for d in self._shifts
        ]
        return np.stack(parts, axis=1) - self._cross_mean

    def _weights(self, key: PolynomialKey) -> Floats:
        """Return the weight [shifts, n] of each product under one key."""
        mapped = protect_powers(self._cohort, key, self.spec.overlap)
        norm = float(np.linalg.norm(mapped, axis=1).mean())
        one, two = key.exponents.index(1), key.exponents.index(2)
        size = self._mean.shape[1]
        places = window_positions(size, self.spec.terms, self.spec.overlap)
        inside = places[:, one] < size
        found = np.zeros((len(self._shifts), size))
        value = key.coefficients[one] * key.coefficients[two] / norm**2
        np.add.at(found[self._shifts.index(two - one)], places[inside, one], value)
        return found
