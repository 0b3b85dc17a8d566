"""The query ledger: probes asked over all runs that name it, kept in the runs folder.

One ledger stands for one client and one gallery, whatever else differs between the runs. A run
takes what it may ask before its first message and gives nothing back, also where it is aborted:
nobody can prove how much of an aborted run was answered.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from protocol.errors import DataError, ScenarioError

__all__ = ["LEDGERS", "QueryLedger"]

LEDGERS: Final = "ledgers"


class _Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a ledger: a run, and the probes it may ask about."""

    run: str
    scenario: str
    taken_utc: str
    probes: int


class QueryLedger:
    """One ledger, `<out>/ledgers/<name>.jsonl`; runs at the same time take turns."""

    def __init__(self, out_root: Path, name: str) -> None:
        self._name = name
        self._path = out_root / LEDGERS / f"{name}.jsonl"

    def left(self, budget: int) -> int:
        """Return how many probes of a budget are left; nothing is taken.

        Raises:
            ScenarioError: the budget is spent.
            DataError: the ledger cannot be read.
        """
        if not self._path.exists():
            return budget
        with self._held("rb") as file:
            return self._left(file, budget)

    def take(self, run: str, scenario: str, probes: int, budget: int) -> int:
        """Write down what a run may ask about, at most the rest; return the probes spent before.

        Raises:
            ScenarioError: the budget is spent.
            DataError: the ledger cannot be read or written.
        """
        with self._held("a+b") as file:
            file.seek(0)
            left = self._left(file, budget)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            line = _Taken(run=run, scenario=scenario, taken_utc=now, probes=min(probes, left))
            file.write(msgspec.json.encode(line) + b"\n")
        return budget - left

    def _left(self, file: IO[bytes], budget: int) -> int:
        lines = [self._line(text) for text in file.read().splitlines()]
        spent = sum(line.probes for line in lines)
        if spent >= budget:
            runs = "1 run" if len(lines) == 1 else f"{len(lines):,} runs"
            counts = f"ledger {self._name} counts {spent:,} in {runs}"
            text = f"the budget of {budget:,} probes is spent: {counts}"
            hint = "raise budget if the gallery may give away more, or name another ledger"
            raise ScenarioError(text, where="budget", hint=hint)
        return budget - spent

    def _line(self, text: bytes) -> _Taken:
        try:
            return msgspec.json.decode(text, type=_Taken)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            hint = "repair it: a ledger that cannot be read permits nothing"
            raise DataError("not a query ledger", where=str(self._path), hint=hint) from error

    @contextmanager
    def _held(self, mode: str) -> Iterator[IO[bytes]]:
        try:
            if mode != "rb":
                self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open(mode) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            text = f"cannot be used: {error.strerror or type(error).__name__}"
            raise DataError(text, where=str(self._path), hint="choose another --out") from error
