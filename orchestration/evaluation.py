"""The evaluator's eye: compares the secure result with the quantised plaintext oracle.

The evaluator is the simulation itself, not a party. It reads what each party observed after the
run; no message carries any of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.runtime.outcome import PartyOutcome
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, moments
from protocol.search import plaintext
from protocol.search.answers import ABSENT_SCORE

__all__ = ["ANSWERS", "Arrays", "cosine_scores", "observe", "oracle_answers", "oracle_scores"]

Arrays = dict[str, npt.NDArray[Any]]
ANSWERS = ("match", "any", "count", "identity", "verified")
ABSENT_COSINE = -2.0


def observe(
    outcomes: Mapping[Party, PartyOutcome],
    plan: RunPlan,
    gallery: Sequence[str],
    probes: Sequence[str],
    baseline: npt.NDArray[np.float32] | None,
) -> Arrays:
    """Return the arrays of `observations.npz`.

    Args:
        outcomes: what the runtime returned.
        plan: the public plan.
        gallery: identity of each row number.
        probes: identity of each probe.
        baseline: cosines [P,V] of the unprotected network, where there is one.

    Returns:
        Identities, -1 for probes whose person has no row at their moment; `probe_person`, one
        number per person, strangers too; `live` bool[P,N] where
        the gallery changes; `oracle_match` bool[P,N]; the secure answer beside the oracle's at
        the run's output level; scores only where the scenario opens them, [P,N] or, in a
        verification, [P] of the claimed rows.
    """
    client, provider = outcomes[CLIENT].observed, outcomes[MODEL_PROVIDER].observed
    scores = oracle_scores(plan, client["rows"], provider["probes"])
    arrays: Arrays = {**_identities(plan, gallery, probes), **oracle_answers(plan, scores)}
    arrays |= {f"secure_{name}": client[name] for name in ANSWERS if name in client}
    if "secure_identity" in arrays:
        arrays["oracle_identity"] = plaintext.settle_ties(
            arrays["secure_identity"], arrays["oracle_identity"], scores
        )
    if plan.open_scores:
        cosines = cosine_scores(client["row_embeddings"], provider["probe_embeddings"])
        arrays["oracle_scores"] = _asked(arrays, scores.astype(np.int32))
        arrays["secure_scores"] = (
            client["scores"].astype(np.int32).reshape(arrays["oracle_scores"].shape)
        )
        arrays["protected_scores"] = _asked(arrays, by_row_number(plan, cosines))
        if baseline is not None:
            arrays["baseline_scores"] = _asked(arrays, by_row_number(plan, baseline))
    return arrays


def _asked(arrays: Arrays, scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the scores a run computes: all [P,R], or [P] of the claimed rows."""
    if "claimed_row" not in arrays:
        return scores
    claimed: npt.NDArray[Any] = scores[np.arange(len(scores)), arrays["claimed_row"]]
    return claimed


def oracle_scores(
    plan: RunPlan, versions: npt.NDArray[np.int32], probes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Return the scores [P,R] by row number, each probe against the gallery of its moment.

    Args:
        plan: the public plan.
        versions: every enrolled or updated row [V,D], in order.
        probes: integer probes [P,D].
    """
    found, probe = [], 0
    for count, current in moments(plan.steps):
        found.append(_scores(current, versions, probes[probe : probe + count]))
        probe += count
    return np.concatenate(found)


def by_row_number(plan: RunPlan, cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the cosines [P,R] of each probe with the gallery of its moment, from all [P,V].

    A row that is not in the gallery gets a value below every cosine.
    """
    found, probe = [], 0
    for count, current in moments(plan.steps):
        mine = cosines[probe : probe + count, current]
        mine[:, current < 0] = ABSENT_COSINE
        found.append(mine)
        probe += count
    return np.concatenate(found)


def oracle_answers(plan: RunPlan, scores: npt.NDArray[np.int64]) -> Arrays:
    """Return what the secure search must answer, from exact scores [P,R]."""
    match = plaintext.matches(scores, plan.threshold)
    answers: Arrays = {"oracle_match": match}
    if plan.task == "verify":
        claims = [row for step in plan.searches for row in step.rows]
        answers["oracle_verified"] = match[np.arange(len(match)), claims]
        answers["claimed_row"] = np.array(claims, dtype=np.int32)
    elif plan.output == "any":
        answers["oracle_any"] = np.any(match, axis=1)
    elif plan.output == "count":
        answers["oracle_count"] = match.sum(axis=1).astype(np.uint32)
    elif plan.output == "identity":
        answers["oracle_identity"] = plaintext.best(scores, plan.threshold, plan.top_k)
    return answers


def _scores(
    current: npt.NDArray[np.int64], versions: npt.NDArray[np.int32], probes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    live = current >= 0
    if live.all() and np.array_equal(current, np.arange(len(versions))):
        return plaintext.scores(versions, probes)
    scores = np.full((len(probes), len(current)), ABSENT_SCORE, dtype=np.int64)
    scores[:, live] = plaintext.scores(versions[current[live]], probes)
    return scores


def cosine_scores(
    rows: npt.NDArray[np.floating[Any]], probes: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float32]:
    """Return cosines [P,N] of embeddings, in single precision."""
    return (_unit(probes) @ _unit(rows).T).astype(np.float32)


def _unit(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    single = values.astype(np.float32)
    norms = np.maximum(np.linalg.norm(single, axis=1, keepdims=True), 1e-12)
    return np.asarray(single / norms, dtype=np.float32)


def _identities(plan: RunPlan, gallery: Sequence[str], probes: Sequence[str]) -> Arrays:
    """Number identities by gallery row; probes of people without a row at their moment get -1.

    `probe_person` numbers strangers too, after the enrolled: intervals resample people.
    """
    numbers = {name: index for index, name in enumerate(dict.fromkeys(gallery))}
    rows = np.array([numbers[name] for name in gallery], dtype=np.int32)
    people = np.array([numbers.get(name, -1) for name in probes], dtype=np.int32)
    for name in probes:
        numbers.setdefault(name, len(numbers))
    givers = np.array([numbers[name] for name in probes], dtype=np.int32)
    found: Arrays = {"gallery_identity": rows, "probe_identity": people, "probe_person": givers}
    live = np.concatenate(
        [np.repeat(current[None] >= 0, count, axis=0) for count, current in moments(plan.steps)]
    )
    if live.all():
        return found
    own = (people[:, None] == rows) & live
    found["probe_identity"] = np.where(own.any(axis=1), people, -1).astype(np.int32)
    return {**found, "live": live}
