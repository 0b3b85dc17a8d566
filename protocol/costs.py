"""Declared costs: every message a run may send, as formulas of its public plan.

A run whose journal differs from its protocol's list, in either direction, fails. The formulas here
are those that protocols share; each protocol's own are in the `costs.py` of its package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import Step
from protocol.search.shape import SearchShape
from protocol.search.two_party.outputs import answer_opening
from protocol.search.two_party.pieces import Piece

__all__ = [
    "DeclaredMessage",
    "InputSize",
    "answers",
    "deletion",
    "embedding",
    "exchanges",
    "probing",
    "scores",
]

_EMBEDDING_ELEMENT_BYTES = 4


class DeclaredMessage(NamedTuple):
    """One message a session must contain, with its payload in bytes."""

    session: str
    kind: str
    sender: Party
    receiver: Party
    round: int
    payload_bytes: int


class InputSize(NamedTuple):
    """Bytes of one picture's protected input, and numbers in one embedding."""

    features_bytes: int
    embedding: int


def embedding(step: Step, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield the messages by which pictures of an enrolment become embeddings at the client."""
    features = step.size * size.features_bytes
    values = step.size * size.embedding * _EMBEDDING_ELEMENT_BYTES
    yield DeclaredMessage(step.session, "ProtectedFeatures", CLIENT, MODEL_PROVIDER, 0, features)
    yield DeclaredMessage(step.session, "Embeddings", MODEL_PROVIDER, CLIENT, 0, values)


def probing(shape: SearchShape, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield the message that carries the protected probes of a search."""
    features = shape.probes * size.features_bytes
    yield DeclaredMessage(shape.session, "ProtectedFeatures", CLIENT, MODEL_PROVIDER, 0, features)


def deletion(step: Step, holders: Sequence[Party]) -> Iterator[DeclaredMessage]:
    """Yield the messages that withdraw rows; they carry no tensor."""
    for party in holders:
        yield DeclaredMessage(step.session, "DeleteRows", CLIENT, party, 0, 0)


def exchanges(
    session: str, pieces: Sequence[Piece], evaluators: tuple[Party, Party], round_: int
) -> Iterator[DeclaredMessage]:
    """Yield what two evaluators open to each other, one round each from `round_` + 1 on."""
    openings = [opening for piece in pieces for opening in piece.openings]
    for number, opening in enumerate(openings, start=round_ + 1):
        for sender, receiver in (evaluators, evaluators[::-1]):
            yield DeclaredMessage(
                session, opening.kind, sender, receiver, number, opening.payload_bytes
            )


def answers(
    shape: SearchShape, evaluators: tuple[Party, Party], round_: int
) -> Iterator[DeclaredMessage]:
    """Yield both evaluators' shares of the answer."""
    opening = answer_opening(shape)
    for sender in evaluators:
        yield DeclaredMessage(
            shape.session, opening.kind, sender, CLIENT, round_, opening.payload_bytes
        )


def scores(shape: SearchShape, servers: Sequence[Party]) -> Iterator[DeclaredMessage]:
    """Yield the score shares of opened scores."""
    size = shape.entries * shape.ring.bytes
    for sender in servers:
        yield DeclaredMessage(shape.session, "ScoreShares", sender, CLIENT, 0, size)
