"""`audit.json`: the verdicts on a run, kept in its directory for its report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from protocol.errors import DataError
from reports.audit.verdicts import Verdict

__all__ = ["AUDIT", "AuditRecord", "keep_audit", "read_audit"]

AUDIT: Final = "audit.json"
_HINT: Final = "audit the run again: bauta audit RUN_DIR"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit of a run found.

    Attributes:
        run: which run was audited.
        audited_utc: when, as ISO text.
        seed: chose the secrets of the played runs.
        recorded: verdicts on this run, from its journal and recorded views.
        played: verdicts on its protocol, played many times at small sizes with the run's settings.
    """

    run: str
    audited_utc: str
    seed: int
    recorded: list[Verdict]
    played: list[Verdict]

    @property
    def verdicts(self) -> list[Verdict]:
        """All verdicts, in the order they were reached."""
        return [*self.recorded, *self.played]

    @property
    def failed(self) -> list[Verdict]:
        """The verdicts that failed, the first found first."""
        return [verdict for verdict in self.verdicts if verdict.failed]

    @property
    def false_alarm(self) -> float:
        """Bound on the probability that an honest run fails this audit by chance."""
        return sum(verdict.alpha for verdict in self.verdicts)


def keep_audit(run_dir: Path, record: AuditRecord) -> None:
    """Write `audit.json` into a run directory, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    path = run_dir / AUDIT
    temporary = path.with_name(f".{AUDIT}.part")
    try:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(path)) from error


def read_audit(run_dir: Path, run: str) -> AuditRecord | None:
    """Return the audit of a run; None if there was none.

    Raises:
        DataError: `audit.json` is malformed, or is of another run.
    """
    path = run_dir / AUDIT
    if not path.exists():
        return None
    try:
        record = msgspec.json.decode(path.read_bytes(), type=AuditRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"not an audit: {error}", where=str(path), hint=_HINT) from error
    if record.run != run:
        raise DataError("an audit of another run", where=str(path), hint=_HINT)
    return record
