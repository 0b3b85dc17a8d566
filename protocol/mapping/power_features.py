"""The linear form of a mapped comparison: every strict 1:N score is one inner product.

With power features phi(v) = (v, v^2, ..., v^m), the numerator of a score under any key is
<phi(v), M>, where the row M folds key and protected template together at enrolment. The client
that enrols keeps its key; the provider computes phi(v) without any key. Source: method
reference, section 7 (linear form) and 6.3 (centring per key).

Features are centred on the public cohort, z(v) = phi(v) - mean phi. Since the map is linear in
phi, centring them once centres the mapped templates under every key, without a constant term.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.mapping.cross_features import CrossFeatures
from protocol.mapping.keys import PolynomialKey
from protocol.mapping.polyprotect import (
    powers,
    protect_entries,
    protect_powers,
    window_positions,
)
from protocol.mapping.spec import Norm

__all__ = ["KeyedRow", "PublicCohort", "fold", "fold_energy"]


def fold(
    key: PolynomialKey, weights: NDArray[np.float64], dimension: int, overlap: int
) -> NDArray[np.float64]:
    """Return M [m, n] with <phi(v), M> = sum over w of P_w(v) * weights_w for every v.

    Args:
        key: the identity's key.
        weights: float64 [k], usually the enrolled template, divided by its norm.
        dimension: n.
        overlap: entries neighbouring windows share.
    """
    coefficients = np.array(key.coefficients, dtype=np.float64)
    return _scatter(key, key.exponents, weights[:, None] * coefficients, dimension, overlap)


def fold_energy(
    key: PolynomialKey, centre: NDArray[np.float64], overlap: int
) -> NDArray[np.float64]:
    """Return E [m, n]: <phi(v), E> is, up to a constant, the separate energy of low-degree terms.

    ||P(v) - mu||^2 is a sum of squares c_i^2 (v^e - mean)^2 = c_i^2 (v^2e - 2 mean v^e + mean^2)
    and of mixed products of different entries. A square is linear in phi when 2e <= m; for unit
    vectors higher degrees hardly count. Mixed products are not linear in phi and are left out.

    Args:
        key: the identity's key.
        centre: mean powers [m, n], zero where nothing is centred.
        overlap: entries neighbouring windows share.
    """
    terms, dimension = centre.shape
    positions = window_positions(dimension, terms, overlap)
    squares = np.array(
        [c * c * (2 * e <= terms) for c, e in zip(key.coefficients, key.exponents, strict=True)],
        dtype=np.float64,
    )
    padded = np.concatenate([centre, np.zeros((terms, 1))], axis=1)
    means = padded[np.array(key.exponents) - 1, positions]
    doubled = tuple(min(2 * exponent, terms) for exponent in key.exponents)
    spread = np.broadcast_to(squares, positions.shape)
    return _scatter(key, doubled, spread, dimension, overlap) + _scatter(
        key, key.exponents, -2.0 * squares * means, dimension, overlap
    )


def _scatter(
    key: PolynomialKey,
    exponents: tuple[int, ...],
    values: NDArray[np.float64],
    dimension: int,
    overlap: int,
) -> NDArray[np.float64]:
    """Add values [k, m] to the cells (exponent of the term, entry the term reads) of [m, n]."""
    terms = len(key.exponents)
    positions = window_positions(dimension, terms, overlap)
    width = dimension + 1
    cells = (np.array(exponents) - 1) * width + positions
    flat = np.bincount(cells.ravel(), weights=values.ravel(), minlength=terms * width)
    return np.asarray(flat.reshape(terms, width)[:, :dimension])


class KeyedRow:
    """One enrolled template under its key, before rounding; held by the enrolling client only.

    Attributes:
        numerator: [m, n], <z(v), numerator> + offset = <P(v) - mu, G> / (|G| norm).
        energy: [m, n], <z(v), energy> = estimated |P(v) - mu| / norm, minus 1; 0 for no estimate.
        cross: [C], what cross features add to that estimate.
        offset: the numerator's mean over the cohort, 0 when centred.
        impostors: [c], exact cosines of the cohort with this template under this key.
    """

    __slots__ = ("cross", "energy", "impostors", "numerator", "offset")

    def __init__(
        self,
        numerator: NDArray[np.float64],
        energy: NDArray[np.float64],
        cross: NDArray[np.float64],
        offset: float,
        impostors: NDArray[np.float64],
    ) -> None:
        self.numerator = numerator
        self.energy = energy
        self.cross = cross
        self.offset = offset
        self.impostors = impostors


class PublicCohort:
    """Public embeddings that tell the mean of the power features and each key's mean norm.

    Every party may hold them: they are parameters of the deployment, not of a person.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float64],
        terms: int,
        overlap: int,
        *,
        centred: bool,
        norm: Norm = "linear",
    ) -> None:
        """Prepare the cohort.

        Args:
            embeddings: float64 [c, n], unit rows.
            terms: m.
            overlap: entries neighbouring windows share.
            centred: subtract the mean of each key's mapped cohort from mapped vectors.
            norm: what of a mapped probe's norm is estimated.
        """
        raised = powers(embeddings, terms)
        self.mean = raised.mean(axis=0)
        self.features = raised - self.mean
        self._terms, self._overlap = terms, overlap
        self._centre = self.mean if centred else np.zeros_like(self.mean)
        centred_powers = raised - self._centre
        # Entry by entry: a window then adds whole cohorts that lie together in memory.
        self._entries = np.ascontiguousarray(np.moveaxis(centred_powers, 0, -1))
        self._norm: Norm = norm
        # Pairs need two entries: windows of one term have none.
        paired = terms if norm == "quadratic" else 1
        self._cross = CrossFeatures(embeddings.shape[1], paired, min(overlap, paired - 1))
        self._cross_mean = self._cross.of(centred_powers).mean(axis=0)

    def centred_features(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return z(v) [..., m, n] of unit embeddings [..., n]."""
        return np.asarray(powers(embeddings, self._terms) - self.mean)

    def cross_features(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return cross features [..., C], centred; C is 0 unless the norm is quadratic."""
        raised = powers(embeddings, self._terms) - self._centre
        return np.asarray(self._cross.of(raised) - self._cross_mean)

    def norm_energy(self, key: PolynomialKey, *, every: int = 1) -> NDArray[np.float64]:
        """Return the weights [m, n] that estimate a mapped probe's norm under a key.

        They depend on the key up to a factor and on nothing that was enrolled. With `every`
        above 1 only some of the cohort is asked for the norm, which is then not exact.
        """
        members = self._entries[..., ::every]
        mapped = protect_entries(members, key, self._overlap)
        return self._energy(key, float(np.linalg.norm(mapped, axis=0).mean()))

    def mapped(self, key: PolynomialKey) -> NDArray[np.float64]:
        """Return the cohort's templates [c, k] under a key."""
        return np.ascontiguousarray(protect_entries(self._entries, key, self._overlap).T)

    def _energy(self, key: PolynomialKey, norm: float) -> NDArray[np.float64]:
        estimated = float(self._norm != "per_key") / (2.0 * norm * norm)
        return fold_energy(key, self._centre, self._overlap) * estimated

    def keyed_row(self, unit: NDArray[np.float64], key: PolynomialKey) -> KeyedRow:
        """Return the linear form of one unit embedding [n] enrolled under its key."""
        overlap, size = self._overlap, unit.shape[-1]
        enrolled = protect_powers(powers(unit, self._terms) - self._centre, key, overlap)
        template = enrolled / float(np.linalg.norm(enrolled))
        mapped = self.mapped(key)
        norms = np.linalg.norm(mapped, axis=1)
        norm = float(norms.mean())
        products = mapped @ template
        estimated = float(self._norm != "per_key") / (2.0 * norm * norm)
        return KeyedRow(
            fold(key, template / norm, size, overlap),
            self._energy(key, norm),
            self._cross.fold(key) * estimated,
            float(products.mean()) / norm,
            products / norms,
        )
