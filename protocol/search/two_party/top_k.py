"""The best k of many shared scores: a public network of compare-and-exchange steps.

Rows are cut into blocks of K = k rounded up to a power of two and each block is sorted. Then blocks
are merged in pairs: of two sorted blocks the larger of entry i and entry K - 1 - i are the K
largest, in bitonic order, and log2 K more stages sort them. For k = 1 this is the tournament.
A stage compares many pairs at once: 1 + layers rounds for the signs, 1 to exchange.

Ties may go either way. Source: Batcher's bitonic merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.search.two_party.compare import Compare, negative
from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.pieces import Piece
from protocol.search.two_party.select import Select, selected
from protocol.sharing.ring import Ring, RingArray

__all__ = ["INDEX_RING", "Candidates", "Stage", "best", "best_pieces", "lowest_score", "network"]

INDEX_RING = Ring(32)
Positions = npt.NDArray[np.int64]


class Stage(NamedTuple):
    """Pairs of positions compared at once; the larger score goes left.

    `keep` lists the positions that stay, in their new order; where a stage drops its losers only
    winners and entries that sat out are kept.
    """

    left: Positions
    right: Positions
    keep: Positions
    drops: bool


class Candidates(NamedTuple):
    """Shares of scores [B,n] and of the numbers [B,n] they stand for."""

    scores: RingArray
    numbers: RingArray


@lru_cache(maxsize=8)
def network(rows: int, k: int) -> tuple[Stage, ...]:
    """Return the stages that leave the K best of `rows` entries padded to full blocks."""
    block = block_size(k)
    blocks = -(-rows // block)
    stages = list(_sort_blocks(blocks, block))
    while blocks > 1:
        stages += _merge(blocks, block)
        blocks = (blocks + 1) // 2
    return tuple(stages)


def block_size(k: int) -> int:
    """Return k rounded up to a power of two."""
    return 1 << (k - 1).bit_length()


def lowest_score(ring_bits: int) -> int:
    """Return the score of padding: below every score, and no difference with one wraps."""
    return 1 - (1 << (ring_bits - 2))


def best_pieces(probes: int, rows: int, k: int, ring: Ring, radix: int) -> list[Piece]:
    """Return the pieces of `best`, in order."""
    pieces: list[Piece] = []
    for index, stage in enumerate(network(rows, k)):
        pairs = probes * len(stage.left)
        pieces.append(Compare(f"best-{index}-sign", pairs, ring, radix))
        pieces.append(Select(f"best-{index}-exchange", pairs, (ring, INDEX_RING)))
    return pieces


async def best(
    evaluator: Evaluator, found: Candidates, k: int, ring: Ring, radix: int
) -> Candidates:
    """Return shares of the k largest scores of each probe and their numbers, largest first.

    The difference of any two scores must fit the ring. Padding scores are public constants below
    every score, with number 0.
    """
    rows = found.scores.shape[1]
    found = _padded(evaluator, found, k, ring)
    pieces = iter(best_pieces(found.scores.shape[0], rows, k, ring, radix))
    for stage in network(rows, k):
        found = await _exchange(evaluator, found, stage, pieces)
    return Candidates(found.scores[:, :k], found.numbers[:, :k])


async def _exchange(
    evaluator: Evaluator, found: Candidates, stage: Stage, pieces: Iterator[Piece]
) -> Candidates:
    """Run one stage: compare all pairs, move the larger left, drop what the stage drops."""
    compare, select = next(pieces), next(pieces)
    assert isinstance(compare, Compare)  # noqa: S101 - best_pieces alternates them
    assert isinstance(select, Select)  # noqa: S101
    sides = [(values[:, stage.left], values[:, stage.right]) for values in found]
    differences = [(left - right).reshape(-1) for left, right in sides]
    less = await negative(evaluator, compare, differences[0])
    # [left >= right] = not [left - right < 0]; one side flips the shared bit.
    keeps = ~less if evaluator.first else less
    moved = await selected(evaluator, select, keeps, differences)
    return Candidates(
        *(
            _placed(values, pair, move.reshape(pair[0].shape), stage)
            for values, pair, move in zip(found, sides, moved, strict=True)
        )
    )


def _placed(
    values: RingArray, pair: tuple[RingArray, RingArray], move: RingArray, stage: Stage
) -> RingArray:
    """Put right + c (left - right) left and, unless dropped, left - c (left - right) right."""
    left, right = pair
    result = values.copy()
    result[:, stage.left] = right + move
    if not stage.drops:
        result[:, stage.right] = left - move
    return np.ascontiguousarray(result[:, stage.keep])


def _padded(evaluator: Evaluator, found: Candidates, k: int, ring: Ring) -> Candidates:
    """Fill the last block with scores below every real one and number 0."""
    probes, rows = found.scores.shape
    missing = -rows % block_size(k)
    if not missing:
        return found
    lowest = ring.constant(lowest_score(ring.bits) if evaluator.first else 0)
    scores = np.full((probes, missing), lowest, dtype=found.scores.dtype)
    numbers = np.zeros((probes, missing), dtype=found.numbers.dtype)
    return Candidates(
        np.concatenate([found.scores, scores], axis=1),
        np.concatenate([found.numbers, numbers], axis=1),
    )


def _sort_blocks(blocks: int, block: int) -> Iterator[Stage]:
    """Sort every block, largest first: bitonic sorting, all blocks side by side."""
    everything = np.arange(blocks * block)
    within = everything % block
    size = 2
    while size <= block:
        distance = size // 2
        while distance:
            partner = everything ^ distance
            descending = (within & size) == 0 if size < block else np.ones_like(within, bool)
            first = within & distance == 0
            left = np.where(descending, everything, partner)[first]
            right = np.where(descending, partner, everything)[first]
            yield Stage(left, right, everything, drops=False)
            distance //= 2
        size *= 2


def _merge(blocks: int, block: int) -> Iterator[Stage]:
    """Merge blocks in pairs, keeping the larger half of each; an odd last block passes."""
    pairs = blocks // 2
    starts = 2 * block * np.arange(pairs)[:, None]
    left = (starts + np.arange(block)).reshape(-1)
    right = (starts + 2 * block - 1 - np.arange(block)).reshape(-1)
    passed = np.arange(2 * pairs * block, blocks * block)
    yield Stage(left, right, np.concatenate([left, passed]), drops=True)
    everything = np.arange((blocks - pairs) * block)
    merged = everything < pairs * block
    distance = block // 2
    while distance:
        first = ((everything % block) & distance == 0) & merged
        yield Stage(everything[first], everything[first] + distance, everything, drops=False)
        distance //= 2
