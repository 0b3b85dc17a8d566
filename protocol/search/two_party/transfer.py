"""Shipping corrections from a helper to the second evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import QueryCorrections
from protocol.parties import Party
from protocol.received import checked
from protocol.search.two_party.pieces import (
    Material,
    Part,
    PartShape,
    Piece,
    corrections,
    part_shapes,
    second_material,
)
from protocol.sharing.prg import CorrelationSource
from protocol.tensors import Tensor

__all__ = ["Sources", "receive_material", "receive_parts", "ship_material"]

Sources: TypeAlias = tuple[CorrelationSource, CorrelationSource]


async def ship_material(
    channel: Channel,
    second: Party,
    sources: Sources,
    session: str,
    pieces: Sequence[Piece],
    extra: Sequence[Part] = (),
) -> None:
    """Helper: send the second evaluator what it cannot expand, after arrays of a protocol's own.

    Args:
        channel: the helper's channel.
        second: the second evaluator.
        sources: the seeds of the first and of the second evaluator.
        session: the session the material is for.
        pieces: its pieces.
        extra: arrays that go before the corrections.
    """
    parts = (*extra, *corrections(*sources, session, pieces))
    message = QueryCorrections(parts=tuple(Tensor.of(part) for part in parts))
    await channel.send(second, message, At(session, "offline"))


async def receive_material(
    channel: Channel,
    helper: Party,
    source: CorrelationSource,
    session: str,
    pieces: Sequence[Piece],
) -> Material:
    """Second evaluator: complete one's material with what the helper ships."""
    parts = await receive_parts(channel, helper, session, part_shapes(pieces))
    return second_material(source, session, pieces, parts)


async def receive_parts(
    channel: Channel, helper: Party, session: str, wanted: Sequence[PartShape]
) -> list[Part]:
    """Return the arrays a helper ships, refused unless all have the agreed shape and type.

    Raises:
        PeerMisbehaviourError: the helper sent something else.
    """
    message = await channel.receive(helper, QueryCorrections, At(session, "offline"))
    if len(message.parts) != len(wanted):
        text = f"sent {len(message.parts)} arrays where {len(wanted)} were agreed"
        raise PeerMisbehaviourError(text, where=helper)
    pairs = zip(message.parts, wanted, strict=True)
    return [checked(part, shape.shape, shape.dtype, helper) for part, shape in pairs]
