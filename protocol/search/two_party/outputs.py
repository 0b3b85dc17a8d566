"""From shared scores to the client's answer, at the output level of the scenario.

The threshold comes last for `identity` (best first, then the test) and first for all others. Each
evaluator sends its share of the answer to the client alone, re-randomised by a sharing of zero;
nothing but masked values is opened between the evaluators.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import CountShares, DecisionShares, IdentityShares, Message, ScoreShares
from protocol.parties import CLIENT, Party
from protocol.received import checked
from protocol.search.shape import SearchShape
from protocol.search.two_party.compare import Compare, negative
from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.inject import Inject, injected
from protocol.search.two_party.pieces import Opening, Part, Piece
from protocol.search.two_party.select import Select, selected
from protocol.search.two_party.top_k import INDEX_RING, Candidates, best, best_pieces
from protocol.search.two_party.zeros import ZeroShares
from protocol.sharing.kernels import plane_bytes
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = [
    "COUNT_RING",
    "SCORE_ROUND",
    "answer",
    "answer_message",
    "answer_opening",
    "answer_round",
    "combine",
    "combine_scores",
    "output_pieces",
    "search_pieces",
    "send_scores",
]

SCORE_ROUND = 1
COUNT_RING = Ring(32)
Bits = npt.NDArray[np.uint64]


def output_pieces(shape: SearchShape) -> list[Piece]:
    """Return the pieces that lead from scores to the answer, in order."""
    ring, radix = shape.ring, shape.radix
    if shape.output == "identity":
        found = shape.probes * shape.top_k
        return [
            *best_pieces(shape.probes, shape.rows, shape.top_k, ring, radix),
            Compare("accept", found, ring, radix),
            Select("reveal", found, (INDEX_RING,)),
        ]
    pieces: list[Piece] = [Compare("threshold", shape.entries, ring, radix)]
    if shape.output in ("any", "count"):
        pieces.append(Inject("count", shape.entries, COUNT_RING))
    if shape.output == "any":
        pieces.append(Compare("any", shape.probes, COUNT_RING, radix))
    return pieces


def search_pieces(shape: SearchShape) -> list[Piece]:
    """Return the pieces of one search: the check of its probes, if any, then the answer."""
    checking = [] if shape.check is None else shape.check.pieces()
    return [*checking, *output_pieces(shape)]


def answer_opening(shape: SearchShape) -> Opening:
    """Return what each evaluator sends the client at the end."""
    if shape.output == "identity":
        return Opening("IdentityShares", shape.probes * shape.top_k * INDEX_RING.bytes)
    if shape.output == "count":
        return Opening("CountShares", shape.probes * COUNT_RING.bytes)
    bits = shape.probes if shape.output == "any" else shape.entries
    return Opening("DecisionShares", -(-bits // 8))


def answer_round(shape: SearchShape) -> int:
    """Return the round in which the client gets its answer: rounds from probe to decision.

    Score shares exist after `SCORE_ROUND`; every opening takes one round, the answer the last.
    """
    return SCORE_ROUND + sum(len(piece.openings) for piece in search_pieces(shape)) + 1


async def answer(
    evaluator: Evaluator, shape: SearchShape, scores: RingArray, zeros: ZeroShares
) -> None:
    """Turn this evaluator's score shares [B,N] into its answer share and send it to the client."""
    share = await _answer(evaluator, shape, scores)
    message = answer_message(shape, share, zeros)
    await evaluator.channel.send(CLIENT, message, evaluator.next_round())


async def send_scores(
    channel: Channel, shape: SearchShape, scores: RingArray, zeros: ZeroShares
) -> None:
    """Send score shares to the client: evaluation only, `insecure: [open_scores]`."""
    share = zeros.add_to(scores, f"{shape.session}/scores")
    at = At(shape.session, "evaluation")
    await channel.send(CLIENT, ScoreShares(values=Tensor.of(share)), at)


def answer_message(shape: SearchShape, share: Part, zeros: ZeroShares) -> Message:
    """Return the message of an answer share, after a sharing of zero was added to it."""
    label = f"{shape.session}/answer"
    if shape.output == "identity":
        return IdentityShares(values=Tensor.of(zeros.add_to(share, label)))
    if shape.output == "count":
        return CountShares(values=Tensor.of(zeros.add_to(share, label)))
    return DecisionShares(bits=Tensor.of(zeros.xor_to(share, label)))


async def _answer(evaluator: Evaluator, shape: SearchShape, scores: RingArray) -> Part:
    """Return this evaluator's share: numbers of the best rows, counts or packed bits."""
    if shape.output == "identity":
        return await _identities(evaluator, shape, scores)
    piece = Compare("threshold", shape.entries, shape.ring, shape.radix)
    match = await _at_least(evaluator, piece, scores, shape.threshold)
    if shape.output == "bitmap":
        return plane_bytes(match, shape.entries)
    counts = await injected(evaluator, Inject("count", shape.entries, COUNT_RING), match)
    total: Part = counts.reshape(shape.pairs).sum(axis=1, dtype=COUNT_RING.dtype)
    if shape.output == "count":
        return total
    some = Compare("any", shape.probes, COUNT_RING, shape.radix)
    found = await _at_least(evaluator, some, total, 1)
    return plane_bytes(found, shape.probes)


async def _identities(evaluator: Evaluator, shape: SearchShape, scores: RingArray) -> Part:
    """Find the best k rows, then blank those below the threshold."""
    slots = np.arange(1, shape.rows + 1, dtype=INDEX_RING.dtype)
    own = slots if evaluator.first else np.zeros_like(slots)
    numbers = np.broadcast_to(own, shape.pairs)
    candidates = Candidates(scores, numbers)
    found = await best(evaluator, candidates, shape.top_k, shape.ring, shape.radix)
    size = shape.probes * shape.top_k
    accept = Compare("accept", size, shape.ring, shape.radix)
    match = await _at_least(evaluator, accept, found.scores, shape.threshold)
    reveal = Select("reveal", size, (INDEX_RING,))
    (values,) = await selected(evaluator, reveal, match, [found.numbers.reshape(-1)])
    return values.reshape(shape.probes, shape.top_k)


async def _at_least(
    evaluator: Evaluator, piece: Compare, values: RingArray, threshold: int
) -> Bits:
    """Return shares of [v >= t]."""
    offset = piece.ring.constant(threshold if evaluator.first else 0)
    less = await negative(evaluator, piece, (values - offset).reshape(-1))
    return ~less if evaluator.first else less


class _Shares(NamedTuple):
    """Both evaluators' tensors of one answer."""

    first: Tensor
    second: Tensor
    parties: tuple[Party, Party]

    def arrays(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Any]:
        one = checked(self.first, shape, dtype, self.parties[0])
        return one, checked(self.second, shape, dtype, self.parties[1])


async def combine(
    channel: Channel, shape: SearchShape, evaluators: tuple[Party, Party], round_: int
) -> dict[str, npt.NDArray[Any]]:
    """Client: receive both answer shares and put them together.

    Returns:
        By output level: `match` bool [B,N] or `any` bool [B], `count` uint32 [B], `identity`
        int64 [B,k] with the slot of each match, largest score first, and -1 for none.
    """
    at = At(shape.session, "online", round_)
    if shape.output == "identity":
        return {"identity": await _combine_identities(channel, shape, evaluators, at)}
    if shape.output == "count":
        one, two = [await channel.receive(party, CountShares, at) for party in evaluators]
        shares = _Shares(one.values, two.values, evaluators)
        first, second = shares.arrays((shape.probes,), COUNT_RING.dtype)
        return {"count": first + second}
    bits = shape.probes if shape.output == "any" else shape.entries
    one_, two_ = [await channel.receive(party, DecisionShares, at) for party in evaluators]
    shares = _Shares(one_.bits, two_.bits, evaluators)
    first, second = shares.arrays((-(-bits // 8),), np.dtype(np.uint8))
    opened = np.unpackbits(first ^ second, count=bits, bitorder="little").astype(np.bool_)
    return {"any": opened} if shape.output == "any" else {"match": opened.reshape(shape.pairs)}


async def combine_scores(
    channel: Channel, shape: SearchShape, servers: tuple[Party, ...]
) -> npt.NDArray[np.int64]:
    """Client, evaluation only: return the scores [B,N] from all servers' shares."""
    at = At(shape.session, "evaluation")
    total = np.zeros(shape.pairs, dtype=shape.ring.dtype)
    for server in servers:
        message = await channel.receive(server, ScoreShares, at)
        total += checked(message.values, shape.pairs, shape.ring.dtype, server)
    return shape.ring.decode(total)


async def _combine_identities(
    channel: Channel, shape: SearchShape, evaluators: tuple[Party, Party], at: At
) -> npt.NDArray[np.int64]:
    one, two = [await channel.receive(party, IdentityShares, at) for party in evaluators]
    size = (shape.probes, shape.top_k)
    first, second = _Shares(one.values, two.values, evaluators).arrays(size, INDEX_RING.dtype)
    slots: npt.NDArray[np.int64] = (first + second).astype(np.int64) - 1
    if slots.size and slots.max() >= shape.rows:
        text = "the evaluators' shares name a row that does not exist"
        raise PeerMisbehaviourError(text, where=f"{evaluators[0]} or {evaluators[1]}")
    return slots
