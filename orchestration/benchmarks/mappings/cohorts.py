"""What is recovered, by how many people the adversary knows and how many photos were enrolled.

The adversary has exact features or templates with their keys (its best case), of one photo of each
target or of several different ones, and the mean embedding of every person it knows. Targets have
four pictures or more: the first is recovered, the third and fourth are the further records, and
the second is the other picture that recovered embeddings are tried on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.mappings.attacks import Recovered, recovered
from orchestration.benchmarks.mappings.faces import KnownPeople
from orchestration.benchmarks.mappings.schemes import (
    Folded,
    Keys,
    Scheme,
    templates_under_keys,
)
from parties.adversary.inversion import best_linear_estimate
from parties.adversary.unfolding import KAPPAS, unfold, whitened_blocks
from protocol.mapping.quantise import unit_rows

__all__ = ["PICTURES", "RECORDS", "Cell", "cohort_curve"]

Floats = NDArray[np.float64]

RECORDS = (1, 2, 3)
RECORDED = (0, 2, 3)
OTHER = 1
PICTURES = 4
TUPLES = 4
"""Pictures in turn that a known person's records are made of, where several are needed."""


class Cell(NamedTuple):
    """All attacks of one point of the curve.

    Attributes:
        records: how many different photos of each target the adversary has records of.
        known: how many other people it knows.
        attacks: what each attack recovers.
    """

    records: int
    known: int
    attacks: list[Recovered]


def cohort_curve(
    scheme: Scheme, people: KnownPeople, sizes: Sequence[int], threshold: float, seed: int
) -> Iterator[Cell]:
    """Attack with every number of known people and of records.

    Args:
        scheme: a folded mapping, or one with templates that are estimated linearly.
        people: targets and known people; a smaller number of known people is part of a larger.
        sizes: how many of them are known.
        threshold: the cosine at which the unprotected network accepts.
        seed: of keys and random starts.
    """
    true = np.stack([found[RECORDED[0]] for found in people.targets])
    other = np.stack([found[OTHER] for found in people.targets])
    for records in RECORDS:
        photos = [
            np.stack([found[place] for found in people.targets]) for place in RECORDED[:records]
        ]
        for size in sizes:
            known = people.others[:size]
            attacks = [
                recovered(name, guesses, true, other, threshold)
                for name, guesses in _guesses(scheme, photos, known, seed)
            ]
            yield Cell(records, len(known), attacks)


def _guesses(
    scheme: Scheme, photos: list[Floats], known: list[Floats], seed: int
) -> Iterator[tuple[str, Floats]]:
    if isinstance(scheme, Folded):
        for kappa in KAPPAS:
            yield f"sign search, kappa {kappa:g}", _unfolded(scheme, photos, known, kappa, seed)
        return
    keys = [scheme.keys(len(photos[0]), seed + place) for place in range(len(photos))]
    means = _means(known)
    name = "linear estimate" + ", photos taken for one" * (len(photos) > 1)
    yield name, _linear(scheme, photos, keys, [means] * len(keys))
    tuples = _tuples(known, len(photos))
    if len(photos) > 1 and len(tuples[0]) > len(means[0]):
        yield "linear estimate, photos modelled as different", _linear(scheme, photos, keys, tuples)


def _unfolded(
    scheme: Folded, photos: list[Floats], known: list[Floats], kappa: float, seed: int
) -> Floats:
    fold, rng = scheme.fold, np.random.default_rng([seed, 6])
    blocks = whitened_blocks(_means(known), fold)
    records = [list(zip(*whitened_blocks(units, fold), strict=True)) for units in photos]
    return np.stack(
        [unfold(group, blocks, fold, kappa, rng) for group in zip(*records, strict=True)]
    )


def _linear(
    scheme: Scheme, photos: list[Floats], keys: Sequence[Keys], known: Sequence[Floats]
) -> Floats:
    """Estimate the first photo from templates of all; `known` are embeddings of each record."""
    found, prepared = [], [templates_under_keys(scheme, units) for units in known]
    for row in range(len(photos[0])):
        mapped = [under(group[row]) for under, group in zip(prepared, keys, strict=True)]
        templates = [
            scheme.template(units[row][None], group[row])[0]
            for units, group in zip(photos, keys, strict=True)
        ]
        found.append(
            best_linear_estimate(
                np.concatenate(templates), np.concatenate(mapped, axis=1), known[0]
            )
        )
    return np.stack(found)


def _means(known: list[Floats]) -> Floats:
    return unit_rows(np.stack([found.mean(axis=0) for found in known]))


def _tuples(known: list[Floats], records: int) -> list[Floats]:
    """Return known people's different pictures, each record's in an array [t, n] of its own."""
    groups = [
        np.roll(found, -start, axis=0)[:records]
        for found in known
        if len(found) >= records
        for start in range(min(len(found), TUPLES))
    ]
    stacked = np.stack(groups) if groups else np.empty((0, records, known[0].shape[1]))
    return [stacked[:, record] for record in range(records)]
