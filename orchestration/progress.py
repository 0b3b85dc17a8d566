"""What a long job tells whoever watches: which stage, how far, how long still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["OnProgress", "Progress", "SessionCount", "with_totals"]


class Progress(NamedTuple):
    """One report: `done` of `total` units of a stage; `total` 0 means unknown.

    Attributes:
        stage: `prepare`, `setup`, `enrol`, `search`, … : a word for people.
        done: finished units (sessions while parties run).
        total: units in this stage, 0 when unknown.
        note: what is being done right now.
        left_s: seconds left as the stage itself estimates them; None leaves it to the watcher.
    """

    stage: str
    done: int
    total: int = 0
    note: str = ""
    left_s: float | None = None


OnProgress: TypeAlias = Callable[[Progress], None]


class SessionCount:
    """Counts one party's sessions by stage: a session is done when the next one begins."""

    def __init__(self) -> None:
        self._stage = ""
        self._session = ""
        self._begun: Counter[str] = Counter()

    def saw(self, session: str) -> bool:
        """Note that an event of a session happened; return whether a new session began."""
        if session == self._session:
            return False
        self._stage, self._session = session.partition("-")[0], session
        self._begun[self._stage] += 1
        return True

    def progress(self) -> Progress:
        """Return how far the party is; the total is the caller's to fill in."""
        return Progress(self._stage, max(self._begun[self._stage] - 1, 0), note=self._session)


def with_totals(on_progress: OnProgress, totals: Mapping[str, int]) -> OnProgress:
    """Return a watcher that fills in how many units a stage has, where the report does not say."""

    def report(progress: Progress) -> None:
        if progress.total == 0:
            progress = progress._replace(total=totals.get(progress.stage, 0))
        on_progress(progress)

    return report
