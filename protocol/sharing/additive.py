"""Two-party additive sharing over Z_2^k, with one share compressed to a seed."""

from __future__ import annotations

from protocol.sharing.prg import RandomBytes, Seed
from protocol.sharing.ring import Ring, RingArray

__all__ = ["GALLERY_ROWS", "expand_share", "split"]

GALLERY_ROWS = "gallery-rows"


def split(values: RingArray, label: str, random_bytes: RandomBytes) -> tuple[Seed, RingArray]:
    """Split values into a fresh seed (share 0) and share 1 = values - share 0.

    Each part alone is independent of the values. Cost to ship: 32 bytes and `values.nbytes`.
    """
    seed = Seed.fresh(random_bytes)
    return seed, values - seed.expand(label, values.shape, values.dtype)


def expand_share(seed: Seed, label: str, shape: tuple[int, ...], ring: Ring) -> RingArray:
    """Return the share 0 a seed stands for."""
    return seed.expand(label, shape, ring.dtype)
