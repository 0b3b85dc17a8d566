"""What every contender searches: random unit templates, probes near some of them, the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.mapping import RowForm
from protocol.search import plaintext

__all__ = ["BLOCK_ROWS", "Search", "TemplateBlocks", "Workload", "make_workload", "searches"]

BLOCK_ROWS: Final = 8192
NOISE: Final = 0.5

_ROWS, _MATED, _NOISE = 0, 1, 2  # streams of the generator


class Search(NamedTuple):
    """One search of a run: its place among all searches, its repetition and its probes."""

    number: int
    repeat: int
    batch: int
    first_probe: int

    @property
    def session(self) -> str:
        """Its session in a plan."""
        return f"search-{self.number:04d}"

    @property
    def probes(self) -> slice:
        """Where its probes stand among all probes."""
        return slice(self.first_probe, self.first_probe + self.batch)


class TemplateBlocks:
    """Random unit templates float32 [N,d], made block by block: any process can make any block."""

    def __init__(self, seed: int, entries: int, dimension: int) -> None:
        self._seed = seed
        self._entries = entries
        self._dimension = dimension

    def __iter__(self) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Yield the first row's number and the templates of every block."""
        for start in range(0, self._entries, BLOCK_ROWS):
            yield start, self.load(start, min(BLOCK_ROWS, self._entries - start))

    def load(self, start: int, count: int) -> npt.NDArray[Any]:
        """Return the templates of a block; `start` is a multiple of `BLOCK_ROWS`."""
        rng = np.random.default_rng([self._seed, _ROWS, start // BLOCK_ROWS])
        return _unit(rng.standard_normal((count, self._dimension), dtype=np.float32))


class Workload(NamedTuple):
    """One gallery's probes and right answers.

    Attributes:
        templates: the gallery.
        probes: unit probes float32 [P,d] of all searches.
        integer_probes: the same in ring units, int32 [P,D].
        threshold: smallest matching score in ring units.
        oracle: right decisions of all searches, packed little-endian [P, ceil(N/8)].
        max_abs_score: no score is larger.
        rows: integer gallery int16 or int32 [N,D], where a plain contender needs it.
    """

    templates: TemplateBlocks
    probes: npt.NDArray[np.float32]
    integer_probes: npt.NDArray[np.int32]
    threshold: int
    oracle: npt.NDArray[np.uint8]
    max_abs_score: int
    rows: npt.NDArray[np.signedinteger[Any]] | None


def searches(batches: Sequence[int], repeats: int) -> list[Search]:
    """Return the searches of a run: every batch size once per repetition."""
    found: list[Search] = []
    probe = 0
    for repeat in range(repeats):
        for batch in batches:
            found.append(Search(len(found), repeat, batch, probe))
            probe += batch
    return found


def make_workload(
    form: RowForm,
    *,
    seed: int,
    entries: int,
    probes: int,
    keep_rows: bool,
) -> Workload:
    """Make templates and probes and compute every right answer, in one pass over the gallery.

    Every second probe is near a template, the others are near none. The threshold lies three
    standard deviations above the mean of unrelated pairs, so that about one row in a thousand
    matches and many scores are close to it.
    """
    dimension = form.dimension
    templates = TemplateBlocks(seed, entries, dimension)
    unit_probes = _probes(templates, seed, entries, probes, dimension)
    integer_probes = form.map_probe(unit_probes.astype(np.float64))
    threshold = form.ring_threshold(min(0.5, 3 / dimension**0.5))
    oracle = np.empty((probes, -(-entries // 8)), dtype=np.uint8)
    kind = np.int16 if form.max_abs_score < 1 << 15 else np.int32
    kept = np.empty((entries, dimension), dtype=kind) if keep_rows else None
    for start, block in templates:
        rows = form.map_rows(block.astype(np.float64), [None] * len(block))
        match = plaintext.matches(plaintext.scores(rows, integer_probes), threshold)
        packed = np.packbits(match, axis=1, bitorder="little")
        oracle[:, start // 8 : start // 8 + packed.shape[1]] = packed
        if kept is not None:
            kept[start : start + len(rows)] = rows
    return Workload(
        templates, unit_probes, integer_probes, threshold, oracle, form.max_abs_score, kept
    )


def _probes(
    templates: TemplateBlocks, seed: int, entries: int, probes: int, dimension: int
) -> npt.NDArray[np.float32]:
    """Return noisy copies of random templates at even places, random directions at odd ones."""
    noise = np.random.default_rng([seed, _NOISE])
    directions = _unit(noise.standard_normal((probes, dimension), dtype=np.float32))
    mated = np.arange(0, probes, 2)
    chosen = np.random.default_rng([seed, _MATED]).integers(0, entries, len(mated))
    for start in np.unique(chosen // BLOCK_ROWS) * BLOCK_ROWS:
        block = templates.load(int(start), min(BLOCK_ROWS, entries - int(start)))
        inside = (chosen >= start) & (chosen < start + BLOCK_ROWS)
        near = block[chosen[inside] - start] + np.float32(NOISE) * directions[mated[inside]]
        directions[mated[inside]] = _unit(near)
    return directions


def _unit(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values
