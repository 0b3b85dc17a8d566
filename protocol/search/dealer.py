"""The fixed-gallery dealer protocol: private 1:N search by two servers with a dealer's material.

Server 0 is the model provider (it knows the probe embedding q), server 1 the gallery holder.
Per row, once: D = G - A is opened to server 0, which keeps M0 = A0 + D; server 1 keeps M1 = A1.
Per probe: the dealer's material hides a fresh b; server 0 sends e = q - b and both compute
z_i = M_i e + w_i with w0 = c0 + D b, w1 = c1, c = A b. Then z0 + z1 = G q exactly, modulo 2^k.

Trust: semi-honest; no two of {server 0, server 1, dealer} collude. Source: docs/decisions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError, PeerMisbehaviourError, ReusedMaterialError
from protocol.messages import (
    DecisionShares,
    MaskedBits,
    MaskedProbes,
    MaskedScores,
    MaterialRequest,
    QueryCorrections,
    ScoreShares,
    SearchReady,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.search.comparison import and_operands, joined, leaves
from protocol.search.material import (
    Corrections,
    SearchShape,
    ServerMaterial,
    deal,
    holder_material,
    provider_material,
)
from protocol.sharing.kernels import Planes, bit_planes, ring_product, unpack_bits
from protocol.sharing.prg import CorrelationSource
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = [
    "ProviderGallery",
    "SearchTerms",
    "answer_material_request",
    "combine_decisions",
    "combine_scores",
    "holder_prepare",
    "holder_search",
    "provider_prepare",
    "provider_search",
]

PROBE_ROUND = 1
SCORE_ROUND = 2
FIRST_LAYER_ROUND = 3


class SearchTerms(NamedTuple):
    """Public terms of every search of a run: the threshold in ring units, what is opened."""

    threshold: int
    open_scores: bool


class ProviderGallery(NamedTuple):
    """Server 0's state of the gallery: its share M0 and the opened D, each [N,D]."""

    share: RingArray
    opened: RingArray


class Prepared:
    """One search's material at one server, which can be taken once."""

    def __init__(
        self, shape: SearchShape, material: ServerMaterial, masks: RingArray | None = None
    ) -> None:
        self.shape = shape
        self.masks = masks
        self._material: ServerMaterial | None = material

    def take(self) -> ServerMaterial:
        """Return the material for the first and only time.

        Raises:
            ReusedMaterialError: it was taken before.
        """
        if self._material is None:
            raise ReusedMaterialError(f"the material of {self.shape.session} was already used")
        material, self._material = self._material, None
        return material


async def provider_prepare(
    channel: Channel, source: CorrelationSource, shape: SearchShape, gallery: ProviderGallery
) -> Prepared:
    """Server 0, offline: ask the dealer, expand material, fold D b into the constant w0.

    Sends one control message to the dealer and one to the client. The dealer learns the sizes.
    """
    offline = At(shape.session, "offline")
    request = MaterialRequest(probes=shape.probes, rows=shape.rows)
    await channel.send(DEALER, request, offline)
    masks, material = provider_material(source, shape)
    constant = ring_product(gallery.opened, masks) + material.products
    await channel.send(CLIENT, SearchReady(), offline)
    return Prepared(shape, material._replace(products=constant), masks)


async def holder_prepare(
    channel: Channel, source: CorrelationSource, shape: SearchShape
) -> Prepared:
    """Server 1, offline: receive the dealer's corrections and complete the seed's material."""
    offline = At(shape.session, "offline")
    message = await channel.receive(DEALER, QueryCorrections, offline)
    circuit = shape.circuit
    corrections = Corrections(
        _checked(message.products, shape.pairs, shape.ring.dtype, DEALER),
        _checked(
            message.planes,
            (circuit.secret_planes + circuit.products, shape.words),
            np.dtype("<u8"),
            DEALER,
        ),
    )
    await channel.send(CLIENT, SearchReady(), offline)
    return Prepared(shape, holder_material(source, shape, corrections))


async def answer_material_request(
    channel: Channel,
    provider: CorrelationSource,
    holder: CorrelationSource,
    mask: RingArray,
    shape: SearchShape,
) -> None:
    """Dealer, offline: wait for the request of one search and ship server 1's corrections.

    Bytes: `B N k/8 + (secret + product planes) * 8 * ceil(B N / 64)` to server 1, none to
    server 0.
    """
    offline = At(shape.session, "offline")
    request = await channel.receive(MODEL_PROVIDER, MaterialRequest, offline)
    if (request.probes, request.rows) != shape.pairs:
        text = "asked for material of another size than the public plan"
        raise PeerMisbehaviourError(text, where=f"{MODEL_PROVIDER}, {shape.session}")
    corrections = deal(provider, holder, mask, shape)
    message = QueryCorrections(
        products=Tensor.of(corrections.products), planes=Tensor.of(corrections.planes)
    )
    await channel.send(GALLERY_HOLDER, message, offline)


async def provider_search(
    channel: Channel,
    prepared: Prepared,
    gallery: ProviderGallery,
    probes: RingArray,
    terms: SearchTerms,
) -> None:
    """Server 0, online: mask the probes, compute score shares, compare, answer the client.

    Rounds: 1 (masked probes) + 1 (masked scores) + tree layers + 1 (decision shares).
    Learns nothing beyond sizes: x and every opened operand are uniform.
    """
    shape = prepared.shape
    material, masks = prepared.take(), prepared.masks
    if masks is None or probes.shape != masks.shape:
        raise LocalProtocolError("probes do not fit the prepared material", where=shape.session)
    masked = probes - masks
    online = At(shape.session, "online", PROBE_ROUND)
    await channel.send(GALLERY_HOLDER, MaskedProbes(values=Tensor.of(masked)), online)
    scores = ring_product(gallery.share, masked) + material.products
    server = _Server(channel, shape, GALLERY_HOLDER, first=True)
    await server.decide(scores, material, terms)


async def holder_search(
    channel: Channel, prepared: Prepared, share: RingArray, terms: SearchTerms
) -> None:
    """Server 1, online: compute score shares from the masked probes, compare, answer the client.

    Learns nothing beyond sizes: e, x and every opened operand are uniform.
    """
    shape = prepared.shape
    material = prepared.take()
    online = At(shape.session, "online", PROBE_ROUND)
    message = await channel.receive(MODEL_PROVIDER, MaskedProbes, online)
    size = (shape.probes, shape.dimension)
    masked = _checked(message.values, size, shape.ring.dtype, MODEL_PROVIDER)
    scores = ring_product(share, masked) + material.products
    server = _Server(channel, shape, MODEL_PROVIDER, first=False)
    await server.decide(scores, material, terms)


def combine_decisions(
    first: DecisionShares, second: DecisionShares, shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Client: return the match bitmap [B,N] from both servers' shares."""
    entries = shape[0] * shape[1]
    size = (-(-entries // 8),)
    one = _checked(first.bits, size, np.dtype(np.uint8), MODEL_PROVIDER)
    two = _checked(second.bits, size, np.dtype(np.uint8), GALLERY_HOLDER)
    bits = np.unpackbits(one ^ two, count=entries, bitorder="little")
    return bits.astype(np.bool_).reshape(shape)


def combine_scores(
    first: ScoreShares, second: ScoreShares, shape: SearchShape
) -> npt.NDArray[np.int64]:
    """Client, evaluation only: return the scores [B,N] from both servers' shares."""
    one = _checked(first.values, shape.pairs, shape.ring.dtype, MODEL_PROVIDER)
    two = _checked(second.values, shape.pairs, shape.ring.dtype, GALLERY_HOLDER)
    return shape.ring.decode(one + two)


class _Server:
    """The comparison as one of the two servers runs it; both run the same steps."""

    def __init__(self, channel: Channel, shape: SearchShape, peer: Party, *, first: bool) -> None:
        self._channel = channel
        self._shape = shape
        self._peer = peer
        self._first = first

    async def decide(self, scores: RingArray, material: ServerMaterial, terms: SearchTerms) -> None:
        """Compare shared scores with the threshold and send the decision shares to the client."""
        shape = self._shape
        offset = shape.ring.constant(terms.threshold) if self._first else shape.ring.constant(0)
        opened = await self._open_masked(scores - offset + material.mask)
        negative = await self._borrow(opened, material)
        negative = negative ^ material.bits[-1]
        if self._first:
            negative = ~(negative ^ opened[shape.ring.bits - 1])
        bits = np.packbits(unpack_bits(negative, shape.entries), bitorder="little")
        last = FIRST_LAYER_ROUND + len(shape.circuit.layers)
        decision = DecisionShares(bits=Tensor.of(bits))
        await self._channel.send(CLIENT, decision, At(shape.session, "online", last))
        if terms.open_scores:
            message = ScoreShares(values=Tensor.of(scores))
            await self._channel.send(CLIENT, message, At(shape.session, "evaluation"))

    async def _open_masked(self, masked: RingArray) -> Planes:
        """Open x = z - t + r between the servers; return its bit planes."""
        shape = self._shape
        at = At(shape.session, "online", SCORE_ROUND)
        await self._channel.send(self._peer, MaskedScores(values=Tensor.of(masked)), at)
        message = await self._channel.receive(self._peer, MaskedScores, at)
        other = _checked(message.values, shape.pairs, shape.ring.dtype, self._peer)
        return bit_planes((masked + other).reshape(-1), shape.ring.bits)

    async def _borrow(self, opened: Planes, material: ServerMaterial) -> npt.NDArray[np.uint64]:
        """Return this server's share of [x_low < r_low] for every entry."""
        circuit = self._shape.circuit
        nodes = leaves(opened, material.bits, circuit, first=self._first)
        operand = product = 0
        for index, layer in enumerate(circuit.layers):
            stop = operand + circuit.layer_operands(index)
            masks = material.and_masks[operand:stop]
            gates = sum(join.products for join in layer)
            opened_operands = await self._open_bits(index, and_operands(nodes, layer) ^ masks)
            products = material.and_products[product : product + gates]
            nodes = joined(nodes, layer, opened_operands, masks, products, first=self._first)
            operand, product = stop, product + gates
        borrow: npt.NDArray[np.uint64] = nodes[0][0]
        return borrow

    async def _open_bits(self, layer: int, masked: Planes) -> Planes:
        at = At(self._shape.session, "online", FIRST_LAYER_ROUND + layer)
        await self._channel.send(self._peer, MaskedBits(planes=Tensor.of(masked)), at)
        message = await self._channel.receive(self._peer, MaskedBits, at)
        return masked ^ _checked(message.planes, masked.shape, np.dtype("<u8"), self._peer)


def _checked(
    tensor: Tensor, shape: tuple[int, ...], dtype: np.dtype[np.generic], sender: Party
) -> npt.NDArray[np.unsignedinteger]:
    """Return a received array, refused unless it has exactly the agreed shape and type."""
    array = tensor.array()
    if array.shape != shape or array.dtype != dtype:
        text = f"sent an array {array.shape} {array.dtype} where {shape} {dtype} was agreed"
        raise PeerMisbehaviourError(text, where=sender)
    return array
