"""Rates at the threshold that was really used, from what each output level tells the client."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.answers import Side, match_of
from reports.metrics import (
    UNMATED,
    Decisions,
    PersonMean,
    Proportion,
    TarAtFar,
    decision_rates,
    person_mean,
    proportion,
    tar_at_far,
)
from reports.records import Arrays

__all__ = [
    "Detections",
    "Verifications",
    "claim_rates",
    "decisions",
    "detections",
    "genuine_claims",
    "verifications",
]


class Detections(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to rate where the client learns of matches but not whose they are.

    `detected`: mated probes that match some row, be it another person's; `fpir`: unmated probes
    that do; `exact`: probes with as many matches as their person has rows, where it is counted.
    """

    detected: Proportion
    fpir: Proportion
    exact: Proportion | None = None


class Verifications(msgspec.Struct, frozen=True, kw_only=True):
    """Claims at the threshold: genuine ones accepted (TAR), impostors' ones accepted (FAR)."""

    tar: Proportion
    far: Proportion
    tar_per_person: PersonMean


def decisions(observations: Arrays, side: Side) -> Decisions | None:
    """Return rates of decisions about rows; None where the client learns of none."""
    match = match_of(observations, side)
    if match is None:
        return None
    return decision_rates(match, observations["probe_identity"], observations["gallery_identity"])


def detections(observations: Arrays, side: Side) -> Detections | None:
    """Return rates of an `any` or a `count` output; None of any other."""
    counts = observations.get(f"{side}_count")
    found = observations.get(f"{side}_any") if counts is None else counts > 0
    if found is None:
        return None
    people = observations["probe_identity"]
    mated = people != UNMATED
    return Detections(
        detected=proportion(found[mated]),
        fpir=proportion(found[~mated]),
        exact=None if counts is None else proportion(counts == _own_rows(observations)),
    )


def verifications(observations: Arrays, side: Side) -> Verifications | None:
    """Return rates of a verification; None of a search."""
    accepted = observations.get(f"{side}_verified")
    if accepted is None:
        return None
    genuine = genuine_claims(observations)
    return Verifications(
        tar=proportion(accepted[genuine]),
        far=proportion(accepted[~genuine]),
        tar_per_person=person_mean(accepted[genuine], observations["probe_identity"][genuine]),
    )


def claim_rates(observations: Arrays, scores: NDArray[Any], far: float) -> TarAtFar | None:
    """Return TAR at a target FAR over the claims of a verification, from their scores [P]."""
    genuine = genuine_claims(observations)
    # Each claim is one pair: a probe of person 0 or nobody, against a gallery of person 0.
    people = np.where(genuine, 0, UNMATED)
    return tar_at_far(scores[:, None], people, np.zeros(1, dtype=np.int64), far)


def genuine_claims(observations: Arrays) -> NDArray[np.bool_]:
    """Return which probes [P] of a verification claim a row of their own person."""
    owner = observations["gallery_identity"][observations["claimed_row"]]
    genuine: NDArray[np.bool_] = owner == observations["probe_identity"]
    return genuine


def _own_rows(observations: Arrays) -> NDArray[np.int64]:
    """Return how many rows of its own person each probe meets."""
    people, entries = observations["probe_identity"], observations["gallery_identity"]
    own = people[:, None] == entries[None, :]
    own &= observations.get("live", np.ones_like(own))
    counts: NDArray[np.int64] = own.sum(axis=1)
    return counts
