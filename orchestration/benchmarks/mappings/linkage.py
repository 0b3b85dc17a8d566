"""Linking gallery rows across keys and to photos, and inverting them, without any key.

The adversary has whole rows (both servers' shares, of one deployment or two, or of before and
after a key was revoked), the public parameters of the mapping, and a public cohort. Nobody gives
it a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.mappings.attacks import Recovered, recovered, unprotected_threshold
from orchestration.benchmarks.mappings.faces import MappingFaces
from orchestration.benchmarks.mappings.measure import RINGS, ring_spec
from orchestration.benchmarks.mappings.schemes import Keys, Scheme, bench_keys
from parties.adversary.inversion import best_linear_estimate
from parties.adversary.key_recovery import RecoveredKey, primitive, recover_key
from parties.adversary.unfolding import KAPPAS, blocks_of_features, unfold, whitened_blocks
from protocol.errors import ScenarioError
from protocol.mapping import (
    FoldedForm,
    MappedForm,
    MappingSpec,
    RowForm,
    open_form,
)
from protocol.mapping.polyprotect import powers, protect_entries
from protocol.mapping.quantise import unit_rows

__all__ = ["KeyCounts", "Linked", "Rows", "keys_read", "linked", "open_rows", "without_key"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

OTHER_KEYS = 1_000_000
"""Added to a seed for the keys of the second deployment."""


class Linked(NamedTuple):
    """Cosines [N, N] of every row with every other record; people in the same order.

    Attributes:
        same_picture: rows of the same pictures under other keys.
        other_picture: rows of other pictures of the same people under other keys.
        photo: the enrolled pictures themselves, without a key.
        other_photo: other pictures of the same people, without a key.
    """

    same_picture: Floats
    other_picture: Floats
    photo: Floats
    other_photo: Floats


class KeyCounts(NamedTuple):
    """How many keys were read out of rows.

    Attributes:
        rows: how many rows were read, each alone.
        exponents: how many had all exponents right.
        exact: how many had, besides, the exact coefficients up to a common factor.
    """

    rows: int
    exponents: int
    exact: int


class Reader(Protocol):
    """What an adversary without keys makes of whole rows [N, D]."""

    def signatures(self, rows: Integers) -> Floats:
        """Return unit vectors [N, d] that are alike for rows of one person under any keys."""
        ...

    def photos(self, rows: Integers, sets: Sequence[Floats]) -> list[Floats]:
        """Return how alike rows and embeddings of photos are, cosines [N, M] of each set [M, n]."""
        ...

    def guesses(self, rows: Integers, seed: int) -> Iterator[tuple[str, Floats]]:
        """Yield attacks by name and the embeddings [N, n] they recover."""
        ...


class Rows(NamedTuple):
    """A mapping of the secure search and its adversary."""

    spec: MappingSpec
    form: RowForm
    reader: Reader

    def keys(self, count: int, seed: int) -> Keys:
        """Draw reproducible keys, none where there is no mapping."""
        return [None] * count if self.spec.kind == "none" else bench_keys(self.spec, count, seed)


def open_rows(scheme: Scheme, faces: MappingFaces, bits: int) -> Rows:
    """Return what makes a scheme's rows in the ring, and who reads them.

    Raises:
        ScenarioError: the scheme is no mapping of the secure search.
    """
    spec = ring_spec(scheme)
    if spec is None:
        raise ScenarioError(f"{scheme.name} is no mapping of the secure search", where="mapping")
    form = open_form(spec, faces.gallery.shape[1], bits, RINGS[bits], faces.cohort)
    if isinstance(form, FoldedForm):
        return Rows(spec, form, _FoldReader(form, spec, faces.cohort))
    if isinstance(form, MappedForm):
        return Rows(spec, form, _PolynomialReader(form, spec, faces.cohort))
    return Rows(spec, form, _PlainReader())


def linked(rows: Rows, faces: MappingFaces, seed: int) -> Linked:
    """Compare the rows of everybody with rows under other keys and with photos."""
    count, form, reader = len(faces.gallery), rows.form, rows.reader
    second = rows.keys(2 * count, seed + OTHER_KEYS)
    enrolled = form.map_rows(faces.gallery, rows.keys(count, seed))
    found = reader.signatures(enrolled)
    same = reader.signatures(form.map_rows(faces.gallery, second[:count]))
    other = reader.signatures(form.map_rows(faces.mated, second[count:]))
    photo, other_photo = reader.photos(enrolled, (faces.gallery, faces.mated))
    return Linked(found @ same.T, found @ other.T, photo, other_photo)


def without_key(rows: Rows, faces: MappingFaces, targets: int, seed: int) -> list[Recovered]:
    """Invert the first rows of the gallery, each from itself alone."""
    true, other = faces.gallery[:targets], faces.mated[:targets]
    enrolled = rows.form.map_rows(true, rows.keys(len(true), seed))
    threshold = unprotected_threshold(faces.cohort)
    return [
        recovered(name, guesses, true, other, threshold)
        for name, guesses in rows.reader.guesses(enrolled, seed)
    ]


def keys_read(rows: Rows, faces: MappingFaces, targets: int, seed: int) -> KeyCounts | None:
    """Read the keys out of the first rows of the gallery; None where a row holds no such key."""
    if not isinstance(rows.form, MappedForm):
        return None
    units = faces.gallery[:targets]
    exponents = exact = 0
    keys = rows.keys(len(units), seed)
    for key, unit in zip(keys, units, strict=True):
        found = recover_key(rows.form.map_row(unit, key), rows.form, rows.spec)
        right = found.key.exponents == key.exponents
        exponents += right
        exact += right and found.coefficients == primitive(key.coefficients)
    return KeyCounts(len(keys), exponents, exact)


class _PlainReader:
    """Rows without a mapping are the embeddings."""

    def signatures(self, rows: Integers) -> Floats:
        """Return the rows themselves."""
        return unit_rows(rows.astype(np.float64))

    def photos(self, rows: Integers, sets: Sequence[Floats]) -> list[Floats]:
        """Compare embeddings."""
        return [self.signatures(rows) @ units.T for units in sets]

    def guesses(self, rows: Integers, seed: int) -> Iterator[tuple[str, Floats]]:
        """Yield the rows themselves."""
        del seed
        yield "the row itself", self.signatures(rows)


class _FoldReader:
    """A folded row lies near the features of its picture, whatever the key."""

    def __init__(self, form: FoldedForm, spec: MappingSpec, cohort: Floats) -> None:
        self._fold, self._cohort = form.fold, cohort
        # A row is the projected features made one long: the part of them that it is sure to have.
        self._share = float(np.sqrt(spec.kept))

    def signatures(self, rows: Integers) -> Floats:
        """Return the rows themselves."""
        return unit_rows(rows.astype(np.float64))

    def photos(self, rows: Integers, sets: Sequence[Floats]) -> list[Floats]:
        """Compare rows with features."""
        return [self.signatures(rows) @ self._fold.features(units).T for units in sets]

    def guesses(self, rows: Integers, seed: int) -> Iterator[tuple[str, Floats]]:
        """Read blocks from the row and search their signs."""
        known = whitened_blocks(self._cohort, self._fold)
        read = [blocks_of_features(self._share * row, self._fold) for row in self.signatures(rows)]
        for kappa in KAPPAS:
            rng = np.random.default_rng([seed, 6])
            found = [unfold([blocks], known, self._fold, kappa, rng) for blocks in read]
            yield f"sign search, kappa {kappa:g}", np.stack(found)


class _PolynomialReader:
    """A PolyProtect row gives its key and template away; an estimate of the embedding follows."""

    def __init__(self, form: MappedForm, spec: MappingSpec, cohort: Floats) -> None:
        self._form, self._spec, self._cohort = form, spec, cohort

    def signatures(self, rows: Integers) -> Floats:
        """Return best linear estimates of the embeddings."""
        return np.stack([self._estimate(found) for found in self._read(rows)])

    def photos(self, rows: Integers, sets: Sequence[Floats]) -> list[Floats]:
        """Map photos with the key that was read, and compare templates."""
        centred = [powers(units, self._spec.terms) - self._centre() for units in sets]
        raised = [np.ascontiguousarray(np.moveaxis(part, 0, -1)) for part in centred]
        found = [np.empty((len(rows), len(units))) for units in sets]
        for place, read in enumerate(self._read(rows)):
            template = unit_rows(read.template)
            for scores, entries in zip(found, raised, strict=True):
                mapped = protect_entries(entries, read.key, self._spec.overlap)
                lengths = np.sqrt(np.einsum("km,km->m", mapped, mapped))
                scores[place] = template @ mapped / lengths
        return found

    def guesses(self, rows: Integers, seed: int) -> Iterator[tuple[str, Floats]]:
        """Yield the linear estimate under the key that was read."""
        del seed
        yield "key read from the row, linear estimate", self.signatures(rows)

    def _read(self, rows: Integers) -> Iterator[RecoveredKey]:
        return (recover_key(row, self._form, self._spec) for row in rows)

    def _estimate(self, found: RecoveredKey) -> Floats:
        known = self._form.public.mapped(found.key)
        # The row tells the template's direction; its length is the cohort's.
        length = np.linalg.norm(known, axis=1).mean()
        return best_linear_estimate(length * unit_rows(found.template), known, self._cohort)

    def _centre(self) -> Floats:
        return self._form.public.mean if self._spec.centred else np.zeros(1)
