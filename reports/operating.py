"""Rates at the threshold that was really used, from what each output level tells the client."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.answers import Side, match_of
from reports.intervals import PairRate, numbered
from reports.metrics import (
    UNMATED,
    PersonMean,
    Proportion,
    TarAtFar,
    is_mated,
    number_probes,
    own_pairs,
    people_of,
    person_mean,
    proportion,
    tar_of,
)
from reports.records import PEOPLE, Arrays

__all__ = [
    "Decisions",
    "Detections",
    "Verifications",
    "claim_rate",
    "claim_rates",
    "decision_rates",
    "decisions",
    "detections",
    "genuine_claims",
    "verifications",
]


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Rates at the threshold that was really used, from decision bits alone.

    `wrong_entry`: mated probes that also match somebody else. `exact`: probes whose whole row
    of bits is right.
    """

    tpir: Proportion
    fpir: Proportion
    tpir_per_person: PersonMean
    wrong_entry: Proportion
    exact: Proportion


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


def decision_rates(
    match: NDArray[np.bool_],
    probe_identity: NDArray[np.int64],
    gallery_identity: NDArray[np.int64],
    probe_person: NDArray[np.int64] | None = None,
) -> Decisions:
    """Return open-set rates from decision bits [P, N] at the threshold that produced them.

    That threshold was fixed before these probes came, so no resample chooses it again.
    """
    own = own_pairs(probe_identity, gallery_identity)
    mated = is_mated(probe_identity)
    found: NDArray[np.bool_] = np.any(match & own, axis=1)[mated]
    wrong: NDArray[np.bool_] = np.any(match & ~own, axis=1)
    person = people_of(probe_identity, probe_person)
    return Decisions(
        tpir=proportion(found, person[mated]),
        fpir=proportion(wrong[~mated], person[~mated]),
        tpir_per_person=person_mean(found, probe_identity[mated]),
        wrong_entry=proportion(wrong[mated], person[mated]),
        exact=proportion(np.all(match == own, axis=1), person),
    )


def decisions(observations: Arrays, side: Side) -> Decisions | None:
    """Return rates of decisions about rows; None where the client learns of none."""
    match = match_of(observations, side)
    if match is None:
        return None
    return decision_rates(
        match,
        observations["probe_identity"],
        observations["gallery_identity"],
        observations.get(PEOPLE),
    )


def detections(observations: Arrays, side: Side) -> Detections | None:
    """Return rates of an `any` or a `count` output; None of any other."""
    counts = observations.get(f"{side}_count")
    found = observations.get(f"{side}_any") if counts is None else counts > 0
    if found is None:
        return None
    people = observations["probe_identity"]
    mated, person = people != UNMATED, people_of(people, observations.get(PEOPLE))
    right = None if counts is None else counts == _own_rows(observations)
    return Detections(
        detected=proportion(found[mated], person[mated]),
        fpir=proportion(found[~mated], person[~mated]),
        exact=None if right is None else proportion(right, person),
    )


def verifications(observations: Arrays, side: Side) -> Verifications | None:
    """Return rates of a verification; None of a search."""
    accepted = observations.get(f"{side}_verified")
    if accepted is None:
        return None
    genuine = genuine_claims(observations)
    person = people_of(observations["probe_identity"], observations.get(PEOPLE))
    return Verifications(
        tar=proportion(accepted[genuine], person[genuine]),
        far=proportion(accepted[~genuine], person[~genuine]),
        tar_per_person=person_mean(accepted[genuine], observations["probe_identity"][genuine]),
    )


def claim_rates(observations: Arrays, scores: NDArray[Any], far: float) -> TarAtFar | None:
    """Return TAR at a target FAR over the claims of a verification, from their scores [P]."""
    rate = claim_rate(observations, scores, far)
    return None if rate is None else tar_of(rate)


def claim_rate(observations: Arrays, scores: NDArray[Any], far: float) -> PairRate | None:
    """Return what is resampled of claims: each is one pair of a probe and the row it claims."""
    genuine = genuine_claims(observations)
    if not genuine.any() or genuine.all():
        return None
    rows, enrolled = numbered(observations["gallery_identity"])
    probe, strangers = number_probes(
        observations["probe_identity"], observations["gallery_identity"], observations.get(PEOPLE)
    )
    return PairRate(
        genuine=scores[genuine],
        owner=probe[genuine],
        impostor=scores[~genuine],
        first=probe[~genuine],
        second=rows[observations["claimed_row"]][~genuine],
        people=(enrolled, strangers) if strangers else (enrolled,),
        far=far,
    )


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
