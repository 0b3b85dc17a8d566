"""The secure answer beside the oracle's, at whatever output level a run had."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.records import ANSWERS, Arrays

__all__ = [
    "UNITS",
    "Answer",
    "Side",
    "answer_bits",
    "answer_of",
    "level_text",
    "match_of",
    "score_bits",
]

Side = Literal["secure", "oracle"]

UNITS: Final = {
    "match": "decisions",
    "any": "any-match bits",
    "count": "match counts",
    "identity": "named rows",
    "verified": "verifications",
}


_LEVELS: Final = {
    "match": ("for every row whether it matches", ""),
    "any": ("whether some row matches", "not which or how many"),
    "count": ("how many rows match", "not which"),
    "identity": ("which rows match best", "not how well"),
    "verified": ("whether the claimed row matches", ""),
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


def level_text(level: str, *, scores_opened: bool) -> str:
    """Return what an answer of a level tells; exact scores beside it tell what it leaves out."""
    tells, withheld = _LEVELS[level]
    if scores_opened:
        rows = "the claimed row" if level == "verified" else "every row"
        return f"{tells}, and the exact score of {rows}"
    return f"{tells}, {withheld}" if withheld else tells


def answer_of(observations: Arrays) -> Answer:
    """Return the answer of a run."""
    level = next(name for name in ANSWERS if f"secure_{name}" in observations)
    return Answer(level, observations[f"secure_{level}"], observations[f"oracle_{level}"])


def match_of(observations: Arrays, side: Side = "secure") -> NDArray[np.bool_] | None:
    """Return which rows the client knows to match, [P,N]; None where it learned less than that.

    An `identity` output names rows, so that all others do not match as far as the client knows.
    The oracle's side is what an honest answer at the same output level would have told.
    """
    if "secure_match" in observations:
        return observations[f"{side}_match"]
    if "secure_identity" not in observations:
        return None
    named = observations[f"{side}_identity"]
    match = np.zeros(observations["oracle_match"].shape, dtype=np.bool_)
    probe, place = np.nonzero(named >= 0)
    match[probe, named[probe, place]] = True
    return match


def score_bits(answer: Answer, rows: int, scale: int) -> float:
    """Return how many bits exact scores tell at most, beside whatever answer.

    A score lies in [-scale^2, scale^2]; a verification has one, an identification one per row.
    The answer itself follows from the scores.
    """
    compared = 1 if answer.level == "verified" else rows
    return compared * math.log2(2 * scale**2 + 1)


def answer_bits(answer: Answer, rows: int) -> float:
    """Return how many bits the answer to one probe can tell at most.

    That is the logarithm of the number of different answers; an `identity` answer is an ordered
    list of up to k rows.
    """
    if answer.level in ("any", "verified"):
        return 1.0
    if answer.level == "match":
        return float(rows)
    if answer.level == "count":
        return math.log2(rows + 1)
    most = answer.secure.shape[1]
    return math.log2(sum(math.perm(rows, named) for named in range(most + 1)))
