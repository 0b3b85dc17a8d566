"""What a check of the audit says, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from protocol.views import Trial

__all__ = ["ALPHA", "Experiment", "Verdict", "Worlds", "verdict"]

ALPHA: Final = 1e-6
SHOWN: Final = 3


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One check for one subject.

    Attributes:
        check: name of the check.
        subject: a party, a coalition (`a+b`), or `run`.
        passed: whether nothing was found that the policy does not announce.
        detail: what was compared, or what was found.
        tests: number of statistical tests; 0 for an exact check.
        alpha: probability of a false alarm of this verdict; 0 for an exact check.
    """

    check: str
    subject: str
    passed: bool
    detail: str
    tests: int = 0
    alpha: float = 0.0


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
    """

    worlds: Sequence[Worlds] = ()
    random: Sequence[Trial] = ()
    wide: Sequence[Trial] = ()

    def trials(self) -> list[Trial]:
        """Return every run once."""
        found: dict[int, Trial] = {}
        for pair in self.worlds:
            found |= {id(trial): trial for trial in (*pair.one, *pair.two)}
        found |= {id(trial): trial for trial in (*self.random, *self.wide)}
        return list(found.values())


def verdict(
    check: str,
    subject: str,
    found: Sequence[str],
    good: str,
    *,
    tests: int = 0,
    alpha: float = 0.0,
) -> Verdict:
    """Fail with the first findings, or pass with a sentence on what was compared."""
    more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    detail = "; ".join(found[:SHOWN]) + more if found else good
    return Verdict(
        check=check, subject=subject, passed=not found, detail=detail, tests=tests, alpha=alpha
    )
