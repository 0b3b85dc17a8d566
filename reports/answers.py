"""The secure answer beside the oracle's, at whatever output level a run had."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.records import ANSWERS, Arrays

__all__ = ["UNITS", "Answer", "answer_of", "match_of"]

UNITS: Final = {
    "match": "decisions",
    "any": "any-match bits",
    "count": "match counts",
    "identity": "named rows",
    "verified": "verifications",
}


class Answer(NamedTuple):
    """What the client learned, and what it had to be.

    `secure` and `oracle` have equal shapes, the first axis is probes.
    """

    level: str
    secure: NDArray[np.generic]
    oracle: NDArray[np.generic]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether all of a probe's answer equals the oracle's, [P]."""
        same = self.secure == self.oracle
        return np.asarray(same.reshape(len(same), -1).all(axis=1))


def answer_of(observations: Arrays) -> Answer:
    """Return the answer of a run."""
    level = next(name for name in ANSWERS if f"secure_{name}" in observations)
    return Answer(level, observations[f"secure_{level}"], observations[f"oracle_{level}"])


def match_of(observations: Arrays) -> NDArray[np.bool_] | None:
    """Return which rows the client knows to match, [P,N]; None where it learned less than that.

    An `identity` output names rows, so that all others do not match as far as the client knows.
    """
    if "secure_match" in observations:
        return observations["secure_match"]
    if "secure_identity" not in observations:
        return None
    named = observations["secure_identity"]
    match = np.zeros(observations["oracle_match"].shape, dtype=np.bool_)
    probe, place = np.nonzero(named >= 0)
    match[probe, named[probe, place]] = True
    return match
