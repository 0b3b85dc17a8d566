"""Input check: prove of shared vectors that no entry and no norm exceeds a bound, in O(d).

Scores cannot wrap as long as rows and probes are no longer than the scale. Whoever shares a longer
row (to match everybody) or searches with a longer probe is found out here:

1. Every entry v lies in [-s, s]: both v + s and s - v are not negative. Ring Z_2^k.
2. Shares of u = v + s are lifted to Z_2^64. As u < 2^(k-1), its two shares wrap exactly if one of
   their top bits is set: one AND gate, one lifted bit. Now d s^2 fits the ring.
3. The squared norm is at most s^2: one masked opening of the vector, one comparison.

Who learns what: evaluators see uniform values, and at the end one bit per entry and vector. For an
honest input all of them say yes; another input gives away only that it is not one. A party that
computes wrongly is outside of what is promised: evaluators are semi-honest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protocol.errors import PeerMisbehaviourError
from protocol.parties import Party
from protocol.search.two_party.compare import Compare, negative
from protocol.search.two_party.conjoin import Conjoin, conjoined
from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.inject import Inject, injected
from protocol.search.two_party.pieces import Piece
from protocol.search.two_party.reveal import Reveal
from protocol.search.two_party.square import Square, squared_norms
from protocol.sharing.kernels import bit_planes, unpack_bits, words_for
from protocol.sharing.ring import Ring, RingArray

__all__ = ["InputCheck", "check_inputs"]

WIDE = Ring(64)


class InputCheck(NamedTuple):
    """The public terms of a check: how many vectors of which length and ring, and their bound."""

    vectors: int
    length: int
    ring: Ring
    radix: int
    scale: int

    @property
    def entries(self) -> int:
        """Entries of all vectors."""
        return self.vectors * self.length

    @property
    def range(self) -> Compare:
        """Both ends of every entry's range."""
        return Compare("check-range", 2 * self.entries, self.ring, self.radix)

    @property
    def wrap(self) -> Conjoin:
        """Whether both shares of an entry have their top bit set."""
        return Conjoin("check-wrap", self.entries)

    @property
    def lift(self) -> Inject:
        """Whether the shares of an entry wrap, in the wide ring."""
        return Inject("check-lift", self.entries, WIDE)

    @property
    def norm(self) -> Square:
        """The squared norms, in the wide ring."""
        return Square("check-norm", self.vectors, self.length, WIDE)

    @property
    def bound(self) -> Compare:
        """Whether a squared norm is at most the square of the scale."""
        return Compare("check-bound", self.vectors, WIDE, self.radix)

    @property
    def reveal(self) -> Reveal:
        """The verdict of every range and every norm."""
        return Reveal("check-verdict", words_for(2 * self.entries) + words_for(self.vectors))

    def pieces(self) -> list[Piece]:
        """Return the pieces of a check, in order."""
        return [self.range, self.wrap, self.lift, self.norm, self.bound, self.reveal]


async def check_inputs(
    evaluator: Evaluator, check: InputCheck, shares: RingArray, giver: Party
) -> None:
    """Prove that shared vectors are within bounds.

    Args:
        evaluator: this side of the computation.
        check: the public terms.
        shares: this evaluator's additive shares [vectors, length].
        giver: whose input it is.

    Raises:
        PeerMisbehaviourError: an entry or a norm is out of bounds; names the giver and how many.
    """
    scale = check.ring.constant(check.scale if evaluator.first else 0)
    ends = np.concatenate([(shares + scale).reshape(-1), (scale - shares).reshape(-1)])
    outside = await negative(evaluator, check.range, ends)
    wide = await _lifted(evaluator, check, (shares + scale).reshape(-1))
    norms = await squared_norms(evaluator, check.norm, wide.reshape(shares.shape))
    limit = WIDE.constant(check.scale**2 if evaluator.first else 0)
    longer = await negative(evaluator, check.bound, limit - norms)
    evaluator.material.take(check.reveal.name)
    opened = (await evaluator.reveal_bits(np.concatenate([outside, longer])[None]))[0]
    words = words_for(2 * check.entries)
    ends_missed = unpack_bits(opened[:words], 2 * check.entries).reshape(2, -1)
    wrong_entries = ends_missed.any(axis=0).sum()
    wrong_norms = unpack_bits(opened[words:], check.vectors).sum()
    if wrong_entries or wrong_norms:
        text = (
            f"gave vectors out of bounds: {wrong_entries} entries outside +-{check.scale}, "
            f"{wrong_norms} norms above {check.scale} of {check.vectors}"
        )
        raise PeerMisbehaviourError(text, where=giver, hint="the run is aborted")


async def _lifted(evaluator: Evaluator, check: InputCheck, shares: RingArray) -> RingArray:
    """Return shares in the wide ring of v, from narrow shares of v + s with 0 <= v + s <= 2s."""
    top = bit_planes(shares >> check.ring.dtype.type(check.ring.bits - 1), 1)[0]
    nothing = np.zeros_like(top)
    mine, theirs = (top, nothing) if evaluator.first else (nothing, top)
    both = await conjoined(evaluator, check.wrap, mine, theirs)
    wraps = await injected(evaluator, check.lift, top ^ both)
    modulus = WIDE.dtype.type(1 << check.ring.bits)
    offset = WIDE.constant(check.scale if evaluator.first else 0)
    wide: RingArray = shares.astype(WIDE.dtype) - wraps * modulus - offset
    return wide
