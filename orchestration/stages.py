"""Wall seconds of a job's consecutive stages, and which of them a cache saved."""

from __future__ import annotations

from time import perf_counter

__all__ = ["Stages"]


class Stages:
    """A clock that is told when a stage has ended.

    Attributes:
        seconds: wall seconds by stage, in order.
        from_cache: stages whose result an earlier run had worked out.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.from_cache: list[str] = []
        self._since = perf_counter()

    def ended(self, stage: str, *, from_cache: bool = False) -> None:
        """Note that a stage has ended, and the next one begins."""
        now = perf_counter()
        self.seconds[stage] = now - self._since
        self._since = now
        if from_cache:
            self.from_cache.append(stage)
