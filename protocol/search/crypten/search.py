"""The search by CrypTen's own operations, one object per rank.

Ranks 0 and 1 compute, rank 2 is CrypTen's trusted third party if there is one. Each method is one
step of the protocol and awaits only the exchange it is given:

    setup    seeds of CrypTen's zero sharings, and of the third party's shares
    prepare  correlations of one search, before its probe is known
    search   masked openings between ranks 0 and 1, then shares for the client

Who learns what: ranks 0 and 1 open masked values only and learn the public shape; the third party
learns the shape. That holds as far as CrypTen holds, which is not far: with the provider `TFP`
rank 0 knows every mask and hence probe, gallery and decisions, and all masks come from Mersenne
Twisters with 64-bit seeds that never draw the top ring element. A baseline, not protection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from protocol.errors import LocalProtocolError, ReusedMaterialError
from protocol.search.crypten.blocking import Exchange, Wire, drive
from protocol.search.crypten.communicator import Communicator, ring_array
from protocol.search.crypten.correlations import Level, SearchShape, correlations
from protocol.search.crypten.library import PartyState, load_crypten
from protocol.search.crypten.provider import fresh_seed, provider_call
from protocol.search.crypten.ranks import Provider, Rank
from protocol.sharing.prg import RandomBytes

__all__ = ["ComputingParty", "Known", "Operand", "Prepared", "SearchShares", "Shared"]

T = TypeVar("T")
RingWords: TypeAlias = npt.NDArray[np.uint64]
"""Ring elements of Z_2^64, CrypTen's only ring."""


class Shared(NamedTuple):
    """This party's additive share modulo 2^64 of a matrix."""

    share: RingWords


class Known(NamedTuple):
    """A matrix of integers that one computing party knows; the other knows its shape.

    Attributes:
        owner: who knows it.
        shape: rows and columns.
        values: signed integers at the owner, None at the other.
    """

    owner: Rank
    shape: tuple[int, int]
    values: npt.NDArray[np.signedinteger[Any]] | None = None


Operand: TypeAlias = Shared | Known


class SearchShares(NamedTuple):
    """One computing party's shares of a search's results, for the client alone.

    Attributes:
        decisions: XOR shares of the decisions, bool [B,N]; at levels `identity` and `any` [B,1].
        numbers: at level `identity`, additive shares [B] of 0 where the best row of the gallery
            is below the threshold, else of 1 + its number, ties broken at random; at level
            `count`, of how many rows match.
        scores: if asked for, additive shares [B,N] of the scores.
    """

    decisions: npt.NDArray[np.bool_]
    numbers: RingWords | None
    scores: RingWords | None


class Prepared:
    """One search's correlations at one party; taken once."""

    def __init__(self, shape: SearchShape, tuples: dict[Any, list[Any]]) -> None:
        self.shape = shape
        self._tuples: dict[Any, list[Any]] | None = tuples

    def take(self) -> dict[Any, list[Any]]:
        """Return the correlations for the first and only time.

        Raises:
            ReusedMaterialError: they were taken before.
        """
        if self._tuples is None:
            raise ReusedMaterialError("these correlations were already used")
        tuples, self._tuples = self._tuples, None
        return tuples


class ComputingParty:
    """Rank 0 or 1. Several may live in one process, and one process may hold several sessions."""

    def __init__(self, rank: Rank, provider: Provider, random_bytes: RandomBytes) -> None:
        """Make a party that seeds CrypTen's generators from `random_bytes`, a CSPRNG."""
        self._crypten = load_crypten()
        self._provider: Provider = provider
        self._random_bytes = random_bytes
        self._communicator = Communicator(rank)
        self._state = PartyState(self._communicator, provider)

    async def setup(self, exchange: Exchange) -> None:
        """Exchange the seeds of the zero sharings and receive the third party's.

        Rank 0 also chooses the common seed, as CrypTen has it.
        """
        await self._run(exchange, self._seed)

    def split(self, known: Known) -> Shared:
        """Share a matrix by CrypTen's zero sharing; both parties must call this in turn.

        Costs no message: the mask comes from the pairwise seeds.
        """
        with self._state.in_force():
            return Shared(ring_array(self._tensor(known).share).reshape(known.shape))

    async def prepare(self, exchange: Exchange, shape: SearchShape) -> Prepared:
        """Make or fetch one search's correlations, before its probe is known.

        Memory: the mask of the gallery, 8 N d bytes, until the search takes it.
        """
        return await self._run(exchange, lambda: self._fill(shape))

    async def search(
        self,
        exchange: Exchange,
        prepared: Prepared,
        *,
        gallery: Operand,
        probes: Operand,
        threshold: int,
        open_scores: bool = False,
    ) -> SearchShares:
        """Compare secret probes with a secret gallery.

        Exact while score - threshold fits 64 signed bits. Nothing is opened to this party.

        Args:
            exchange: to the other computing party.
            prepared: correlations of this search's shape.
            gallery: [D,N] and contiguous, one column per row of the gallery: torch multiplies
                it several times faster like this than transposed. In a search of claimed rows
                [B,D], the row each probe claims.
            probes: [B,D].
            threshold: smallest score that is a match.
            open_scores: return shares of the scores too.
        """
        operands = probes, gallery
        _expect(prepared.shape, *operands)
        return await self._run(
            exchange, lambda: self._search(prepared, operands, threshold, open_scores)
        )

    async def _run(self, exchange: Exchange, step: Callable[[], T]) -> T:
        def attached(wire: Wire) -> T:
            self._communicator.wire = wire
            try:
                return step()
            finally:
                self._communicator.wire = None

        self._state.witnessed.session = exchange.session
        return await drive(attached, exchange, self._state.in_force)

    def _seed(self) -> None:
        pairwise, local, common = (fresh_seed(self._random_bytes) for _ in range(3))
        # `crypten.init` insists on torch.distributed and takes its seeds from the system.
        self._crypten._sync_seeds(torch.tensor(pairwise), local, torch.tensor(common))  # noqa: SLF001
        if self._provider == "TTP":
            self._crypten.mpc.provider.ttp_provider.TTPClient._init()  # noqa: SLF001

    def _fill(self, shape: SearchShape) -> Prepared:
        """Let CrypTen's provider fill its own cache with what the search will ask for."""
        provider = self._crypten.mpc.get_default_provider()
        provider.request_cache = [provider_call(correlation) for correlation in correlations(shape)]
        try:
            provider.fill_cache()
            return Prepared(shape, provider.tuple_cache)
        finally:
            provider.request_cache, provider.tuple_cache = [], {}

    def _search(
        self,
        prepared: Prepared,
        operands: tuple[Operand, Operand],
        threshold: int,
        open_scores: bool,  # noqa: FBT001
    ) -> SearchShares:
        provider = self._crypten.mpc.get_default_provider()
        provider.tuple_cache = tuples = prepared.take()
        try:
            probes, gallery = map(self._tensor, operands)
            scores = _products(probes, gallery, claimed=prepared.shape.claimed)
            decisions, numbers = _DECIDE[prepared.shape.level](scores, threshold)
        finally:
            provider.tuple_cache = {}
        if any(tuples.values()):
            raise LocalProtocolError("CrypTen left correlations unused; its costs are undeclared")
        return SearchShares(
            # The low bits of additive shares modulo 2^64 are XOR shares of the bit.
            (_words(decisions) & np.uint64(1)).astype(np.bool_),
            None if numbers is None else _words(numbers),
            _words(scores) if open_scores else None,
        )

    def _tensor(self, operand: Operand) -> Any:  # noqa: ANN401 - CrypTen is untyped
        """Return an operand as CrypTen's shared tensor of exact integers."""
        mpc = self._crypten.mpc
        if isinstance(operand, Shared):
            # CrypTen changes no operand in place, but torch takes no read-only array.
            share = operand.share if operand.share.flags.writeable else operand.share.copy()
            return mpc.MPCTensor.from_shares(torch.from_numpy(share.view(np.int64)), precision=0)
        owned = operand.owner == self._communicator.get_rank()
        if owned != (operand.values is not None):
            raise LocalProtocolError("exactly the owner of a matrix knows its values")
        values = np.zeros(operand.shape, np.int64) if operand.values is None else operand.values
        plain = torch.from_numpy(values.astype(np.int64))
        return mpc.MPCTensor(plain, src=operand.owner, precision=0)


def _expect(shape: SearchShape, probes: Operand, gallery: Operand) -> None:
    sizes = [o.share.shape if isinstance(o, Shared) else o.shape for o in (probes, gallery)]
    columns = (shape.dimension, shape.rows)
    asked = (shape.probes, shape.dimension)
    if sizes != [asked, asked if shape.claimed else columns]:
        raise LocalProtocolError("the operands do not fit the prepared correlations")


# Tensors are CrypTen's, which is untyped.


def _products(probes: Any, gallery: Any, *, claimed: bool) -> Any:  # noqa: ANN401
    if claimed:
        return probes.mul(gallery).sum(dim=1, keepdim=True)
    return probes.matmul(gallery)


def _decide(scores: Any, threshold: int) -> tuple[Any, Any]:  # noqa: ANN401
    return scores.ge(threshold), None


def _count(scores: Any, threshold: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return decisions, and their sum: CrypTen holds each as an additive share of 0 or 1."""
    matches = scores.ge(threshold)
    return matches, matches.sum(dim=1)


def _find_any(scores: Any, threshold: int) -> tuple[Any, Any]:  # noqa: ANN401
    return scores.ge(threshold).sum(dim=1).ge(1).unsqueeze(1), None


def _identify(scores: Any, threshold: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return who matches best, and whether it reaches the threshold."""
    best, row = scores.max(dim=1, one_hot=False)
    matched = best.ge(threshold)
    return matched.unsqueeze(1), (row + 1) * matched


_DECIDE: Final[dict[Level, Callable[[Any, int], tuple[Any, Any]]]] = {
    "bitmap": _decide, "count": _count, "any": _find_any, "identity": _identify,
}  # fmt: skip


def _words(tensor: Any) -> RingWords:  # noqa: ANN401
    return ring_array(tensor.share).reshape(tuple(tensor.share.shape))
