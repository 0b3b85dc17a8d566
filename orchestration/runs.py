"""The run store: one directory per run, every file written whole or not at all.

`<out>/<scenario>/<UTC time>/` holds a run; `<out>/<scenario>/latest` points to the newest
finished one. An aborted run keeps its directory, with `failed.json` in place of `run.json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from orchestration.journal import Event, write_journal
from orchestration.private import OWNER_ONLY
from protocol.errors import BautaError, DataError
from protocol.roles import Observation

__all__ = ["FAILED", "JOURNAL", "LATEST", "OBSERVATIONS", "RECORD", "SCENARIO", "RunDirectory"]

SCENARIO: Final = "scenario.yaml"
JOURNAL: Final = "journal.jsonl"
OBSERVATIONS: Final = "observations.npz"
RECORD: Final = "run.json"
FAILED: Final = "failed.json"
LATEST: Final = "latest"
RESERVED: Final = ".reserved"
RESERVED_BYTES: Final = 1 << 16


class RunDirectory:
    """The directory of one run and the files a run leaves there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, out_root: Path, scenario: str) -> RunDirectory:
        """Make a new directory named after the present second; `-2`, `-3`, … where it exists.

        Only its owner may enter it: observations and views are as sensitive as the data.

        Raises:
            DataError: the directory cannot be made, or `latest` beside it is no link.
        """
        parent = out_root / scenario
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        with _written(parent):
            parent.mkdir(parents=True, exist_ok=True)
            if (parent / LATEST).exists() and not (parent / LATEST).is_symlink():
                text, hint = "is no link to a run", "move it away, or choose another --out"
                raise DataError(text, where=str(parent / LATEST), hint=hint)
            for name in _names(time):
                with suppress(FileExistsError):
                    (parent / name).mkdir(mode=0o700)
                    return cls(parent / name)
        raise AssertionError  # names never end

    def reserve(self) -> None:
        """Keep a little space, so that a run that fills the disk can still say so."""
        with _replacing(self.path / RESERVED) as temporary:
            temporary.write_bytes(os.urandom(RESERVED_BYTES))

    def write_scenario(self, text: str) -> None:
        """Write the resolved scenario."""
        self._write(SCENARIO, text.encode())

    def write_journal(self, events: Iterable[Event]) -> None:
        """Write one line per event, in logical order."""
        with _replacing(self.path / JOURNAL) as temporary:
            write_journal(temporary, events)

    def write_observations(self, arrays: Observation) -> None:
        """Write the evaluator's arrays, compressed."""
        with _replacing(self.path / OBSERVATIONS) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write what the report needs besides journal and observations."""
        self._write(RECORD, _json(record))

    def finish(self) -> Path:
        """Let `latest` point here and return the directory.

        Raises:
            DataError: `latest` exists and is no link, or links cannot be made.
        """
        (self.path / RESERVED).unlink(missing_ok=True)
        latest = self.path.parent / LATEST
        temporary = latest.with_name(f".{LATEST}-{self.path.name}")
        with _written(latest):
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(self.path.name, target_is_directory=True)
            try:
                temporary.replace(latest)
            except OSError:
                temporary.unlink()
                raise
        return self.path

    def fail(self, error: BautaError, events: Iterable[Event]) -> None:
        """Keep what is known of an aborted run: the error's public text and the journal so far.

        The text first: where the disk is full, it may be all there is room for, and the failure
        that is reported stays the first one.
        """
        failure = {
            "error": type(error).__name__,
            "message": error.message,
            "where": error.where,
            "hint": error.hint,
            "failed_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for name in (RESERVED, RECORD):
            (self.path / name).unlink(missing_ok=True)
        with suppress(DataError):
            self._write(FAILED, _json(failure))
            self.write_journal(events)

    def _write(self, name: str, data: bytes) -> None:
        with _replacing(self.path / name) as temporary:
            temporary.write_bytes(data)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends well, else disappears."""
    temporary = path.with_name(f".{path.name}.part")
    with _written(path):
        try:
            yield temporary
            temporary.chmod(OWNER_ONLY)
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error for people."""
    try:
        yield
    except OSError as error:
        text = f"cannot be written: {error.strerror or type(error).__name__}"
        hint = "choose another place with --out"
        raise DataError(text, where=str(path), hint=hint) from error


def _flush(path: Path) -> None:
    """Have the system write a file out, so that its name never stands for half of it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _names(time: str) -> Iterator[str]:
    yield time
    number = 2
    while True:
        yield f"{time}-{number}"
        number += 1


def _json(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
