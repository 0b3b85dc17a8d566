"""Every message between parties, and the frame that carries it.

A frame is one msgpack array: an envelope and a tagged message. Decoding any byte string
gives a valid frame or raises `DecodeError`; nothing is ever unpickled.
"""

from __future__ import annotations

from typing import Final

import msgspec

from protocol.errors import DecodeError, LocalProtocolError
from protocol.parties import Party, Phase
from protocol.tensors import Tensor

__all__ = [
    "MAX_FRAME_BYTES",
    "MESSAGE_KINDS",
    "AnyMessage",
    "DecisionShares",
    "Embeddings",
    "Envelope",
    "Frame",
    "GallerySeed",
    "GalleryShares",
    "MaskedBits",
    "MaskedGallery",
    "MaskedProbes",
    "MaskedScores",
    "MaterialRequest",
    "Message",
    "ProtectedFeatures",
    "QueryCorrections",
    "ScoreShares",
    "SearchReady",
    "SeedGrant",
    "decode_frame",
    "encode_frame",
    "kind_of",
    "payload_bytes",
    "payload_shapes",
]

MAX_FRAME_BYTES: Final = 1 << 30


class Message(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True, kw_only=True
):
    """Base of all messages; the class name is the kind on the wire."""


class SeedGrant(Message, frozen=True):
    """The 32-byte seed from which one server expands its part of every correlation."""

    seed: Tensor


class ProtectedFeatures(Message, frozen=True):
    """Quantised protected input of a batch: frequency [B,F,112,112], colour [B,c,112,112]."""

    frequency: Tensor
    colour: Tensor


class Embeddings(Message, frozen=True):
    """Embeddings [B,d] of enrolment pictures, returned to the client they belong to."""

    values: Tensor


class GallerySeed(Message, frozen=True):
    """Server 0's share of new gallery rows, as the seed it expands to."""

    seed: Tensor
    rows: int


class GalleryShares(Message, frozen=True):
    """Server 1's share [n,D] of new gallery rows."""

    values: Tensor


class MaskedGallery(Message, frozen=True):
    """Server 1's half of the opening D = G - A of new rows [n,D]."""

    values: Tensor


class MaterialRequest(Message, frozen=True):
    """Request for single-use material: so many probes against so many rows."""

    probes: int
    rows: int


class QueryCorrections(Message, frozen=True):
    """What server 1 cannot expand from its seed: product shares [B,N], packed bit planes [P,W]."""

    products: Tensor
    planes: Tensor


class SearchReady(Message, frozen=True):
    """A server's word to the client that the material of a search is in place."""


class MaskedProbes(Message, frozen=True):
    """Probes under their one-time masks, e = q - b, [B,D]."""

    values: Tensor


class MaskedScores(Message, frozen=True):
    """One server's half of the opening x = z - t + r, [B,N]."""

    values: Tensor


class MaskedBits(Message, frozen=True):
    """One server's half of the masked AND operands of one tree layer, packed planes [P,W]."""

    planes: Tensor


class DecisionShares(Message, frozen=True):
    """One server's share of the match bits, packed little-endian, probe-major."""

    bits: Tensor


class ScoreShares(Message, frozen=True):
    """One server's share of the scores [B,N]; only where the scenario opens scores."""

    values: Tensor


AnyMessage = (
    SeedGrant
    | ProtectedFeatures
    | Embeddings
    | GallerySeed
    | GalleryShares
    | MaskedGallery
    | MaterialRequest
    | QueryCorrections
    | SearchReady
    | MaskedProbes
    | MaskedScores
    | MaskedBits
    | DecisionShares
    | ScoreShares
)
MESSAGE_KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__: kind for kind in Message.__subclasses__()
}


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who says it to whom, where in the run it belongs, and in which order."""

    run: str
    session: str
    sequence: int
    phase: Phase
    step: str
    round: int
    sender: Party
    receiver: Party
    lamport: int


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An envelope and its message: the unit that crosses a party boundary."""

    envelope: Envelope
    message: AnyMessage


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    """Return the wire bytes of a frame.

    Raises:
        LocalProtocolError: the frame is larger than `MAX_FRAME_BYTES`.
    """
    wire = _encoder.encode(frame)
    if len(wire) > MAX_FRAME_BYTES:
        text = f"a {kind_of(frame.message)} frame of {len(wire)} bytes is over the limit"
        raise LocalProtocolError(text, hint="use smaller batches")
    return wire


def decode_frame(wire: bytes) -> Frame:
    """Return the frame in `wire`, with every tensor checked; arrays stay views of `wire`.

    Raises:
        DecodeError: the bytes are not a valid frame.
    """
    if len(wire) > MAX_FRAME_BYTES:
        raise DecodeError(f"frame of {len(wire)} bytes is over the limit of {MAX_FRAME_BYTES}")
    try:
        frame = _decoder.decode(wire)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DecodeError("bytes are not a valid frame") from error
    for tensor in _tensors(frame.message).values():
        tensor.array()
    return frame


def kind_of(message: Message) -> str:
    """Return the kind of a message as it stands in flow policy and journal."""
    return type(message).__name__


def payload_bytes(message: Message) -> int:
    """Return raw tensor bytes of a message; framing and integers are not counted."""
    return sum(tensor.nbytes for tensor in _tensors(message).values())


def payload_shapes(message: Message) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor field."""
    return {name: tensor.shape for name, tensor in _tensors(message).items()}


def _tensors(message: Message) -> dict[str, Tensor]:
    fields = ((name, getattr(message, name)) for name in message.__struct_fields__)
    return {name: value for name, value in fields if isinstance(value, Tensor)}
