"""Declared messages of the dealer protocol, beside those of embedding."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.costs import (
    DeclaredMessage,
    InputSize,
    answers,
    deletion,
    embedding,
    exchanges,
    probing,
    scores,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import search_pieces
from protocol.search.dealer.provider import PROBE_ROUND
from protocol.search.pool import Pool, material_session
from protocol.search.shape import SearchShape, input_check, search_shape
from protocol.search.two_party.pieces import shipped_bytes
from protocol.sharing.prg import SEED_BYTES

__all__ = ["answer_round", "declared_messages"]

SERVERS: tuple[Party, Party] = (MODEL_PROVIDER, GALLERY_HOLDER)
HOLDERS: tuple[Party, ...] = (*SERVERS, DEALER)


def answer_round(shape: SearchShape) -> int:
    """Return the round in which the client gets its answer: rounds from probe to decision."""
    return PROBE_ROUND + sum(len(piece.openings) for piece in search_pieces(shape)) + 1


def declared_messages(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield every message of a run under a plan, in no particular order."""
    for server in SERVERS:
        yield DeclaredMessage("setup", "SeedGrant", DEALER, server, 0, SEED_BYTES)
    pool: Pool[None] = Pool(plan)
    live = 0
    for index, step in enumerate(plan.steps):
        if step.kind == "search":
            yield from _offline(plan, index, live, pool)
            yield from _search(plan, search_shape(plan, step, live), size)
            pool.take(step.session)
            continue
        yield from _change(plan, step, size)
        live += {"enrol": step.size, "delete": -step.size}.get(step.kind, 0)


def _change(plan: RunPlan, step: Step, size: InputSize) -> Iterator[DeclaredMessage]:
    name, rows_bytes = step.session, step.size * plan.dimension * plan.ring_bits // 8
    if step.kind == "delete":
        yield from deletion(step, HOLDERS)
        return
    if step.kind != "refresh":
        yield from embedding(step, size)
        yield DeclaredMessage(name, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, SEED_BYTES)
        yield DeclaredMessage(name, "GalleryShares", CLIENT, GALLERY_HOLDER, 0, rows_bytes)
    yield DeclaredMessage(name, "MaskedGallery", GALLERY_HOLDER, MODEL_PROVIDER, 0, rows_bytes)
    if plan.check_inputs and step.kind != "refresh":
        pieces = input_check(plan, step.size).pieces()
        shipped = shipped_bytes(pieces)
        yield DeclaredMessage(name, "QueryCorrections", DEALER, GALLERY_HOLDER, 0, shipped)
        yield from exchanges(name, pieces, SERVERS, 0)


def _offline(plan: RunPlan, index: int, live: int, pool: Pool[None]) -> Iterator[DeclaredMessage]:
    due = pool.due(plan.upcoming(index))
    if due:
        yield DeclaredMessage(
            material_session(due), "MaterialRequest", MODEL_PROVIDER, DEALER, 0, 0
        )
    for step in due:
        pool.put(step.session, None)
        shape = search_shape(plan, step, live)
        products = shape.entries * shape.ring.bytes
        shipped = products + shipped_bytes(search_pieces(shape))
        yield DeclaredMessage(step.session, "QueryCorrections", DEALER, GALLERY_HOLDER, 0, shipped)
        for server in SERVERS:
            yield DeclaredMessage(step.session, "SearchReady", server, CLIENT, 0, 0)


def _search(plan: RunPlan, shape: SearchShape, size: InputSize) -> Iterator[DeclaredMessage]:
    yield from probing(shape, size)
    masked = shape.probes * shape.dimension * shape.ring.bytes
    yield DeclaredMessage(
        shape.session, "MaskedProbes", MODEL_PROVIDER, GALLERY_HOLDER, PROBE_ROUND, masked
    )
    pieces = search_pieces(shape)
    yield from exchanges(shape.session, pieces, SERVERS, PROBE_ROUND)
    yield from answers(shape, SERVERS, answer_round(shape))
    if plan.open_scores:
        yield from scores(shape, SERVERS)
