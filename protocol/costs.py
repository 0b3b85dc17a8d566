"""What every session must cost: the declared messages, their rounds and their payload bytes.

A run whose journal differs from this list, in either direction, fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import Batch, RunPlan
from protocol.search.comparison import Circuit, circuit
from protocol.sharing.kernels import words_for
from protocol.sharing.prg import SEED_BYTES

__all__ = ["DeclaredMessage", "InputSize", "declared_messages", "online_rounds"]

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


def declared_messages(plan: RunPlan, size: InputSize) -> Iterator[DeclaredMessage]:
    """Yield every message of a run under a plan, in no particular order."""
    for server in (MODEL_PROVIDER, GALLERY_HOLDER):
        yield DeclaredMessage("setup", "SeedGrant", DEALER, server, 0, SEED_BYTES)
    for batch in plan.enrolments:
        yield from _enrolment(plan, batch, size)
    for batch in plan.searches:
        yield from _search(plan, batch, size)


def online_rounds(bits: int, radix: int) -> int:
    """Return rounds from the masked probe to the decision at the client."""
    return len(circuit(bits, radix).layers) + 3


def _enrolment(plan: RunPlan, batch: Batch, size: InputSize) -> Iterator[DeclaredMessage]:
    rows_bytes = batch.size * plan.dimension * plan.ring_bits // 8
    embeddings = batch.size * size.embedding * _EMBEDDING_ELEMENT_BYTES
    features = batch.size * size.features_bytes
    name = batch.session
    yield DeclaredMessage(name, "ProtectedFeatures", CLIENT, MODEL_PROVIDER, 0, features)
    yield DeclaredMessage(name, "Embeddings", MODEL_PROVIDER, CLIENT, 0, embeddings)
    yield DeclaredMessage(name, "GallerySeed", CLIENT, MODEL_PROVIDER, 0, SEED_BYTES)
    yield DeclaredMessage(name, "GalleryShares", CLIENT, GALLERY_HOLDER, 0, rows_bytes)
    yield DeclaredMessage(name, "MaskedGallery", GALLERY_HOLDER, MODEL_PROVIDER, 0, rows_bytes)


def _search(plan: RunPlan, batch: Batch, size: InputSize) -> Iterator[DeclaredMessage]:
    shape = circuit(plan.ring_bits, plan.radix)
    name, entries = batch.session, batch.size * plan.rows
    yield from _offline(plan, batch, shape)
    features = batch.size * size.features_bytes
    yield DeclaredMessage(name, "ProtectedFeatures", CLIENT, MODEL_PROVIDER, 0, features)
    probes = batch.size * plan.dimension * plan.ring_bits // 8
    yield DeclaredMessage(name, "MaskedProbes", MODEL_PROVIDER, GALLERY_HOLDER, 1, probes)
    scores = entries * plan.ring_bits // 8
    for sender, receiver in _both_ways():
        yield DeclaredMessage(name, "MaskedScores", sender, receiver, 2, scores)
        for layer in range(len(shape.layers)):
            planes = shape.layer_operands(layer) * 8 * words_for(entries)
            yield DeclaredMessage(name, "MaskedBits", sender, receiver, 3 + layer, planes)
        decision = 3 + len(shape.layers)
        bits = -(-entries // 8)
        yield DeclaredMessage(name, "DecisionShares", sender, CLIENT, decision, bits)
        if plan.open_scores:
            yield DeclaredMessage(name, "ScoreShares", sender, CLIENT, 0, scores)


def _offline(plan: RunPlan, batch: Batch, shape: Circuit) -> Iterator[DeclaredMessage]:
    name, entries = batch.session, batch.size * plan.rows
    planes = (shape.secret_planes + shape.products) * 8 * words_for(entries)
    corrections = entries * plan.ring_bits // 8 + planes
    yield DeclaredMessage(name, "MaterialRequest", MODEL_PROVIDER, DEALER, 0, 0)
    yield DeclaredMessage(name, "QueryCorrections", DEALER, GALLERY_HOLDER, 0, corrections)
    for server in (MODEL_PROVIDER, GALLERY_HOLDER):
        yield DeclaredMessage(name, "SearchReady", server, CLIENT, 0, 0)


def _both_ways() -> tuple[tuple[Party, Party], tuple[Party, Party]]:
    return (MODEL_PROVIDER, GALLERY_HOLDER), (GALLERY_HOLDER, MODEL_PROVIDER)
