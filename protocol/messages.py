"""Every message between parties, and the frame that carries it.

A frame is one msgpack array: an envelope and a tagged message. Decoding any byte string
gives a valid frame or raises `DecodeError`; nothing is ever unpickled. A protocol of its own kind
adds kinds by subclassing `Message`; the flow policy decides who may say them.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final, TypeAlias, Union

import msgspec

from protocol.errors import DecodeError, LocalProtocolError
from protocol.parties import Party, Phase
from protocol.tensors import Tensor

__all__ = [
    "MAX_CLOCK",
    "MAX_COUNT",
    "MAX_FRAME_BYTES",
    "MAX_NAME_LENGTH",
    "Count",
    "CountShares",
    "DecisionShares",
    "DeleteRows",
    "Embeddings",
    "Envelope",
    "Frame",
    "GallerySeed",
    "GalleryShares",
    "IdentityShares",
    "MaskedBits",
    "MaskedChoices",
    "MaskedGallery",
    "MaskedProbes",
    "MaskedProducts",
    "MaskedScores",
    "MaterialRequest",
    "Message",
    "ProtectedFeatures",
    "QueryCorrections",
    "RevealedBits",
    "ScoreShares",
    "SearchReady",
    "SeedGrant",
    "decode_frame",
    "encode_frame",
    "kind_of",
    "message_kinds",
    "payload_bytes",
    "payload_shapes",
    "tensors_of",
]

MAX_FRAME_BYTES: Final = 1 << 30
MAX_NAME_LENGTH: Final = 64
"""Characters of a run, session or step name: envelopes are kept in journals and error texts."""
MAX_COUNT: Final = (1 << 31) - 1
"""Largest number of rows, probes, searches, rounds or frames of a link."""
MAX_CLOCK: Final = 1 << 62
"""Largest logical time; what one frame may add to it is bounded by the endpoint."""

Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_NAME_LENGTH)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
Clock: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_CLOCK)]


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
    rows: Count


class GalleryShares(Message, frozen=True):
    """Server 1's share [n,D] of new gallery rows."""

    values: Tensor


class MaskedGallery(Message, frozen=True):
    """The gallery holder's share of new rows [n,D] under a mask that the receiver does not have."""

    values: Tensor


class MaterialRequest(Message, frozen=True):
    """Request for single-use material of some searches: so many probes against so many rows."""

    searches: Count
    probes: Count
    rows: Count


class QueryCorrections(Message, frozen=True):
    """What the second evaluator cannot expand from its seed, one array per part of the material."""

    parts: tuple[Tensor, ...]


class SearchReady(Message, frozen=True):
    """A server's word to the client that the material of a search is in place."""


class DeleteRows(Message, frozen=True):
    """Row numbers the client withdraws from the gallery."""

    rows: tuple[Count, ...]


class MaskedProbes(Message, frozen=True):
    """Probes under their one-time masks, e = q - b, [B,D]."""

    values: Tensor


class MaskedProducts(Message, frozen=True):
    """Score shares [B,N], under a one-time mask, of a server that does not evaluate them itself."""

    values: Tensor


class MaskedScores(Message, frozen=True):
    """One evaluator's half of the opening x = v + r of values to be compared, flat."""

    values: Tensor


class MaskedBits(Message, frozen=True):
    """One evaluator's half of masked bits that are opened together, packed planes [P,W]."""

    planes: Tensor


class MaskedChoices(Message, frozen=True):
    """One evaluator's half of masked selection bits [W] and of the masked values they select."""

    bits: Tensor
    values: tuple[Tensor, ...]


class RevealedBits(Message, frozen=True):
    """One evaluator's half of bits that both may know: whether an input is well formed."""

    planes: Tensor


class DecisionShares(Message, frozen=True):
    """One evaluator's share of the match bits, packed little-endian, probe-major."""

    bits: Tensor


class CountShares(Message, frozen=True):
    """One evaluator's share of the number of matches of each probe, [B]."""

    values: Tensor


class IdentityShares(Message, frozen=True):
    """One evaluator's share of 1 + slot of the best matches of each probe, 0 for none, [B,k]."""

    values: Tensor


class ScoreShares(Message, frozen=True):
    """One evaluator's share of the scores [B,N]; only where the scenario opens scores."""

    values: Tensor


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who says it to whom, where in the run it belongs, and in which order."""

    run: Name
    session: Name
    sequence: Count
    phase: Phase
    step: Name
    round: Count
    sender: Party
    receiver: Party
    lamport: Clock


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An envelope and its message: the unit that crosses a party boundary."""

    envelope: Envelope
    message: Message


class _Undecoded(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A frame whose message is still bytes."""

    envelope: Envelope
    message: msgspec.Raw


_encoder = msgspec.msgpack.Encoder()
_outer = msgspec.msgpack.Decoder(_Undecoded)


def message_kinds() -> dict[str, type[Message]]:
    """Return every kind of message by name."""
    return {kind.__name__: kind for kind in Message.__subclasses__()}


@cache
def _decoder(kinds: int) -> msgspec.msgpack.Decoder[Message]:
    """Return the decoder of all kinds; made anew when a protocol has added some."""
    del kinds
    return msgspec.msgpack.Decoder(Union[tuple(Message.__subclasses__())])  # noqa: UP007 - computed


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
        outer = _outer.decode(wire)
        message = _decoder(len(Message.__subclasses__())).decode(outer.message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DecodeError("bytes are not a valid frame") from error
    for tensor in tensors_of(message).values():
        tensor.array()
    return Frame(outer.envelope, message)


def kind_of(message: Message) -> str:
    """Return the kind of a message as it stands in flow policy and journal."""
    return type(message).__name__


def payload_bytes(message: Message) -> int:
    """Return raw tensor bytes of a message; framing and integers are not counted."""
    return sum(tensor.nbytes for tensor in tensors_of(message).values())


def payload_shapes(message: Message) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor field."""
    return {name: tensor.shape for name, tensor in tensors_of(message).items()}


def tensors_of(message: Message) -> dict[str, Tensor]:
    """Return every tensor of a message by field name; one of several as `name.0`, `name.1`, …."""
    found: dict[str, Tensor] = {}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, tuple):
            parts = (part for part in value if isinstance(part, Tensor))
            found |= {f"{name}.{index}": part for index, part in enumerate(parts)}
    return found
