"""Declared messages of the dealer protocol, beside those of embedding and evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocol.costs import (
    DeclaredMessage,
    EvaluatedCosts,
    InputSize,
    deletion,
    embedding,
    seed_grant,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.pool import material_session
from protocol.search.shape import SearchShape
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.pieces import shipped_bytes
from protocol.sharing.prg import SEED_BYTES

__all__ = ["declared_messages"]


def declared_messages(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield every message of a run under a plan, in no particular order."""
    return _Costs(plan, size).messages()


class _Costs(EvaluatedCosts):
    evaluators = (MODEL_PROVIDER, GALLERY_HOLDER)

    def setup(self, session: str = "setup") -> Iterator[DeclaredMessage]:
        yield seed_grant(session, DEALER, MODEL_PROVIDER)
        yield seed_grant(session, DEALER, GALLERY_HOLDER)
        yield seed_grant(session, MODEL_PROVIDER, GALLERY_HOLDER)

    def change(self, step: Step) -> Iterator[DeclaredMessage]:
        name, rows_bytes = step.session, self.rows_bytes(step)
        if step.kind == "delete":
            yield from deletion(step, (*self.evaluators, DEALER))
            return
        if step.kind == "refresh":
            yield from self.setup(name)
        else:
            yield from embedding(step, self.size)
            yield DeclaredMessage(name, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, SEED_BYTES)
            yield DeclaredMessage(name, "GalleryShares", CLIENT, GALLERY_HOLDER, 0, rows_bytes)
        yield DeclaredMessage(name, "MaskedGallery", GALLERY_HOLDER, MODEL_PROVIDER, 0, rows_bytes)
        if step.kind != "refresh":
            yield from self.row_check(step, DEALER)

    def material(
        self, due: Sequence[Step], shapes: Sequence[SearchShape]
    ) -> Iterator[DeclaredMessage]:
        session = material_session(due)
        yield DeclaredMessage(session, "MaterialRequest", MODEL_PROVIDER, DEALER, 0, 0)
        for shape in shapes:
            name, products = shape.session, shape.entries * shape.ring.bytes
            shipped = products + shipped_bytes(search_pieces(shape))
            yield DeclaredMessage(name, "QueryCorrections", DEALER, GALLERY_HOLDER, 0, shipped)
            for server in self.evaluators:
                yield DeclaredMessage(name, "SearchReady", server, CLIENT, 0, 0)

    def score_shares(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        masked = shape.probes * shape.dimension * shape.ring.bytes
        yield DeclaredMessage(
            shape.session, "MaskedProbes", MODEL_PROVIDER, GALLERY_HOLDER, SCORE_ROUND, masked
        )
