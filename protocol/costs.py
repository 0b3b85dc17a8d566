"""Declared costs: every message a run may send, as formulas of its public plan.

A run whose journal differs from its protocol's list, in either direction, fails. The formulas here
are those that protocols share; each protocol's own are in the `costs.py` of its package.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.pool import Pool
from protocol.search.shape import SearchShape, input_check, search_shape
from protocol.search.two_party.outputs import (
    SCORE_ROUND,
    answer_opening,
    answer_round,
    search_pieces,
)
from protocol.search.two_party.pieces import Piece, shipped_bytes
from protocol.sharing.prg import SEED_BYTES

__all__ = [
    "DeclaredMessage",
    "EvaluatedCosts",
    "InputSize",
    "answers",
    "deletion",
    "embedding",
    "exchanges",
    "probing",
    "scores",
    "seed_grant",
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


def seed_grant(session: str, sender: Party, receiver: Party) -> DeclaredMessage:
    """Return the message that carries a seed."""
    return DeclaredMessage(session, "SeedGrant", sender, receiver, 0, SEED_BYTES)


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


class EvaluatedCosts(ABC):
    """The messages of a plan whose searches are answered by two evaluators with a pool of material.

    A protocol says what its setup, a change of the gallery, the material of searches and the
    score shares of a search cost; what the evaluators then say is the same for all.
    """

    evaluators: tuple[Party, Party]

    def __init__(self, plan: RunPlan, size: InputSize) -> None:
        self.plan = plan
        self.size = size

    def messages(self) -> Iterator[DeclaredMessage]:
        """Yield every message of the run, in no particular order."""
        yield from self.setup()
        pool: Pool[None] = Pool(self.plan)
        live = 0
        for index, step in enumerate(self.plan.steps):
            if step.kind == "search":
                yield from self._search(index, live, pool)
                continue
            yield from self.change(step)
            live += {"enrol": step.size, "delete": -step.size}.get(step.kind, 0)

    @abstractmethod
    def setup(self) -> Iterator[DeclaredMessage]:
        """Yield what is said once."""

    @abstractmethod
    def change(self, step: Step) -> Iterator[DeclaredMessage]:
        """Yield what a change of the gallery costs."""

    @abstractmethod
    def material(
        self, due: Sequence[Step], shapes: Sequence[SearchShape]
    ) -> Iterator[DeclaredMessage]:
        """Yield what it costs to put the material of one or more searches in place."""

    @abstractmethod
    def score_shares(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        """Yield what gives the evaluators their shares of the scores."""

    def evaluation(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        """Yield what leads from score shares to the answer."""
        yield from exchanges(shape.session, search_pieces(shape), self.evaluators, SCORE_ROUND)
        yield from answers(shape, self.evaluators, answer_round(shape))

    def rows_bytes(self, step: Step) -> int:
        """Return the bytes of one share of the rows of a step."""
        return step.size * self.plan.dimension * self.plan.ring_bits // 8

    def row_check(self, step: Step, helper: Party) -> Iterator[DeclaredMessage]:
        """Yield what it costs to check new rows, if the plan says so."""
        if not self.plan.check_inputs:
            return
        name, pieces = step.session, input_check(self.plan, step.size).pieces()
        second, shipped = self.evaluators[1], shipped_bytes(pieces)
        yield DeclaredMessage(name, "QueryCorrections", helper, second, 0, shipped)
        yield from exchanges(name, pieces, self.evaluators, 0)

    def _search(self, index: int, live: int, pool: Pool[None]) -> Iterator[DeclaredMessage]:
        step, due = self.plan.steps[index], pool.due(self.plan.upcoming(index))
        if due:
            yield from self.material(due, [search_shape(self.plan, one, live) for one in due])
        for one in due:
            pool.put(one.session, None)
        pool.take(step.session)
        shape = search_shape(self.plan, step, live)
        yield from probing(shape, self.size)
        yield from self.score_shares(shape)
        yield from self.evaluation(shape)
        if self.plan.open_scores:
            yield from scores(shape, self.evaluators)
