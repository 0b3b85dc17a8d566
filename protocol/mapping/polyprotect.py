"""PolyProtect: polynomials over windows of an embedding under a secret key.

Source: Krivokuca Hahn and Marcel, as restated in the method reference, section 6.1. The map is
many-to-one: n entries become k = ceil((n - m) / s) + 1 values, s = m - overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.keys import PolynomialKey

__all__ = ["powers", "protect", "protect_entries", "protect_powers", "window_positions", "windows"]


def windows(dimension: int, terms: int, overlap: int) -> int:
    """Return k, how many values a protected template has.

    Raises:
        LocalProtocolError: the embedding is shorter than one window.
    """
    if dimension < terms:
        raise LocalProtocolError(f"{dimension} entries are fewer than the {terms} of one window")
    return -(-(dimension - terms) // (terms - overlap)) + 1


def window_positions(dimension: int, terms: int, overlap: int) -> NDArray[np.intp]:
    """Return the entry each term of each window reads, [k, m]; padding reads `dimension`."""
    starts = (terms - overlap) * np.arange(windows(dimension, terms, overlap))
    positions = starts[:, None] + np.arange(terms)[None, :]
    return np.asarray(np.minimum(positions, dimension), dtype=np.intp)


def powers(embeddings: NDArray[np.float64], terms: int) -> NDArray[np.float64]:
    """Return v, v^2, ..., v^m of every entry as [..., m, n]."""
    stacked = np.repeat(embeddings[..., None, :], terms, axis=-2)
    return np.asarray(np.cumprod(stacked, axis=-2))


def protect_powers(
    raised: NDArray[np.float64], key: PolynomialKey, overlap: int
) -> NDArray[np.float64]:
    """Map power features [..., m, n] to protected templates [..., k] under one key.

    The map is linear in the powers, so it also maps differences from a mean.
    """
    dimension, terms = raised.shape[-1], len(key.exponents)
    count, step = windows(dimension, terms, overlap), terms - overlap
    mapped = np.zeros((*raised.shape[:-2], count))
    for term, (coefficient, exponent) in enumerate(
        zip(key.coefficients, key.exponents, strict=True)
    ):
        # Windows that would read this term past the end of v read a zero of the padding.
        read = raised[..., exponent - 1, term : term + step * count : step]
        mapped[..., : read.shape[-1]] += coefficient * read
    return mapped


def protect_entries(
    raised: NDArray[np.float64], key: PolynomialKey, overlap: int
) -> NDArray[np.float64]:
    """Map power features [m, n, B] to protected templates [k, B]: many vectors, read in order.

    The same sums in the same order as `protect_powers`.
    """
    terms, dimension, vectors = raised.shape
    count, step = windows(dimension, terms, overlap), terms - overlap
    mapped = np.zeros((count, vectors))
    for term, (coefficient, exponent) in enumerate(
        zip(key.coefficients, key.exponents, strict=True)
    ):
        read = raised[exponent - 1, term : term + step * count : step]
        mapped[: len(read)] += coefficient * read
    return mapped


def protect(
    embeddings: NDArray[np.float64], key: PolynomialKey, overlap: int
) -> NDArray[np.float64]:
    """Map unit embeddings [..., n] to protected templates [..., k] under one key.

    P_w = sum over i of c_i * v[w s + i] ** e_i, with zeros past the end of v.
    """
    return protect_powers(powers(embeddings, len(key.exponents)), key, overlap)
