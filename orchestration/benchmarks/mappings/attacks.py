"""What somebody recovers who has a template, its key and a public cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from orchestration.benchmarks.mappings.faces import MappingFaces
from orchestration.benchmarks.mappings.schemes import (
    Folded,
    Keys,
    PolyProtect,
    Scheme,
    templates_under_keys,
)
from parties.adversary.inversion import (
    best_linear_estimate,
    degree_one_estimate,
    solve_for_template,
)
from parties.adversary.unfolding import KAPPAS, unfold, whitened_blocks
from protocol.mapping.keyed_projection import KeyedProjection
from protocol.mapping.polyprotect import protect_powers
from protocol.mapping.quantise import unit_rows

__all__ = ["Recovered", "attack_all", "recovered", "unprotected_threshold"]

Floats = NDArray[np.float64]

FMR = 1e-3
RECORDS = (2, 5)
RESTARTS = 3
SOLVED = 12  # templates given to the solver, by far the slowest attack


class Recovered(NamedTuple):
    """One attack on one mapping.

    Attributes:
        attack: its name.
        cosines: of each recovered with the enrolled embedding, [t].
        others: of each recovered embedding with another picture of its person, [t].
        threshold: the cosine at which the unprotected network accepts, at an FMR of 0.1 %.
    """

    attack: str
    cosines: Floats
    others: Floats
    threshold: float


def unprotected_threshold(cohort: Floats) -> float:
    """Return the cosine that one in a thousand pairs of different cohort members exceeds."""
    pairs = (cohort @ cohort.T)[np.triu_indices(len(cohort), 1)]
    return float(np.quantile(pairs, 1 - FMR))


def recovered(
    attack: str, guesses: Floats, true: Floats, other: Floats, threshold: float
) -> Recovered:
    """Compare guesses [t, n] with the enrolled and with other pictures of the same people."""
    cosines, others = (np.einsum("tn,tn->t", guesses, units) for units in (true, other))
    return Recovered(attack, cosines, others, threshold)


def attack_all(
    scheme: Scheme, faces: MappingFaces, keys: Keys, targets: int, seed: int
) -> list[Recovered]:
    """Run every attack that applies to a scheme on the first rows of the gallery."""
    count = min(targets, len(faces.gallery))
    threshold = unprotected_threshold(faces.cohort)
    return [
        recovered(
            name, guesses, faces.gallery[: len(guesses)], faces.mated[: len(guesses)], threshold
        )
        for name, guesses in _attacks(scheme, faces, keys, count, seed)
    ]


def _attacks(
    scheme: Scheme, faces: MappingFaces, keys: Keys, count: int, seed: int
) -> Iterator[tuple[str, Floats]]:
    if isinstance(scheme, Folded):
        yield "linear estimate, any number of records", _linear_folded(scheme, faces, count)
    else:
        yield "linear estimate", _linear(scheme, faces, [keys[:count]])
        for records in RECORDS:
            several = [scheme.keys(count, seed + 1 + record) for record in range(records)]
            yield f"linear estimate, {records} records", _linear(scheme, faces, several)
    if isinstance(scheme, PolyProtect):
        yield "closed form, degree 1", _closed_form(scheme, faces, keys[:count])
    mapped = _differentiable(scheme)
    if mapped is not None:
        yield (
            "L-BFGS on the cosine",
            _solver(scheme, mapped, faces, keys[: min(count, SOLVED)], seed),
        )
    if isinstance(scheme, Folded):
        for kappa in KAPPAS:
            yield f"sign search, kappa {kappa:g}", _signs(scheme, faces, count, kappa, seed)


def _linear(scheme: Scheme, faces: MappingFaces, keys: list[Keys]) -> Floats:
    """Estimate from the templates of one embedding under one key of each list."""
    found, under = [], templates_under_keys(scheme, faces.cohort)
    for row, group in enumerate(zip(*keys, strict=True)):
        cohort = np.concatenate([under(key) for key in group], axis=1)
        unit = faces.gallery[row]
        template = np.concatenate([scheme.template(unit[None], key)[0] for key in group])
        found.append(best_linear_estimate(template, cohort, faces.cohort))
    return np.stack(found)


def _linear_folded(scheme: Folded, faces: MappingFaces, count: int) -> Floats:
    """Estimate from the features themselves: templates under all keys are linear in them."""
    features = scheme.fold.features(faces.gallery[:count])
    known = scheme.fold.features(faces.cohort)
    return best_linear_estimate(features, known, faces.cohort)


def _closed_form(scheme: PolyProtect, faces: MappingFaces, keys: Keys) -> Floats:
    raw = PolyProtect(faces.cohort, scheme.spec.overlap, centred=False, whitened=False)
    size = faces.gallery.shape[1]
    return np.stack(
        [
            degree_one_estimate(raw.template(unit, key), key, scheme.spec.overlap, size)
            for unit, key in zip(faces.gallery, keys, strict=False)
        ]
    )


Mapped = Callable[[Any], Callable[[Tensor], Tensor]]


def _differentiable(scheme: Scheme) -> Mapped | None:
    """Return, for a key, the mapping as a function of torch tensors; None where it has none."""
    if isinstance(scheme, PolyProtect):
        return lambda key: _polynomials(scheme, key)
    if isinstance(scheme, Folded):
        return lambda key: _folds(scheme, key)
    return None


def _polynomials(scheme: PolyProtect, key: Any) -> Callable[[Tensor], Tensor]:  # noqa: ANN401
    terms, size = scheme.spec.terms, scheme.row_length // scheme.spec.terms
    basis = np.eye(terms * size).reshape(-1, terms, size)
    operator = torch.from_numpy(protect_powers(basis, key, scheme.spec.overlap))
    offset = torch.from_numpy(scheme.template(np.zeros((1, size)), key))

    def mapped(units: Tensor) -> Tensor:
        raised = torch.stack([units**degree for degree in range(1, terms + 1)], dim=1)
        return raised.flatten(1) @ operator + offset

    return mapped


def _folds(scheme: Folded, key: Any) -> Callable[[Tensor], Tensor]:  # noqa: ANN401
    fold = scheme.fold
    projection = KeyedProjection(key.seed, fold.length, scheme.spec.kept)
    operator = torch.from_numpy(projection.project(np.eye(fold.length)))
    centre, whitener = torch.from_numpy(fold.centre), torch.from_numpy(fold.whitener)
    mean = torch.from_numpy(fold.mean)

    def mapped(units: Tensor) -> Tensor:
        white = functional.normalize((units - centre) @ whitener, dim=1)
        parts = []
        for start, stop in fold.blocks:
            rows, columns = np.triu_indices(stop - start)
            weight = torch.from_numpy(np.where(rows == columns, 1.0, np.sqrt(2.0)))
            block = white[:, start:stop]
            parts.append(weight * block[:, rows] * block[:, columns])
        return functional.normalize(torch.cat(parts, dim=1) - mean, dim=1) @ operator

    return mapped


def _solver(scheme: Scheme, mapped: Mapped, faces: MappingFaces, keys: Keys, seed: int) -> Floats:
    """Solve from random starts shaped like the cohort, and from the linear estimate if any."""
    rng = np.random.default_rng([seed, 5])
    found = []
    for row, key in enumerate(keys):
        starts = _like(faces.cohort, RESTARTS, rng)
        template = scheme.template(faces.gallery[row][None], key)[0]
        if not isinstance(scheme, Folded):
            known = scheme.template(faces.cohort, key)
            linear = best_linear_estimate(template, known, faces.cohort)
            starts = np.concatenate([starts, linear[None]])
        found.append(solve_for_template(template, mapped(key), starts))
    return np.stack(found)


def _like(cohort: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw vectors whose entries are distributed like the cohort's."""
    rows = rng.integers(0, len(cohort), (count, cohort.shape[1]))
    return unit_rows(np.take_along_axis(cohort, rows, axis=0))


def _signs(scheme: Folded, faces: MappingFaces, count: int, kappa: float, seed: int) -> Floats:
    """Guess block signs, with the blocks themselves read exactly: the adversary's best case."""
    fold, rng = scheme.fold, np.random.default_rng([seed, 6])
    known = whitened_blocks(faces.cohort, fold)
    targets = zip(*whitened_blocks(faces.gallery[:count], fold), strict=True)
    return np.stack([unfold([blocks], known, fold, kappa, rng) for blocks in targets])
