"""Reading what each party of a finished run saw, and what parties saw together.

A script starts with `open_views(run_dir)`. Files only: `views/<party>/<table>.jsonl` with one npy
file per array, beside the journal, which adds sizes and logical times to every message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from protocol.errors import DataError
from protocol.parties import PARTIES, Party
from protocol.views import TABLES, Array, Kept, Seen, Table, View, view_from
from reports.records import Event, read_events

__all__ = [
    "MAPPED_BYTES",
    "VIEWS",
    "CoalitionView",
    "NamedArray",
    "StoredArrays",
    "Views",
    "open_views",
    "write_view",
]

VIEWS: Final = "views"
MAPPED_BYTES: Final = 1 << 20
_HINT: Final = "run the scenario again with --set capture=payloads"


class NamedArray(NamedTuple):
    """One array somebody saw: whose view, where in it, and the array."""

    party: Party
    table: Table
    name: str
    array: Array


class StoredArrays(Mapping[str, Array]):
    """The arrays of one record by name. Large ones are mapped from their file whenever asked for.

    So a run whose views are larger than memory can be read, and what nobody asks for costs nothing.

    Raises:
        ValueError: a file is no plain array, or a name leads out of the folder.
        OSError: a file cannot be read.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._paths = {name: _inside(folder, file) for name, file in files.items()}
        self._loaded: dict[str, Array] = {}
        for name, path in self._paths.items():
            if path.stat().st_size < MAPPED_BYTES:
                self._loaded[name] = np.load(path, allow_pickle=False)
            else:
                _mapped(path)

    def __getitem__(self, name: str) -> Array:
        loaded = self._loaded.get(name)
        return _mapped(self._paths[name]) if loaded is None else loaded

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class CoalitionView(NamedTuple):
    """The views of parties that pool them."""

    members: tuple[View, ...]

    def messages(self) -> list[Seen]:
        """Return all their messages in logical order; one sent within the coalition is twice."""
        seen = [message for view in self.members for message in view.messages]
        return sorted(seen, key=lambda message: message.lamport)

    def arrays(self) -> Iterator[NamedArray]:
        """Yield every array any of them saw, drew, expanded, loaded or computed."""
        for view in self.members:
            yield from _arrays(view)


class Views:
    """The recorded views of one run; `run` is its identifier, empty if it sent nothing."""

    def __init__(self, run_dir: Path, events: Sequence[Event]) -> None:
        self.path = run_dir
        self._events = events
        self.run = events[0].run if events else ""
        folder = run_dir / VIEWS
        self.parties: tuple[Party, ...] = tuple(p for p in PARTIES if (folder / p).is_dir())

    def party(self, name: str) -> View:
        """Return what one party saw.

        Raises:
            DataError: there is no such view, or a file of it is missing or malformed.
        """
        party = next((party for party in self.parties if party == name), None)
        if party is None:
            known = ", ".join(self.parties)
            raise DataError(f"no view of {name!r} was recorded", where=str(self.path), hint=known)
        folder = self.path / VIEWS / party
        tables: dict[Table, list[Kept]] = {table: list(_table(folder, table)) for table in TABLES}
        return view_from(party, tables, [e for e in self._events if e.party == party])

    def coalition(self, names: Sequence[str]) -> CoalitionView:
        """Return what several parties saw together.

        Raises:
            DataError: as `party`.
        """
        return CoalitionView(tuple(self.party(name) for name in names))


def open_views(run_dir: Path) -> Views:
    """Open the views of a run directory, also of a run that was aborted.

    Raises:
        DataError: the run recorded none, or its journal cannot be read.
    """
    if not (run_dir / VIEWS).is_dir():
        raise DataError("this run recorded no views", where=str(run_dir), hint=_HINT)
    return Views(run_dir, read_events(run_dir))


def write_view(view: CoalitionView, folder: Path) -> Path:
    """Write a pooled view as `messages.jsonl`, `arrays.jsonl` and npy files; return the folder.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_arrays(view, folder)
        lines = (msgspec.json.encode(_message_line(message)) for message in view.messages())
        (folder / "messages.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    except OSError as error:
        text = f"cannot be written: {error.strerror}"
        raise DataError(text, where=str(folder), hint="choose another place with --out") from error
    return folder


def _write_arrays(view: CoalitionView, folder: Path) -> None:
    lines = []
    for number, named in enumerate(view.arrays()):
        file = f"{number:06d}.npy"
        np.save(folder / file, named.array, allow_pickle=False)
        facts = {"party": named.party, "table": named.table, "name": named.name, "file": file}
        lines.append(msgspec.json.encode(facts) + b"\n")
    (folder / "arrays.jsonl").write_bytes(b"".join(lines))


def _message_line(message: Seen) -> dict[str, Any]:
    plain = {name: getattr(message, name) for name in message.__struct_fields__ if name != "arrays"}
    shapes = {name: [str(a.dtype), *a.shape] for name, a in message.arrays.items()}
    return {**plain, "arrays": shapes}


def _arrays(view: View) -> Iterator[NamedArray]:
    for message in view.messages:
        place = f"{message.event}/{message.session}/{message.round}/{message.kind}"
        for field, array in message.arrays.items():
            yield NamedArray(view.party, "messages", f"{place}/{field}", array)
    for number, drawn in enumerate(view.draws):
        yield NamedArray(view.party, "draws", str(number), drawn)
    for expansion in view.expansions:
        name = f"{expansion.seed}/{expansion.label}"
        yield NamedArray(view.party, "expansions", name, expansion.array)
    for loaded in view.inputs:
        yield NamedArray(view.party, "inputs", loaded.name, loaded.array)
    for name, array in view.outputs.items():
        yield NamedArray(view.party, "outputs", name, array)


def _table(folder: Path, table: Table) -> Iterator[Kept]:
    """Yield the records of one table.

    Raises:
        DataError: a line or an array cannot be read, or a name leads out of the folder.
    """
    path = folder / f"{table}.jsonl"
    real = folder.resolve()
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError("file is missing", where=str(path), hint=_HINT) from error
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            facts = msgspec.json.decode(line, type=dict[str, Any])
            files = facts.pop("arrays")
            facts.pop("order")
            arrays = StoredArrays(real, files)
        except (msgspec.DecodeError, KeyError, AttributeError, OSError, ValueError) as error:
            raise DataError("not a record of a view", where=where, hint=_HINT) from error
        yield Kept(facts, arrays)


def _inside(folder: Path, file: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder):
        raise ValueError(file)
    return path


def _mapped(path: Path) -> Array:
    array: Array = np.load(path, allow_pickle=False, mmap_mode="r")
    return array.view(np.ndarray)
