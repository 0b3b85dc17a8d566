"""Reading a PolyProtect key out of a gallery row: no key, no photo, only what is public.

A row carries, for every degree e, the weights of v^e. Term t of the key reads entries t, t + s,
t + 2s, … (s the step of the windows), and its exponent decides in which degree they stand. So the
*places* of the non-zero weights of each degree tell the exponents. In window w a term's weight is
c_t g_w, g the protected template up to its length: all terms share g, so the weights form a matrix
[terms, windows] of rank one, whose left factor is the coefficients and whose right factor is the
template. The part of the row that estimates the probe's norm adds c_t^2 times public numbers over
the cohort's mean squared norm; it depends on the ratios of coefficients alone, so it is computed
from a first guess and taken away. What is left is rounding. Coefficients are known up to a common
factor, which no score depends on: whoever has the row has the key.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from math import gcd
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.mapping.keys import PolynomialKey
from protocol.mapping.mapped_form import MappedForm
from protocol.mapping.polyprotect import window_positions
from protocol.mapping.spec import MappingSpec

__all__ = ["RecoveredKey", "primitive", "recover_key"]

Floats = NDArray[np.float64]

ROUNDS: Final = 3
SAMPLED: Final = 8
FINE: Final = 1 << 20
IMPOSSIBLE: Final = 1000
DOUBTFUL: Final = (
    4  # cells: what tells two orders apart is at the ends, where weights may round away
)


class RecoveredKey(NamedTuple):
    """What a row says about its key and its template.

    Attributes:
        key: one that maps like the row's own: its exponents, and coefficients that are fine
            integers in the ratios that were read.
        coefficients: the coefficients within the limit that fit these ratios best, as
            `primitive` writes them.
        template: the protected template up to a factor, [k].
    """

    key: PolynomialKey
    coefficients: tuple[int, ...]
    template: Floats


def recover_key(row: NDArray[np.integer], form: MappedForm, spec: MappingSpec) -> RecoveredKey:
    """Read key and template from an integer row [D], with public parameters only.

    Args:
        row: a whole row, which the shares of both servers add up to.
        form: the public form that made it.
        spec: its mapping; its norm may be `per_key` or `linear`.
    """
    weights, rounding = form.power_weights(row)
    places = window_positions(weights.shape[1], spec.terms, spec.overlap)
    reading = _Reading(weights, rounding, places, form)
    nothing = np.zeros_like(weights)
    orders = _exponents(weights, spec)
    # Some of the cohort is enough to tell orders apart; exact coefficients take all of it.
    tried = [reading.fitted(order, nothing, [SAMPLED] * ROUNDS) for order in orders]
    best = int(np.argmin([fit.misfit for fit in tried]))
    order, fit = orders[best], reading.fitted(orders[best], tried[best].energy, [1, 1])
    precision = rounding[np.array(order) - 1] / float(np.linalg.norm(fit.template))
    coefficients = _integers(fit.ratios, precision, spec.coefficient_limit)
    return RecoveredKey(_fine(fit.ratios, order), coefficients, fit.template)


def primitive(coefficients: tuple[int, ...]) -> tuple[int, ...]:
    """Return coefficients without a common divisor, the first one positive."""
    divisor = gcd(*coefficients) * (1 if coefficients[0] > 0 else -1)
    return tuple(value // divisor for value in coefficients)


def _exponents(weights: Floats, spec: MappingSpec) -> list[tuple[int, ...]]:
    """Return the orders of exponents whose cells are, but for a few, those that are not zero."""
    orders, cells = _cells(spec, weights.shape[1])
    found = weights != 0.0
    # A weight may round to zero, but what is zero never rounds to anything else.
    outside = (found & ~cells).sum(axis=(1, 2))
    misfit = IMPOSSIBLE * outside + (cells & ~found).sum(axis=(1, 2))
    return [orders[place] for place in np.flatnonzero(misfit <= misfit.min() + DOUBTFUL)]


@lru_cache(maxsize=4)
def _cells(spec: MappingSpec, size: int) -> tuple[list[tuple[int, ...]], NDArray[np.bool_]]:
    """Return all orders of exponents and the cells [orders, m, n] each may fill."""
    terms = spec.terms
    places = window_positions(size, terms, spec.overlap)
    own = np.zeros((terms, size + 1), dtype=np.bool_)
    for term in range(terms):
        own[term, places[:, term]] = True
    own = own[:, :size]
    orders = list(permutations(range(1, terms + 1)))
    cells = np.stack([own[np.argsort(order)] for order in orders])
    for place, order in enumerate(orders):
        for term, exponent in enumerate(order):
            if spec.norm != "per_key" and 2 * exponent <= terms:
                cells[place, 2 * exponent - 1] |= own[term]
    return orders, cells


class _Fit(NamedTuple):
    ratios: Floats
    template: Floats
    energy: Floats
    misfit: float


class _Reading(NamedTuple):
    """A row's weights [m, n], what rounding did to each degree [m], places [k, m], and its form."""

    weights: Floats
    rounding: Floats
    places: NDArray[np.intp]
    form: MappedForm

    def fitted(self, order: tuple[int, ...], energy: Floats, samples: list[int]) -> _Fit:
        """Improve ratios, template and norm estimate in turn, with every n-th of the cohort."""
        degrees = np.array(order) - 1
        noise, inside = self.rounding[degrees], self.weights.shape[1] > self.places.T
        cells = (degrees[:, None], self.places.T)
        ratios, template = np.ones(len(order)), np.ones(len(self.places))
        misfit = np.inf
        for every in samples:
            read = np.pad(self.weights + energy, ((0, 0), (0, 1)))[cells]
            ratios, template = _rank_one(read, inside, noise)
            rest = inside * (read - ratios[:, None] * template) / noise[:, None]
            misfit = float(np.square(rest).sum())
            estimate = self.form.public.norm_energy(_fine(ratios, order), every=every)
            energy = self.form.anchor * estimate
        return _Fit(ratios, template, energy, misfit)


def _rank_one(read: Floats, inside: NDArray[np.bool_], noise: Floats) -> tuple[Floats, Floats]:
    """Return left and right factor of weights [m, k], each term weighed by its rounding."""
    whole = inside.all(axis=0)
    left, _, _ = np.linalg.svd(read[:, whole] / noise[:, None], full_matrices=False)
    ratios = left[:, 0] * noise
    ratios = ratios / ratios[np.abs(ratios).argmax()]
    trust = inside * (ratios / np.square(noise))[:, None]
    return ratios, (trust * read).sum(axis=0) / (trust * ratios[:, None]).sum(axis=0)


def _fine(ratios: Floats, exponents: tuple[int, ...]) -> PolynomialKey:
    """Return a key whose coefficients stand in these ratios; a score knows no common factor."""
    values = [round(FINE * ratio) or 1 for ratio in ratios.tolist()]
    while len(set(values)) < len(values):
        values = [value + place for place, value in enumerate(values)]
    return PolynomialKey(tuple(value or FINE + 1 for value in values), exponents)


def _integers(ratios: Floats, precision: Floats, limit: int) -> tuple[int, ...]:
    """Return the likeliest integers in these ratios: all keys being as likely as any other."""
    reference = int((np.abs(ratios) / precision).argmax())
    scale = np.arange(1, limit + 1) / ratios[reference]
    exact = scale[:, None] * ratios
    whole = np.rint(exact)
    misfit = np.square((exact - whole) / (scale[:, None] * precision)).sum(axis=1)
    misfit[(np.abs(whole) > limit).any(axis=1) | (whole == 0).any(axis=1)] = np.inf
    repeated = (np.diff(np.sort(whole, axis=1), axis=1) == 0).any(axis=1)
    best = whole[int(np.where(repeated, np.inf, misfit).argmin())]
    return primitive(tuple(int(value) for value in best))
