"""Typed reading of a run directory: the only door through which reports see a run.

Nothing here touches live objects; a run that was made on another machine last year reads
the same. Every malformed or missing file is a `DataError` that names file, line or field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from protocol.archives import read_npz
from protocol.errors import DataError
from protocol.flows import Form, Policy
from protocol.parties import Party, Phase
from protocol.plan import Step
from protocol.search.policies import policy_named
from reports.protection import Leakage, Protection, Queries

__all__ = [
    "OBSERVATIONS",
    "RECORD",
    "SCENARIO",
    "Arrays",
    "CostRow",
    "Event",
    "Leakage",
    "Protection",
    "Queries",
    "RunFiles",
    "RunRecord",
    "read_events",
    "read_journal",
    "read_observations",
    "read_record",
    "read_run",
    "was_aborted",
]

Arrays = dict[str, NDArray[Any]]

SCENARIO, JOURNAL, OBSERVATIONS, RECORD = (
    "scenario.yaml", "journal.jsonl", "observations.npz", "run.json",
)  # fmt: skip
FAILED = "failed.json"
MAX_OBSERVATIONS_BYTES = 16 << 30
IDENTITIES = ("gallery_identity", "probe_identity")
ORACLE = "oracle_match"
LIVE, CLAIMS, PEOPLE = "live", "claimed_row", "probe_person"
ANSWERS = ("match", "any", "count", "identity", "verified")
SCORES = ("secure_scores", "oracle_scores", "protected_scores", "baseline_scores")

_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
_INCOMPLETE = "the run was interrupted or this is no run directory; run the scenario again"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `journal.jsonl`: a party sent or received one envelope.

    Sizes are bytes: `payload_bytes` counts tensors and seeds only, `wire_bytes` the whole
    frame. `at_s` is wall time since the run began; `compute_s` is the party's own busy time
    since its previous event.
    """

    event: Literal["sent", "received"]
    party: Party
    peer: Party
    run: str
    session: str
    sequence: int
    phase: Phase
    step: str
    round: int
    sender: Party
    receiver: Party
    kind: str
    form: Form
    payload_bytes: int
    wire_bytes: int
    shapes: dict[str, tuple[int, ...]]
    digest: str
    lamport: int
    at_s: float
    compute_s: float


class _RunOf(msgspec.Struct, frozen=True):
    run: str


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """Declared bytes of one kind of message in one round beside what was sent.

    Folded over all sessions of a stage (setup, enrol, search); `equal` holds only if every one
    of them sent exactly what was declared.
    """

    session: str
    kind: str
    sender: Party
    receiver: Party
    round: int
    declared_bytes: int
    measured_bytes: int
    declared_messages: int
    measured_messages: int
    sessions_differing: int
    equal: bool


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: everything about a run that is neither message nor observation."""

    run: str
    scenario: str
    protocol: str = "dealer"
    description: str = ""
    runtime: str
    started_utc: str
    wall_s: float
    stages_s: dict[str, float]
    from_cache: list[str] = []
    phases_s: dict[str, float]
    threshold_cosine: float
    threshold_ring: int
    scale: int
    dimension: int
    ring_bits: int
    batch: int
    steps: tuple[Step, ...] = ()
    changes: dict[str, int] | None = None
    protection: Protection
    environment: dict[str, Any]
    probe_latency_s: list[float]
    features_s_per_face: float | None
    costs: list[CostRow]
    material: dict[str, int] | None = None
    peak_rss_bytes: dict[str, int] = {}
    leakage: Leakage | None = None
    score_leakage: Leakage | None = None
    queries: Queries = Queries()
    audit_hash: str
    warnings: list[str]


class RunFiles(NamedTuple):
    """A finished run directory in memory.

    `observations` holds the arrays of `observations.npz`, checked to agree on P probes and N
    entries (row numbers ever given out): gallery_identity int64[N]; probe_identity int64[P] with
    -1 for people without a row when searched; probe_person int[P], one number per person (not in
    old runs); where the gallery changes live bool[P,N], the rows each probe met; oracle_match
    bool[P,N]; the answer at the output level as secure_X beside oracle_X; in a verification
    claimed_row int[P]; and, where the scenario opens scores, secure_scores, oracle_scores,
    protected_scores and (with a baseline) baseline_scores, [P,N] or, in a verification, [P].
    """

    path: Path
    record: RunRecord
    events: list[Event]
    observations: Arrays
    scenario_yaml: str

    @property
    def entries(self) -> int:
        """N, the number of gallery rows."""
        return len(self.observations["gallery_identity"])

    @property
    def probes(self) -> int:
        """P, the number of probes searched."""
        return len(self.observations["probe_identity"])

    @property
    def policy(self) -> Policy:
        """The flow policy of the protocol this run used."""
        return policy_named(self.record.protocol)

    @property
    def scenario(self) -> dict[str, Any]:
        """The resolved scenario as plain values."""
        return _mapping(self.scenario_yaml, self.path / SCENARIO)

    def sent(self) -> Iterator[Event]:
        """Yield the sender's side of every message, in journal order."""
        return (event for event in self.events if event.event == "sent")


def read_run(run_dir: Path) -> RunFiles:
    """Read a finished run directory.

    Raises:
        DataError: a file is missing or malformed, the run was aborted, or files of different
            runs were mixed.
    """
    _refuse_failed(run_dir)
    record = read_record(run_dir / RECORD)
    events = read_journal(run_dir / JOURNAL, record.run)
    text = _read_bytes(run_dir / SCENARIO).decode("utf-8", errors="replace")
    _mapping(text, run_dir / SCENARIO)
    return RunFiles(run_dir, record, events, read_observations(run_dir / OBSERVATIONS), text)


def read_record(path: Path) -> RunRecord:
    """Read `run.json`.

    Raises:
        DataError: it is missing, no JSON, or a field is absent or of the wrong type.
    """
    try:
        return msgspec.json.decode(_read_bytes(path), type=RunRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not a run record: {error}", where=str(path), hint=_INCOMPLETE) from error


def read_journal(path: Path, run: str) -> list[Event]:
    """Read `journal.jsonl`, whose events must all belong to `run`.

    Raises:
        DataError: it is missing, or a line is no event of this run; names the line.
    """
    decoder = msgspec.json.Decoder(Event)
    lines = _read_bytes(path).splitlines()
    return [_event(decoder, line, run, f"{path}:{i}") for i, line in enumerate(lines, start=1)]


def read_events(run_dir: Path) -> list[Event]:
    """Read the journal of a run directory, finished or aborted, in logical order.

    Raises:
        DataError: as `read_journal`.
    """
    path = run_dir / JOURNAL
    first = _read_bytes(path).partition(b"\n")[0]
    try:
        run = msgspec.json.decode(first, type=_RunOf).run if first else ""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = f"not a journal event: {error}"
        raise DataError(text, where=f"{path}:1", hint=_INCOMPLETE) from error
    return read_journal(path, run)


def read_observations(path: Path) -> Arrays:
    """Read `observations.npz`, never unpickling, and check types and shapes.

    Raises:
        DataError: it is missing, damaged, lacks an array, or arrays disagree on P or N.
    """
    arrays = _load_arrays(path)
    missing = [name for name in (*IDENTITIES, ORACLE) if name not in arrays]
    if not any(f"secure_{name}" in arrays for name in ANSWERS):
        missing.append("secure_match")
    if missing:
        text = f"arrays are missing: {', '.join(missing)}"
        raise DataError(text, where=str(path), hint=_INCOMPLETE)
    for name in IDENTITIES:
        _check(arrays, name, "iu", (arrays[name].size,), path)
        arrays[name] = arrays[name].astype(np.int64)
    shape = arrays["probe_identity"].size, arrays["gallery_identity"].size
    _check_answers(arrays, shape, path)
    scored = shape[:1] if CLAIMS in arrays else shape
    for name in arrays.keys() & set(SCORES):
        _check(arrays, name, "iuf", scored, path)
        if not np.isfinite(arrays[name]).all():
            raise DataError(f"{name} holds values that are no numbers", where=str(path))
    return arrays


def _check_answers(arrays: Arrays, shape: tuple[int, int], path: Path) -> None:
    """Check type and shape of the answers: bits per probe and entry, or per probe."""
    for name in (ORACLE, "secure_match", LIVE):
        if name in arrays:
            _check(arrays, name, "b", shape, path)
    for name, kinds in (("any", "b"), ("verified", "b"), ("count", "iu"), (PEOPLE, "iu")):
        for array in (name, f"secure_{name}", f"oracle_{name}"):
            if array in arrays:
                _check(arrays, array, kinds, shape[:1], path)
    for name in ("secure_identity", "oracle_identity", CLAIMS):
        if name in arrays:
            _check_rows(arrays, name, shape, path)


def _check_rows(arrays: Arrays, name: str, shape: tuple[int, int], path: Path) -> None:
    """Check that an array names rows of the gallery, or -1 for none, for every probe."""
    rows = arrays[name]
    _check(arrays, name, "iu", (shape[0], *rows.shape[1:2]), path)
    if rows.size and not -1 <= rows.min() <= rows.max() < shape[1]:
        text = f"{name} names rows that do not exist"
        raise DataError(text, where=str(path), hint=_INCOMPLETE)


def was_aborted(run_dir: Path) -> bool:
    """Return whether a directory is one of a run that was aborted."""
    return (run_dir / FAILED).exists() and not (run_dir / RECORD).exists()


def _refuse_failed(run_dir: Path) -> None:
    """Say so where a run was aborted, instead of naming the first file it lacks."""
    if was_aborted(run_dir):
        text = "this run was aborted: there is nothing to report on"
        raise DataError(text, where=str(run_dir), hint=f"{FAILED} there says why")


def _event(decoder: msgspec.json.Decoder[Event], line: bytes, run: str, where: str) -> Event:
    try:
        event = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not a journal event: {error}", where=where, hint=_INCOMPLETE) from error
    if event.run != run:
        hint = "the files of this directory belong together; do not mix runs"
        raise DataError("an event of another run", where=where, hint=hint)
    return event


def _load_arrays(path: Path) -> Arrays:
    try:
        with path.open("rb") as stream:
            return read_npz(stream, MAX_OBSERVATIONS_BYTES)
    except FileNotFoundError as error:
        raise DataError("file is missing", where=str(path), hint=_INCOMPLETE) from error
    except (OSError, ValueError) as error:
        text = "not an archive of plain arrays"
        raise DataError(text, where=str(path), hint=_INCOMPLETE) from error


def _check(
    arrays: Arrays, name: str, kinds: Collection[str], shape: tuple[int, ...], path: Path
) -> None:
    array = arrays[name]
    if array.dtype.kind not in kinds or array.shape != shape:
        text = f"{name} is {array.dtype} {array.shape}, expected shape {shape}"
        raise DataError(text, where=str(path), hint=_INCOMPLETE)


def _mapping(text: str, path: Path) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(text)
    except (yaml.YAMLError, *_UNREADABLE) as error:
        raise DataError("not readable as YAML", where=str(path), hint=_INCOMPLETE) from error
    if not isinstance(parsed, dict):
        raise DataError("not a scenario", where=str(path), hint=_INCOMPLETE)
    return parsed


def _read_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise DataError("is no regular file", where=str(path), hint=_INCOMPLETE)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError("file is missing", where=str(path), hint=_INCOMPLETE) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
