"""The mappings that are compared, behind one interface.

A scheme says what a template is (for the attacks, which know the key) and how a strict 1:N
search scores: every probe against every row under that row's key. Keys come from one public
seed, so that the table can be made again; deployments draw theirs from the operating system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.mapping import (
    FoldedForm,
    KeyRing,
    MappedForm,
    MappingKey,
    MappingSpec,
    PolynomialKey,
    RowForm,
    SeedKey,
    open_form,
)
from protocol.mapping.keyed_projection import KeyedProjection
from protocol.mapping.polyprotect import powers, protect_entries, protect_powers
from protocol.mapping.quantise import unit_rows
from protocol.sharing.prg import Seed, keyed_random_bytes

__all__ = [
    "Folded",
    "LinearPolyProtect",
    "Plain",
    "PolyProtect",
    "PowerProjection",
    "Scheme",
    "SelectedPolyProtect",
    "SignCodes",
    "Subspace",
    "bench_keys",
    "templates_under_keys",
]

Floats = NDArray[np.float64]
Keys = Sequence[Any]

RING = 32
SCALE = 16384
CHOICES = 4
SAMPLED = 500


class Scheme(Protocol):
    """One way to protect templates.

    Attributes:
        name: how the table calls it.
        row_length: ring elements a row has in the secure search, before any norm estimate.
    """

    name: str
    row_length: int

    def keys(self, count: int, seed: int) -> Keys:
        """Draw keys."""
        ...

    def template(self, units: Floats, key: Any) -> Floats:  # noqa: ANN401 - its own kind of key
        """Return protected templates [B, k] of unit embeddings [B, n] under one key."""
        ...

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return strict 1:N scores [P, N]."""
        ...


def bench_keys(spec: MappingSpec, count: int, seed: int) -> list[MappingKey]:
    """Draw reproducible keys of a mapping."""
    ring = KeyRing(spec, keyed_random_bytes(seed.to_bytes(32, "little"), "mapping bench"))
    return [ring.issue(str(index)) for index in range(count)]


class Plain:
    """No mapping."""

    name = "none"

    def __init__(self, cohort: Floats) -> None:
        self.row_length = cohort.shape[1]

    def keys(self, count: int, seed: int) -> Keys:
        """Return nothing for everybody."""
        del seed
        return [None] * count

    def template(self, units: Floats, key: None) -> Floats:
        """Return the embedding itself."""
        del key
        return units

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return cosines."""
        del keys
        return np.asarray(probes @ gallery.T)


class PolyProtect:
    """PolyProtect with exact cosines per key: what its authors compare."""

    def __init__(self, cohort: Floats, overlap: int, *, centred: bool, whitened: bool) -> None:
        """Prepare; `whitened` divides the mapped domain of each key by the cohort's spread."""
        self.spec = MappingSpec(kind="polyprotect", overlap=overlap, centred=centred)
        kind = "whitened per key" if whitened else "centred" if centred else "raw"
        self.name = f"PolyProtect o={overlap}, {kind}"
        self.row_length = self.spec.row_length(cohort.shape[1])
        raised = powers(cohort, self.spec.terms)
        self._centre = raised.mean(axis=0) if centred else np.zeros(raised.shape[1:])
        self._moved = raised - self._centre
        self._whitened = whitened

    def keys(self, count: int, seed: int) -> Keys:
        """Draw coefficients and exponents."""
        return bench_keys(self.spec, count, seed)

    def template(self, units: Floats, key: PolynomialKey) -> Floats:
        """Return the polynomials of all windows, minus the cohort's mean where centred."""
        raised = powers(units, self.spec.terms) - self._centre
        return protect_powers(raised, key, self.spec.overlap)

    def under_keys(self, units: Floats) -> Callable[[PolynomialKey], Floats]:
        """Return a function from keys to templates [B, k] of the same units, prepared once."""
        raised = powers(units, self.spec.terms) - self._centre
        entries = np.ascontiguousarray(np.moveaxis(raised, 0, -1))
        return lambda key: protect_entries(entries, key, self.spec.overlap).T

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return cosines of templates under the row's key."""
        under = self.under_keys(probes)
        found = np.empty((len(probes), len(gallery)))
        for row, (unit, key) in enumerate(zip(gallery, keys, strict=True)):
            mapped = under(key).T
            enrolled = self.template(unit, key)
            if self._whitened:
                spread = protect_powers(self._moved, key, self.spec.overlap)
                whitener = _whitener(spread)
                mapped, enrolled = whitener.T @ mapped, enrolled @ whitener
            lengths = np.sqrt(np.einsum("kp,kp->p", mapped, mapped))
            found[:, row] = unit_rows(enrolled) @ mapped / lengths
        return found


def templates_under_keys(scheme: Scheme, units: Floats) -> Callable[[Any], Floats]:
    """Return a function from keys to templates of the same units, fast where a scheme can be."""
    if isinstance(scheme, PolyProtect):
        return scheme.under_keys(units)
    return lambda key: scheme.template(units, key)


class SelectedPolyProtect(PolyProtect):
    """The best of four keys per row: least confusable with the cohort once it is centred."""

    def __init__(self, cohort: Floats, overlap: int) -> None:
        super().__init__(cohort, overlap, centred=True, whitened=False)
        self.name = f"PolyProtect o={overlap}, centred, best of {CHOICES} keys"
        self._sample = cohort[:SAMPLED]

    def keys(self, count: int, seed: int) -> Keys:
        """Draw several keys each; which one is used depends on the template."""
        drawn = super().keys(CHOICES * count, seed)
        return [drawn[CHOICES * row : CHOICES * (row + 1)] for row in range(count)]

    def chosen(self, unit: Floats, keys: Keys) -> PolynomialKey:
        """Return the key under which the cohort comes least near to a template."""
        nearest = [self._nearest(unit, key) for key in keys]
        best: PolynomialKey = keys[int(np.argmin(nearest))]
        return best

    def _nearest(self, unit: Floats, key: PolynomialKey) -> float:
        public = unit_rows(self.template(self._sample, key)) @ unit_rows(self.template(unit, key))
        return float(np.quantile(public, 0.99))

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return cosines of templates under the chosen key of each row."""
        best = [self.chosen(unit, group) for unit, group in zip(gallery, keys, strict=True)]
        return super().scores(probes, gallery, best)


class _RowScheme:
    """A mapping of the secure search itself, before rounding."""

    def __init__(self, spec: MappingSpec, cohort: Floats) -> None:
        self.spec = spec
        self.form: RowForm = open_form(spec, cohort.shape[1], RING, SCALE, cohort)
        self.row_length = self.form.dimension

    def keys(self, count: int, seed: int) -> Keys:
        """Draw keys of the mapping's kind."""
        return bench_keys(self.spec, count, seed)


class LinearPolyProtect(_RowScheme):
    """PolyProtect as the secure search computes it: one product, with a linear norm estimate."""

    def __init__(self, cohort: Floats, overlap: int) -> None:
        super().__init__(MappingSpec(kind="polyprotect", overlap=overlap), cohort)
        self.name = f"PolyProtect o={overlap}, centred, linear norm"
        self._exact = PolyProtect(cohort, overlap, centred=True, whitened=False)

    def template(self, units: Floats, key: PolynomialKey) -> Floats:
        """Return the same templates as the exact scheme."""
        return self._exact.template(units, key)

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return products of power features and folded rows."""
        if not isinstance(self.form, MappedForm):
            raise TypeError
        rows = [self.form.real_row(unit, key) for unit, key in zip(gallery, keys, strict=True)]
        return np.asarray(self.form.real_probes(probes) @ np.stack(rows).T)


class Folded(_RowScheme):
    """Sign-forgetting blocks under a keyed projection, `mapping.kind: folded`."""

    def __init__(self, cohort: Floats, blocks: int, whitening: float, kept: float) -> None:
        spec = MappingSpec(kind="folded", blocks=blocks, whitening=whitening, kept=kept)
        super().__init__(spec, cohort)
        if not isinstance(self.form, FoldedForm):
            raise TypeError
        self.fold, self._rows = self.form.fold, self.form
        self.name = f"folded B={blocks}, whitening {whitening:g}, kept {kept:g}"

    def template(self, units: Floats, key: SeedKey) -> Floats:
        """Return projected features."""
        projection = KeyedProjection(key.seed, self.row_length, self.spec.kept)
        return projection.project(self.fold.features(units))

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return products of features and rows."""
        rows = [self._rows.real_row(unit, key) for unit, key in zip(gallery, keys, strict=True)]
        return np.asarray(self.fold.features(probes) @ np.stack(rows).T)


class Subspace:
    """A secret random subspace of k dimensions: the plainest keyed projection."""

    def __init__(self, cohort: Floats, size: int) -> None:
        self.name = f"random subspace k={size}"
        self.row_length = cohort.shape[1]
        self._mean, self._size = cohort.mean(axis=0), size

    def keys(self, count: int, seed: int) -> Keys:
        """Draw seeds of projections."""
        rng = np.random.default_rng([seed, self._size])
        return [int(number) for number in rng.integers(0, 2**62, count)]

    def axes(self, key: int) -> Floats:
        """Return the orthonormal axes [n, k] of one key."""
        shape = (len(self._mean), self._size)
        return np.linalg.qr(np.random.default_rng(key).standard_normal(shape))[0]

    def template(self, units: Floats, key: int) -> Floats:
        """Return coordinates in the subspace."""
        return np.asarray((units - self._mean) @ self.axes(key))

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return cosines inside each row's subspace."""
        columns = []
        for unit, key in zip(gallery, keys, strict=True):
            mapped = unit_rows((probes - self._mean) @ self.axes(key))
            columns.append(mapped @ unit_rows(self.template(unit, key)))
        return np.stack(columns, axis=1)


class SignCodes(Subspace):
    """Signs of the coordinates in a secret subspace; the probe keeps its real coordinates."""

    def __init__(self, cohort: Floats, size: int) -> None:
        super().__init__(cohort, size)
        self.name = f"signs of k={size} random projections"

    def template(self, units: Floats, key: int) -> Floats:
        """Return signs of coordinates."""
        return np.where(super().template(units, key) < 0, -1.0, 1.0)


class PowerProjection:
    """A keyed projection of the features (v, v², v³), each centred and of equal weight."""

    def __init__(self, cohort: Floats, size: int, degrees: int = 3) -> None:
        self.name = f"random projection of {degrees} powers, k={size}"
        self.row_length = degrees * cohort.shape[1]
        self._size, self._degrees = size, degrees
        raised = powers(cohort, degrees)
        self._mean = raised.mean(axis=0)
        self._spread = np.sqrt(np.square(raised - self._mean).mean(axis=(0, 2)))

    def features(self, units: Floats) -> Floats:
        """Return balanced power features [..., degrees n]."""
        balanced = (powers(units, self._degrees) - self._mean) / self._spread[:, None]
        return np.asarray(balanced.reshape(*units.shape[:-1], -1))

    def keys(self, count: int, seed: int) -> Keys:
        """Draw seeds of projections."""
        stream = keyed_random_bytes(seed.to_bytes(32, "little"), "power projection")
        return [Seed.fresh(stream) for _ in range(count)]

    def template(self, units: Floats, key: Seed) -> Floats:
        """Return projected power features."""
        return self._projection(key).project(self.features(units))

    def scores(self, probes: Floats, gallery: Floats, keys: Keys) -> Floats:
        """Return products of features and lifted templates."""
        enrolled = self.features(gallery)
        rows = []
        for features, key in zip(enrolled, keys, strict=True):
            projection = self._projection(key)
            rows.append(unit_rows(projection.lift(projection.project(features))))
        return np.asarray(unit_rows(self.features(probes)) @ np.stack(rows).T)

    def _projection(self, key: Seed) -> KeyedProjection:
        padded = 1 << (self.row_length - 1).bit_length()
        return KeyedProjection(key, self.row_length, self._size / padded)


def _whitener(spread: Floats) -> Floats:
    """Return the matrix [k, k] that makes mapped cohort vectors white."""
    variance, axes = np.linalg.eigh(spread.T @ spread / len(spread))
    return np.asarray(axes / np.sqrt(variance + 0.05 * variance.mean()))
