"""What a check of the audit says, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from protocol.views import Trial

__all__ = [
    "ALPHA",
    "MARKS",
    "ORDER",
    "Experiment",
    "Note",
    "State",
    "Verdict",
    "Worlds",
    "not_judged",
    "verdict",
]

Note = Literal["", "breaks, as declared", "stated"]
State = Literal["good", "failed", "not judged", "breaks, as declared", "stated"]

MARKS: Final[Mapping[State, str]] = {
    "good": "✓", "failed": "✗", "not judged": "?", "breaks, as declared": "!", "stated": "i",
}  # fmt: skip
"""One sign for each state, for lists of verdicts."""
ORDER: Final[tuple[State, ...]] = (
    "failed", "not judged", "stated", "breaks, as declared", "good",
)  # fmt: skip
"""The states, those to read first in front."""

ALPHA: Final = 1e-6
SHOWN: Final = 3


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One check for one subject.

    Attributes:
        check: name of the check.
        subject: a party, a coalition (`a+b`), or `run`.
        passed: whether nothing was found that the policy does not announce; None if the check
            could not be made on this run.
        detail: what was compared, what was found, or what to do to have it judged.
        tests: number of statistical tests; 0 for an exact check.
        alpha: probability of a false alarm of this verdict; 0 for an exact check.
        note: what a verdict that did not fail says all the same: that these parties break the
            protocol, as the policy declares, or what follows from what the policy announces.
    """

    check: str
    subject: str
    passed: bool | None
    detail: str
    tests: int = 0
    alpha: float = 0.0
    note: Note = ""

    @property
    def failed(self) -> bool:
        """Whether something was found; a check that was not made has not failed."""
        return self.passed is False

    @property
    def state(self) -> State:
        """The verdict in words."""
        if self.passed is None:
            return "not judged"
        if not self.passed:
            return "failed"
        return self.note or "good"


class Worlds(NamedTuple):
    """Two sets of runs that differ in secrets only.

    `differ` says whether rows, probes and the client's answer differ between them.
    """

    name: str
    one: Sequence[Trial]
    two: Sequence[Trial]
    differ: frozenset[Literal["rows", "probes", "answers"]]


class Experiment(NamedTuple):
    """Everything an audit of a protocol looks at; any part may be empty.

    Args:
        worlds: pairs of worlds, each with fixed secrets and fresh randomness.
        random: runs with fresh random secrets, equal sizes.
        wide: runs with many elements, for tests of every ring value.
        mapped: runs whose rows are mapped under identity-specific keys.
    """

    worlds: Sequence[Worlds] = ()
    random: Sequence[Trial] = ()
    wide: Sequence[Trial] = ()
    mapped: Sequence[Trial] = ()

    def trials(self) -> list[Trial]:
        """Return every run once."""
        found: dict[int, Trial] = {}
        for pair in self.worlds:
            found |= {id(trial): trial for trial in (*pair.one, *pair.two)}
        found |= {id(trial): trial for trial in (*self.random, *self.wide, *self.mapped)}
        return list(found.values())


def verdict(
    check: str,
    subject: str,
    found: Sequence[str],
    good: str,
    *,
    tests: int = 0,
    alpha: float = 0.0,
    note: Note = "",
) -> Verdict:
    """Fail with the first findings, or pass with a sentence on what was compared."""
    more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    detail = "; ".join(found[:SHOWN]) + more if found else good
    return Verdict(
        check=check, subject=subject, passed=not found, detail=detail, tests=tests, alpha=alpha,
        note="" if found else note,
    )  # fmt: skip


def not_judged(check: str, subject: str, why: str) -> Verdict:
    """Say that a check could not be made, why, and what to do."""
    return Verdict(check=check, subject=subject, passed=None, detail=why)
