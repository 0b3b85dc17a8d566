"""Declared messages of the replicated protocol, beside those of embedding and evaluation."""

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
from protocol.parties import AUXILIARY_SERVER, CLIENT, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.replicated.material import EVALUATORS, SERVERS
from protocol.search.shape import SearchShape
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.pieces import shipped_bytes
from protocol.sharing.prg import SEED_BYTES

__all__ = ["declared_messages"]


def declared_messages(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield every message of a run under a plan, in no particular order."""
    return _Costs(plan, size).messages()


class _Costs(EvaluatedCosts):
    evaluators = EVALUATORS

    def setup(self, session: str = "setup") -> Iterator[DeclaredMessage]:
        for server in EVALUATORS:
            yield seed_grant(session, MODEL_PROVIDER, server)
        yield seed_grant(session, GALLERY_HOLDER, AUXILIARY_SERVER)

    def change(self, step: Step) -> Iterator[DeclaredMessage]:
        name, rows_bytes = step.session, self.rows_bytes(step)
        if step.kind == "delete":
            yield from deletion(step, SERVERS)
        elif step.kind == "refresh":
            yield from self.setup(name)
            for server in EVALUATORS:
                yield DeclaredMessage(name, "GallerySeed", MODEL_PROVIDER, server, 0, SEED_BYTES)
        else:
            yield from embedding(step, self.size)
            yield DeclaredMessage(name, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, SEED_BYTES)
            yield DeclaredMessage(name, "GalleryShares", CLIENT, GALLERY_HOLDER, 0, rows_bytes)
            yield DeclaredMessage(name, "MaskedGallery", *EVALUATORS, 0, rows_bytes)
            yield from self.row_check(step, MODEL_PROVIDER)
            if self.plan.check_inputs:
                yield DeclaredMessage(
                    name, "GallerySeed", MODEL_PROVIDER, AUXILIARY_SERVER, 0, SEED_BYTES
                )

    def material(
        self, due: Sequence[Step], shapes: Sequence[SearchShape]
    ) -> Iterator[DeclaredMessage]:
        for step, shape in zip(due, shapes, strict=True):
            name, shipped = step.session, shipped_bytes(search_pieces(shape))
            yield DeclaredMessage(
                name, "QueryCorrections", MODEL_PROVIDER, AUXILIARY_SERVER, 0, shipped
            )
            for server in SERVERS:
                yield DeclaredMessage(name, "SearchReady", server, CLIENT, 0, 0)

    def score_shares(self, shape: SearchShape) -> Iterator[DeclaredMessage]:
        probes, scores = shape.probes * shape.dimension, shape.entries
        for kind, elements in (("MaskedProbes", probes), ("MaskedProducts", scores)):
            yield DeclaredMessage(
                shape.session, kind, MODEL_PROVIDER, AUXILIARY_SERVER, SCORE_ROUND,
                elements * shape.ring.bytes,
            )  # fmt: skip
