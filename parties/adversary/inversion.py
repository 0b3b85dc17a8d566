"""Recovering an embedding from a protected template whose key is known.

All attacks know the mapping, the key and a public cohort. Every estimate is a unit vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from protocol.mapping.keys import PolynomialKey
from protocol.mapping.polyprotect import window_positions
from protocol.mapping.quantise import unit_rows

__all__ = ["best_linear_estimate", "degree_one_estimate", "solve_for_template"]

Floats = NDArray[np.float64]

RIDGE: Final = 1e-3
ITERATIONS: Final = 60


def best_linear_estimate(template: Floats, mapped_cohort: Floats, cohort: Floats) -> Floats:
    """Return linear estimates [..., n] of least squared error under the cohort's statistics.

    Args:
        template: [..., k], or several templates of one embedding joined (record multiplicity).
        mapped_cohort: the cohort under the same key or keys, [c, k].
        cohort: unit embeddings [c, n].
    """
    centre, mean = mapped_cohort.mean(axis=0), cohort.mean(axis=0)
    moved = mapped_cohort - centre
    covariance = moved.T @ moved / len(cohort)
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    gain = np.linalg.solve(
        covariance + ridge * np.eye(len(covariance)), moved.T @ (cohort - mean) / len(cohort)
    )
    return unit_rows((template - centre) @ gain + mean)


def degree_one_estimate(
    template: Floats, key: PolynomialKey, overlap: int, dimension: int
) -> Floats:
    """Read the entries that stand in a polynomial's first power, as if the others were nothing.

    Unit embeddings have entries so small that higher powers hardly count.
    """
    term = key.exponents.index(1)
    places = window_positions(dimension, len(key.exponents), overlap)[:, term]
    found = np.zeros(dimension + 1)
    found[places] = template / key.coefficients[term]
    return unit_rows(found[:dimension])


def solve_for_template(
    template: Floats, mapped: Callable[[Tensor], Tensor], starts: Floats
) -> Floats:
    """Maximise the cosine to a template by L-BFGS from each start; return the best fit [n].

    Args:
        template: [k].
        mapped: differentiable mapping of embeddings [B, n] to templates [B, k].
        starts: [s, n].
    """
    wanted = torch.from_numpy(template)[None]
    best, found = np.inf, starts[0]
    for start in starts:
        guess = torch.from_numpy(start.copy())[None].requires_grad_()
        loss = _descend(guess, mapped, wanted)
        if loss < best:
            best, found = loss, guess.detach().numpy()[0]
    return unit_rows(found)


def _descend(guess: Tensor, mapped: Callable[[Tensor], Tensor], wanted: Tensor) -> float:
    optimiser = torch.optim.LBFGS([guess], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        unit = functional.normalize(guess, dim=1)
        value = 1 - functional.cosine_similarity(mapped(unit), wanted).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        unit = functional.normalize(guess, dim=1)
        return float(1 - functional.cosine_similarity(mapped(unit), wanted).sum())
