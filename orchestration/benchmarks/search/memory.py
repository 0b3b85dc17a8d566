"""Memory that contenders need, before any of it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestration.benchmarks.search.cells import (
    Cell,
    Gallery,
    Options,
    is_crypten,
    protocol_cells,
    scenario_of,
    skip_reason,
)
from protocol.errors import ScenarioError
from scenarios.resources import available_memory_bytes, gallery_memory_bytes

__all__ = ["cell_memory_bytes", "memory_groups", "peer_memory_bytes", "refuse_too_large"]

CRYPTEN_WORD_BYTES: Final = 8
# Two shares, two masks, their opened sum at both, and the product's temporaries, beside the matrix.
CRYPTEN_MATRICES: Final = 8
# Words of its comparison that live at the same time, per probe and row, at both parties together.
CRYPTEN_WORDS_PER_PAIR: Final = 120
RESERVE_SHARE: Final = 0.9


def cell_memory_bytes(cell: Cell, options: Options) -> int:
    """Estimate what a protocol cell needs at its peak, all parties together."""
    needed = gallery_memory_bytes(scenario_of(cell, options))
    if is_crypten(cell.name):
        needed = max(needed, _crypten_bytes(cell.gallery, options))
    return needed


def peer_memory_bytes(options: Options, gallery: Gallery) -> int:
    """Estimate what the plain contenders, CrypTen by itself and the oracle need together."""
    needed = gallery.elements * 2 + gallery.entries * max(options.batches) * 16
    if "faiss" in options.peers:
        needed += 4 * gallery.elements
    if "plaintext" in options.peers:
        needed += (4 + gallery.ring // 8) * gallery.elements
    if "crypten" in options.peers and not skip_reason("crypten", gallery):
        needed += _crypten_bytes(gallery, options)
    return needed


def refuse_too_large(options: Options, galleries: Sequence[Gallery]) -> None:
    """Refuse galleries of which one cell does not fit beside its peers.

    Raises:
        ScenarioError: says how much memory would be needed.
    """
    available = available_memory_bytes() * RESERVE_SHARE
    for gallery in galleries:
        peers = peer_memory_bytes(options, gallery)
        largest = max(_cell_sizes(options, gallery), default=0)
        if peers + largest > available:
            text = (
                f"{gallery.entries:,} entries of dimension {gallery.dimension} need about "
                f"{_gib(peers + largest)} of memory beside each other, "
                f"{_gib(int(available))} are free"
            )
            fits = max(1, int(gallery.entries * available / (peers + largest)))
            raise ScenarioError(text, where="--entries", hint=f"use at most about {fits:,}")


def memory_groups(cells: Sequence[Cell], options: Options) -> Iterator[list[Cell]]:
    """Yield the protocol cells of a gallery in groups that fit into memory beside the peers."""
    if not cells:
        yield []
        return
    free = available_memory_bytes() * RESERVE_SHARE - peer_memory_bytes(options, cells[0].gallery)
    group: list[Cell] = []
    used = 0
    for cell in cells:
        needed = cell_memory_bytes(cell, options)
        if group and used + needed > free:
            yield group
            group, used = [], 0
        group.append(cell)
        used += needed
    yield group


def _cell_sizes(options: Options, gallery: Gallery) -> Iterator[int]:
    for cell in protocol_cells(options, gallery):
        if not skip_reason(cell.name, gallery):
            yield cell_memory_bytes(cell, options)


def _crypten_bytes(gallery: Gallery, options: Options) -> int:
    words = CRYPTEN_MATRICES * gallery.elements
    words += CRYPTEN_WORDS_PER_PAIR * gallery.entries * max(options.batches)
    return CRYPTEN_WORD_BYTES * words


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
