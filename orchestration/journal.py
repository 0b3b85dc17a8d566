"""The journal: one event per envelope sent and received, always written."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

from protocol.flows import Flow, Form
from protocol.messages import Frame, kind_of, payload_bytes, payload_shapes, tensors_of
from protocol.parties import Party, Phase
from protocol.tensors import Tensor

__all__ = [
    "KEY_BYTES",
    "Event",
    "audit_hash",
    "decode_events",
    "encode_events",
    "event_for",
    "write_journal",
]

DIGEST_BYTES: Final = 16
KEY_BYTES: Final = 32

# One key and nonce for all messages of a run is no weakness here: only a hash of the tag is told.
_TAG_NONCE: Final = bytes(12)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One message as one party saw it. Bytes: payload = raw tensors, wire = the whole frame.

    `at_s` is wall time since the run began; `compute_s` the party's own busy time since its
    previous event; `lamport` the logical clock, equal in every runtime.
    """

    event: Literal["sent", "received"]
    party: Party
    peer: Party
    run: str
    session: str
    sequence: int
    phase: Phase
    step: str
    round: int
    sender: Party
    receiver: Party
    kind: str
    form: Form
    payload_bytes: int
    wire_bytes: int
    shapes: dict[str, tuple[int, ...]]
    digest: str
    lamport: int
    at_s: float
    compute_s: float


def event_for(  # noqa: PLR0913 - all but three have a name at the call
    direction: Literal["sent", "received"],
    frame: Frame,
    flow: Flow,
    *,
    wire_bytes: int,
    lamport: int,
    at_s: float,
    compute_s: float,
    digest_key: bytes,
) -> Event:
    """Return the journal event of a frame; with a digest in place of the payload.

    Args:
        direction: which end journals it.
        frame: the frame.
        flow: the policy's row that permits it.
        wire_bytes: its size on the wire.
        lamport: the party's logical clock.
        at_s: wall time since the run began.
        compute_s: the party's busy time since its previous event.
        digest_key: 32 bytes that the parties of a run share and nothing keeps.
    """
    envelope = frame.envelope
    sent = direction == "sent"
    return Event(
        event=direction,
        party=envelope.sender if sent else envelope.receiver,
        peer=envelope.receiver if sent else envelope.sender,
        run=envelope.run,
        session=envelope.session,
        sequence=envelope.sequence,
        phase=envelope.phase,
        step=envelope.step,
        round=envelope.round,
        sender=envelope.sender,
        receiver=envelope.receiver,
        kind=kind_of(frame.message),
        form=flow.form,
        payload_bytes=payload_bytes(frame.message),
        wire_bytes=wire_bytes,
        shapes=payload_shapes(frame.message),
        digest=_digest(frame, digest_key),
        lamport=lamport,
        at_s=round(at_s, 6),
        compute_s=round(compute_s, 6),
    )


def encode_events(events: Iterable[Event]) -> bytes:
    """Return events as bytes, for the way from an actor to the driver."""
    return msgspec.msgpack.encode(list(events))


def decode_events(data: bytes) -> list[Event]:
    """Return the events of `encode_events`."""
    return msgspec.msgpack.decode(data, type=list[Event])


def write_journal(path: Path, events: Iterable[Event]) -> None:
    """Write one JSON object per line, in logical order."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for event in sorted(events, key=_order):
            file.write(encoder.encode(event) + b"\n")


def audit_hash(events: Iterable[Event]) -> str:
    """Return a SHA-256 over everything in the journal that does not depend on masks or clocks."""
    total = sha256()
    for event in sorted(events, key=_order):
        fixed = (
            event.event, event.session, event.sequence, event.phase, event.step, event.round,
            event.sender, event.receiver, event.kind, event.payload_bytes, event.wire_bytes,
            event.lamport,
        )  # fmt: skip
        total.update(msgspec.json.encode(fixed))
    return total.hexdigest()


def _order(event: Event) -> tuple[int, str, str, int]:
    return (event.lamport, event.party, event.event, event.sequence)


def _digest(frame: Frame, key: bytes) -> str:
    """Return a keyed digest of a frame: pairs a sent event with its received twin.

    Tensors are compressed by GMAC, at the speed of memory, and its tag is hashed together with the
    other fields and the message's place in the run. Without the key, which ends with the run, no
    guess of a content can be confirmed, however few contents there are; and equal contents at two
    places, such as both shares of an answer, have digests that differ (docs/decisions/0021).
    """
    message, at = frame.message, frame.envelope
    total = blake2b(digest_size=DIGEST_BYTES, key=key)
    total.update(f"{at.sender} {at.receiver} {at.sequence} {at.session}\0".encode())
    total.update(_tag(tensors_of(message).values(), key))
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, int | str):
            total.update(str(value).encode())
    return total.hexdigest()


def _tag(tensors: Iterable[Tensor], key: bytes) -> bytes:
    """Return the GMAC tag of the bytes of all tensors, under a key derived from the run's."""
    gmac = Cipher(AES256(_tag_key(key)), GCM(_TAG_NONCE)).encryptor()
    for tensor in tensors:
        gmac.authenticate_additional_data(tensor.data)
    gmac.finalize()
    return gmac.tag


def _tag_key(key: bytes) -> bytes:
    return blake2b(key=key, digest_size=32, person=b"journal tag").digest()
