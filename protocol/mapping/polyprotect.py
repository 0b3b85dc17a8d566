"""PolyProtect: polynomials over windows of an embedding under a secret key.

Source: Krivokuca Hahn and Marcel, as restated in the method reference, section 6.1. The map is
many-to-one: n entries become k = ceil((n - m) / s) + 1 values, s = m - overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.keys import MappingKey

__all__ = ["protect", "window_positions", "windows"]


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


def protect(embeddings: NDArray[np.float64], key: MappingKey, overlap: int) -> NDArray[np.float64]:
    """Map unit embeddings [..., n] to protected templates [..., k] under one key.

    P_w = sum over i of c_i * v[w s + i] ** e_i, with zeros past the end of v.
    """
    terms = len(key.exponents)
    padded = np.concatenate([embeddings, np.zeros((*embeddings.shape[:-1], 1))], axis=-1)
    read = padded[..., window_positions(embeddings.shape[-1], terms, overlap)]
    powers = read ** np.array(key.exponents)
    return np.asarray(powers @ np.array(key.coefficients, dtype=np.float64))
