"""What a CrypTen search must cost: every message of every rank, in order, with its payload bytes.

A bitmap of B probes against N rows of d numbers takes 9 rounds. Each computing party sends online
`8 d (N + B)` bytes for the product, because CrypTen opens the masked gallery anew for every query,
and `216 B N` bytes for the comparison: 16 for the first layer of the adder, 32 for each of its six
others, 8 for the bit. Offline, the default provider sends nothing: party 0 knows every correlation.
A third party sends party 0 its share of every product, `120 B N` bytes, and short announcements.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from protocol.search.crypten.correlations import Answer, SearchShape, correlations, encode
from protocol.search.crypten.ranks import THIRD_PARTY, Provider

__all__ = ["Sent", "offline", "online", "online_rounds", "setup"]

_ELEMENT_BYTES = 8


class Sent(NamedTuple):
    """One message: to whom, and the bytes of its arrays without dtype, shape and framing."""

    peer: int
    payload_bytes: int


def setup(rank: int, provider: Provider) -> list[Sent]:
    """Return the seeds a rank sends: pairwise, common from party 0, from the third party."""
    if rank == THIRD_PARTY:
        return [Sent(0, _ELEMENT_BYTES), Sent(1, _ELEMENT_BYTES)] if provider == "TTP" else []
    seeds = [Sent(1 - rank, _ELEMENT_BYTES)]
    return seeds * 2 if rank == 0 else seeds


def offline(rank: int, provider: Provider, shape: SearchShape) -> list[Sent]:
    """Return what a rank sends so that one search's correlations exist."""
    if provider == "TFP" or rank == 1:
        return []
    sent: list[Sent] = []
    for correlation in correlations(shape):
        if rank == 0:
            sent.append(Sent(THIRD_PARTY, len(encode(correlation))))
            continue
        size = correlation.answer
        sent.append(Sent(0, len(encode(Answer(size)))))
        sent.append(Sent(0, _ELEMENT_BYTES * prod(size)))
    return sent


def online(rank: int, shape: SearchShape) -> list[Sent]:
    """Return what a rank sends during one search: an opening per correlation."""
    if rank == THIRD_PARTY:
        return []
    return [Sent(1 - rank, _ELEMENT_BYTES * item.opened) for item in correlations(shape)]


def online_rounds(shape: SearchShape) -> int:
    """Return the rounds between the computing parties of one search."""
    return sum(1 for _ in correlations(shape))
