"""Shipping corrections from a helper to the second evaluator."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.errors import PeerMisbehaviourError
from protocol.messages import QueryCorrections
from protocol.parties import Party
from protocol.search.two_party.evaluator import checked
from protocol.search.two_party.pieces import Part, PartShape
from protocol.tensors import Tensor

__all__ = ["received_parts", "shipped_parts"]


def shipped_parts(parts: Sequence[Part]) -> QueryCorrections:
    """Return the message that carries corrections."""
    return QueryCorrections(parts=tuple(Tensor.of(part) for part in parts))


def received_parts(
    message: QueryCorrections, wanted: Sequence[PartShape], helper: Party
) -> list[Part]:
    """Return the arrays of a message, refused unless all have the agreed shape and type.

    Raises:
        PeerMisbehaviourError: the helper sent something else.
    """
    if len(message.parts) != len(wanted):
        text = f"sent {len(message.parts)} arrays where {len(wanted)} were agreed"
        raise PeerMisbehaviourError(text, where=helper)
    pairs = zip(message.parts, wanted, strict=True)
    return [checked(part, shape.shape, shape.dtype, helper) for part, shape in pairs]
