"""The comparison itself: search scores, claimed-identity protocols, quantised rings, attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.mappings.attacks import Recovered, attack_all
from orchestration.benchmarks.mappings.cross_norm import CrossPolyProtect
from orchestration.benchmarks.mappings.faces import MappingFaces
from orchestration.benchmarks.mappings.schemes import (
    Folded,
    Keys,
    LinearPolyProtect,
    Plain,
    PolyProtect,
    PowerProjection,
    Scheme,
    SelectedPolyProtect,
    SignCodes,
    Subspace,
)
from protocol.errors import ScenarioError
from protocol.mapping import MappingSpec, open_form
from protocol.mapping.quantise import unit_rows

__all__ = [
    "SearchScores",
    "attacks_on",
    "check_names",
    "own_key_scores",
    "ring_scores",
    "ring_spec",
    "schemes_of",
    "search_scores",
]

Floats = NDArray[np.float64]

RINGS = {16: 127, 32: 16384}
NORMALISING = 500  # cohort members that estimate a row's constant and factor


class SearchScores(NamedTuple):
    """Scores of one scheme in the strict 1:N search.

    Attributes:
        strict: [P, N], every probe under every row's key.
        normalised: the same minus each row's mean over the cohort, divided by its deviation: one
            constant and one factor per row.
    """

    strict: Floats
    normalised: Floats


Build = Callable[[Floats], Scheme]


def _poly(overlap: int, *, centred: bool) -> Build:
    return lambda cohort: PolyProtect(cohort, overlap, centred=centred, whitened=False)


def _subspace(size: int) -> Build:
    return lambda cohort: Subspace(cohort, size)


def _folded(blocks: int, whitening: float = 1.0, kept: float = 1.0) -> Build:
    return lambda cohort: Folded(cohort, blocks, whitening, kept)


SCHEMES: dict[str, Build] = {
    "none": Plain,
    **{f"poly{overlap}-raw": _poly(overlap, centred=False) for overlap in range(5)},
    **{f"poly{overlap}-centred": _poly(overlap, centred=True) for overlap in range(5)},
    "poly2-selected": lambda cohort: SelectedPolyProtect(cohort, 2),
    "poly2-whitened": lambda cohort: PolyProtect(cohort, 2, centred=True, whitened=True),
    "poly2-linear": lambda cohort: LinearPolyProtect(cohort, 2),
    "poly2-cross": lambda cohort: CrossPolyProtect(cohort, 2),
    **{f"subspace{size}": _subspace(size) for size in (24, 32, 42, 64)},
    "signs64": lambda cohort: SignCodes(cohort, 64),
    "signs128": lambda cohort: SignCodes(cohort, 128),
    "powers64": lambda cohort: PowerProjection(cohort, 64),
    "powers128": lambda cohort: PowerProjection(cohort, 128),
    "quadratic-200": _folded(1, kept=200 / 16384),
    "quadratic-400": _folded(1, kept=400 / 16384),
    **{f"folded{blocks}": _folded(blocks) for blocks in (4, 6, 8, 10, 12, 16)},
    "folded8-half": _folded(8, kept=0.5),
    "folded8-default": _folded(8, kept=0.75),
    "folded8-white": _folded(8, whitening=0.0),
    "folded8-rotated": _folded(8, whitening=1e6),
}
"""What is compared, by the name `--only` takes."""


def check_names(names: Iterable[str], option: str) -> None:
    """Refuse names of mappings that are not compared.

    Raises:
        ScenarioError: with the option and the names there are.
    """
    unknown = [name for name in names if name not in SCHEMES]
    if unknown:
        hint = "known: " + ", ".join(SCHEMES)
        raise ScenarioError(f"no mapping {unknown[0]!r}", where=option, hint=hint)


def schemes_of(cohort: Floats, only: tuple[str, ...]) -> Iterator[tuple[str, Scheme]]:
    """Build the schemes asked for, one at a time; all when none is named."""
    for name, build in SCHEMES.items():
        if not only or name in only:
            yield name, build(cohort)


def search_scores(scheme: Scheme, faces: MappingFaces, keys: Keys) -> SearchScores:
    """Score every probe, and some of the cohort, against every row."""
    count = len(faces.probes)
    everybody = np.concatenate([faces.probes, faces.cohort[:NORMALISING]])
    scores = scheme.scores(everybody, faces.gallery, keys)
    strict, public = scores[:count], scores[count:]
    deviation = np.maximum(public.std(axis=0), 1e-12)
    return SearchScores(strict, (strict - public.mean(axis=0)) / deviation)


def own_key_scores(scheme: Scheme, faces: MappingFaces, keys: Keys) -> Floats | None:
    """Compare every mated probe, under its own key, with every row under the row's key.

    As a verification these are the normal 1:1 attempts. As an identification this is the oracle
    protocol: it needs to know who the probe is, so its rank-1 is no identification rate.

    Returns:
        Cosines [M, N]; None where keys are chosen per template.
    """
    if isinstance(scheme, SelectedPolyProtect):
        return None
    pairs = zip(faces.gallery, faces.mated, keys, strict=True)
    mapped = [scheme.template(np.stack([row, probe]), key) for row, probe, key in pairs]
    both = unit_rows(np.stack(mapped))
    return np.asarray(both[:, 1] @ both[:, 0].T)


def ring_scores(spec: MappingSpec, faces: MappingFaces, keys: Keys, bits: int) -> Floats:
    """Return the integer scores [P, N] of the secure search, as real numbers.

    The decisions of the secure search equal those of these integers bit by bit.
    """
    size = faces.gallery.shape[1]
    form = open_form(spec, size, bits, RINGS[bits], faces.cohort)
    pairs = zip(faces.gallery, keys, strict=True)
    rows = np.stack([form.map_row(unit, key) for unit, key in pairs]).astype(np.float64)
    return np.asarray(form.map_probe(faces.probes).astype(np.float64) @ rows.T)


def ring_spec(scheme: Scheme) -> MappingSpec | None:
    """Return the mapping of the secure search a scheme stands for, if it is one."""
    if isinstance(scheme, Plain):
        return MappingSpec()
    if isinstance(scheme, (LinearPolyProtect, Folded)) and not isinstance(scheme, CrossPolyProtect):
        return scheme.spec
    return None


def attacks_on(
    scheme: Scheme, faces: MappingFaces, keys: Keys, targets: int, seed: int
) -> list[Recovered]:
    """Attack a scheme.

    Nothing is to be attacked where nothing is protected, and choosing keys for separability does
    not change what a known key gives away.
    """
    if isinstance(scheme, (Plain, SelectedPolyProtect)):
        return []
    return attack_all(scheme, faces, keys, targets, seed)
