"""The result file: rows with everything needed to make them again; written after each gallery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from orchestration.benchmarks.search.cells import Gallery, Options
from orchestration.benchmarks.search.rows import Row
from orchestration.environment import environment, package_version
from protocol.errors import DataError, ScenarioError

__all__ = ["ResultFile", "default_path"]

RESULT: Final = "result.json"
PEER_PACKAGES: Final = ("faiss-cpu", "crypten")


class _Content(msgspec.Struct, kw_only=True):
    """What stands in a result file."""

    command: str
    started_utc: str
    options: dict[str, Any]
    environment: dict[str, Any]
    rows: list[Row]


class ResultFile:
    """One benchmark's rows on disk.

    A file that holds rows of the same options is continued: galleries in it are not measured again.
    """

    def __init__(self, path: Path, options: Options, command: str) -> None:
        self.path = path
        self._content = _Content(
            command=command,
            started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            options=msgspec.json.decode(msgspec.json.encode(options._asdict())),
            environment=_environment(options),
            rows=[],
        )

    @property
    def rows(self) -> list[Row]:
        """All rows so far."""
        return self._content.rows

    @property
    def processor(self) -> str:
        """The processor that the rows were measured on."""
        return str(self._content.environment["processor"])

    @property
    def summary(self) -> bytes:
        """What `--json` prints: environment and rows."""
        content = {"environment": self._content.environment, "rows": self.rows}
        return msgspec.json.format(msgspec.json.encode(content), indent=2)

    def resume(self) -> None:
        """Take over the rows of an existing file.

        Raises:
            DataError: it is no result file.
            ScenarioError: it was made with other options, or on another processor.
        """
        if not self.path.exists():
            return
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_Content)
        except (OSError, msgspec.DecodeError) as error:
            text = "is no result file of this benchmark"
            raise DataError(text, where=str(self.path), hint="choose another --out") from error
        if _comparable(found.options) != _comparable(self._content.options):
            text = "holds rows that were measured with other options"
            raise ScenarioError(text, where=str(self.path), hint="choose another --out")
        here = self.processor
        if found.environment.get("processor") != here:
            text = (
                f"holds rows that were measured on {found.environment.get('processor')}, not {here}"
            )
            raise ScenarioError(text, where=str(self.path), hint="choose another --out")
        self._content.rows = found.rows
        self._content.started_utc = found.started_utc

    def has(self, gallery: Gallery) -> bool:
        """Return whether a gallery was measured."""
        return any((row.entries, row.dim, row.ring) == gallery for row in self.rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Add a gallery's rows and write the file, whole or not at all."""
        self._content.rows = [*self.rows, *rows]
        temporary = self.path.with_name(f".{self.path.name}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(
                msgspec.json.format(msgspec.json.encode(self._content), indent=2) + b"\n"
            )
            temporary.replace(self.path)
        except OSError as error:
            text = f"cannot be written: {error.strerror or type(error).__name__}"
            hint = "choose another place with --out"
            raise DataError(text, where=str(self.path), hint=hint) from error


def default_path() -> Path:
    """Return a new place below `runs`, named after the present second."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path("runs") / "bench-search" / time / RESULT


def _environment(options: Options) -> dict[str, Any]:
    found = environment()
    packages = {**found["packages"], **{name: package_version(name) for name in PEER_PACKAGES}}
    return {**found, "packages": packages, "threads": options.threads, "seed": options.seed}


def _comparable(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that all rows of a file share; galleries may be added."""
    grid = {"entries", "dimensions", "rings"}
    return {name: value for name, value in options.items() if name not in grid}
