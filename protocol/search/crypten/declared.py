"""Declared messages of a run under a CrypTen protocol, beside those of embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from protocol.costs import (
    DeclaredMessage,
    EvaluatedCosts,
    InputSize,
    answers,
    deletion,
    embedding,
    seed_grant,
)
from protocol.parties import CLIENT, GALLERY_HOLDER, MODEL_PROVIDER, Party, Phase
from protocol.plan import RunPlan, Step
from protocol.search.crypten import correlations as engine
from protocol.search.crypten import costs
from protocol.search.crypten.exchange import PARTY_OF, Kind, Link, frame_sizes, opened_kinds
from protocol.search.crypten.ranks import THIRD_PARTY, Provider
from protocol.search.shape import SearchShape
from protocol.sharing.prg import SEED_BYTES

__all__ = ["SERVERS", "answer_round", "declared_messages", "engine_shape"]

SERVERS: Final[tuple[Party, Party]] = (MODEL_PROVIDER, GALLERY_HOLDER)
_ELEMENT_BYTES: Final = 8


def engine_shape(shape: SearchShape) -> engine.SearchShape:
    """Return the public sizes of a search as CrypTen's engine has them."""
    return engine.SearchShape(
        shape.rows, shape.probes, shape.dimension, shape.output, shape.task == "verify"
    )


def answer_round(shape: SearchShape) -> int:
    """Return the round in which the client gets its answer: rounds from probe to decision."""
    return 1 + sum(
        len(frame_sizes(sent.payload_bytes)) for sent in costs.online(0, engine_shape(shape))
    )


def declared_messages(
    provider: Provider,
) -> Callable[[RunPlan, InputSize], Iterator[DeclaredMessage]]:
    """Return the function that yields every message of a run under a plan, in no order."""
    return lambda plan, size: _Costs(plan, size, provider).messages()


class _Costs(EvaluatedCosts):
    evaluators = SERVERS

    def __init__(self, plan: RunPlan, size: InputSize, provider: Provider) -> None:
        super().__init__(plan, size)
        self._provider: Provider = provider

    def setup(self) -> Iterator[DeclaredMessage]:
        yield seed_grant("setup", *SERVERS)
        for rank in range(len(PARTY_OF)):
            yield from _transfers(rank, "setup", "setup", costs.setup(rank, self._provider))

    def change(self, step: Step) -> Iterator[DeclaredMessage]:
        if step.kind == "delete":
            yield from deletion(step, SERVERS)
        elif step.kind == "refresh":
            yield seed_grant(step.session, *SERVERS)
        else:
            name, rows_bytes = step.session, step.size * self.plan.dimension * _ELEMENT_BYTES
            yield from embedding(step, self.size)
            yield DeclaredMessage(name, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, SEED_BYTES)
            yield DeclaredMessage(name, "GalleryShares", CLIENT, GALLERY_HOLDER, 0, rows_bytes)

    def material(
        self, due: Sequence[Step], shapes: Sequence[SearchShape]
    ) -> Iterator[DeclaredMessage]:
        del due  # every search is prepared by itself
        for shape in shapes:
            for rank in (0, THIRD_PARTY):
                sent = costs.offline(rank, self._provider, engine_shape(shape))
                yield from _transfers(rank, shape.session, "offline", sent)
            for server in SERVERS:
                yield DeclaredMessage(shape.session, "SearchReady", server, CLIENT, 0, 0)

    def score_shares(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        del shape  # the product is the first of CrypTen's openings
        yield from ()

    def evaluation(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        sizes = engine_shape(shape)
        for rank in range(len(SERVERS)):
            sent = costs.online(rank, sizes)
            yield from _transfers(rank, shape.session, "online", sent, opened_kinds(sizes))
        yield from answers(shape, SERVERS, answer_round(shape))


def _transfers(
    rank: int,
    session: str,
    phase: Phase,
    transfers: Sequence[costs.Sent],
    opened: Sequence[Kind] = (),
) -> Iterator[DeclaredMessage]:
    """Yield the frames of what a rank sends in one session and phase."""
    links = {peer: Link(rank, phase, opened) for peer in range(len(PARTY_OF))}
    for sent in transfers:
        link = links[sent.peer]
        kind = link.next_kind().__name__
        for payload_bytes in frame_sizes(sent.payload_bytes):
            ends = PARTY_OF[rank], PARTY_OF[sent.peer]
            yield DeclaredMessage(session, kind, *ends, link.next_round(), payload_bytes)
