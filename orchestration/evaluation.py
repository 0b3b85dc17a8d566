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
from protocol.plan import RunPlan
from protocol.search import plaintext

__all__ = ["Arrays", "observe"]

Arrays = dict[str, npt.NDArray[Any]]


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
        gallery: identity of each row.
        probes: identity of each probe.
        baseline: cosine scores [P,N] of the unprotected network, where there is one.

    Returns:
        Identities, secure and oracle matches; scores only where the scenario opens them.
    """
    client, provider = outcomes[CLIENT].observed, outcomes[MODEL_PROVIDER].observed
    scores = plaintext.scores(client["rows"], provider["probes"])
    arrays: Arrays = {
        **_identities(gallery, probes),
        "secure_match": client["match"],
        "oracle_match": plaintext.matches(scores, plan.threshold),
    }
    if plan.open_scores:
        arrays["secure_scores"] = client["scores"].astype(np.int32)
        arrays["oracle_scores"] = scores.astype(np.int32)
        arrays["protected_scores"] = cosine_scores(
            client["row_embeddings"], provider["probe_embeddings"]
        )
        if baseline is not None:
            arrays["baseline_scores"] = baseline
    return arrays


def cosine_scores(
    rows: npt.NDArray[np.floating[Any]], probes: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float32]:
    """Return cosines [P,N] of embeddings, in single precision."""
    return (_unit(probes) @ _unit(rows).T).astype(np.float32)


def _unit(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    single = values.astype(np.float32)
    norms = np.maximum(np.linalg.norm(single, axis=1, keepdims=True), 1e-12)
    return np.asarray(single / norms, dtype=np.float32)


def _identities(gallery: Sequence[str], probes: Sequence[str]) -> Arrays:
    """Number identities by gallery row; probes of people without a row get -1."""
    numbers = {name: index for index, name in enumerate(dict.fromkeys(gallery))}
    return {
        "gallery_identity": np.array([numbers[name] for name in gallery], dtype=np.int32),
        "probe_identity": np.array([numbers.get(name, -1) for name in probes], dtype=np.int32),
    }
