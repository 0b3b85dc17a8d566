"""What a scenario needs of this machine: data sets, weights and memory.

Checked apart from the fields, so that a scenario can be shown where it cannot be run.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped,unused-ignore]

from protocol.search.policies import policy_named
from scenarios.datasets.lfw import LFW_FILES
from scenarios.specs import DataSpec, Scenario
from scenarios.validation import Problem, raise_problems

__all__ = [
    "PREPARED_BYTES",
    "available_memory_bytes",
    "check_runnable",
    "data_root",
    "gallery_memory_bytes",
    "material_bytes",
    "party_memory_bytes",
]

DATA_VARIABLE = "BAUTA_DATA"
TEACHERS = {
    "ms1m": Path("weights/mobilefacenet_ms1m.npz"),
    "casia": Path("weights/mobilefacenet_casia.npz"),
}
GIB = 2**30
PREPARED_BYTES = 512 << 20
"""Memory each server sets aside for material that is made ahead, unless `search.pool` says."""
CHECKED_BYTES = 110
"""Peak per element of an input check; measured on rows of 512 in 16 bits."""
NAME_BYTES = 100
SPLIT_BYTES = 700
_CGROUP = Path("/sys/fs/cgroup")
_LFW_HINT = (
    "set BAUTA_DATA to a folder that holds data/lfw/ (lfw112_q95.zip, peopleDevTrain.txt, "
    "peopleDevTest.txt) and weights/; Labeled Faces in the Wild is not redistributed here, get it "
    "from its authors and align it to 112x112; or use data.kind: synthetic, which needs nothing"
)
_WEIGHTS_HINT = (
    "set BAUTA_DATA to a folder that holds weights/mobilefacenet_ms1m.npz and "
    "weights/mobilefacenet_casia.npz (third-party, not redistributed); "
    "or use network.kind: shipped"
)

_LIBRARY_HINT = "`make install` adds CrypTen with what it needs; or use search.protocol: dealer"


def data_root() -> Path | None:
    """Return the folder BAUTA_DATA names, or None when it is not set."""
    value = os.environ.get(DATA_VARIABLE, "").strip()
    return Path(value).expanduser() if value else None


def check_runnable(
    scenario: Scenario, root: Path | None = None, available_bytes: int | None = None
) -> None:
    """Refuse a scenario this machine cannot run, before anything is started.

    Args:
        scenario: a loaded scenario.
        root: the BAUTA_DATA folder; None when there is none.
        available_bytes: memory to plan with; None to ask the machine.

    Raises:
        ScenarioError: data set, weights or a library missing, or too little memory for the gallery.
    """
    memory = available_memory_bytes() if available_bytes is None else available_bytes
    raise_problems(
        [
            *_missing_data(scenario.data, root),
            *_missing_weights(scenario, root),
            *_missing_libraries(scenario.search.protocol),
            *_too_large(scenario, memory),
        ]
    )


def _missing_data(data: DataSpec, root: Path | None) -> list[Problem]:
    if data.kind == "folder" and not Path(data.path or "").expanduser().exists():
        hint = "expected a folder or zip of identity/picture at 112x112"
        return [Problem("data.path", f"{data.path} does not exist", hint)]
    if data.kind != "lfw":
        return []
    if root is None:
        return [
            Problem("data.kind", "the lfw data set needs BAUTA_DATA, which is not set", _LFW_HINT)
        ]
    missing = [str(name) for name in LFW_FILES if not (root / name).is_file()]
    message = f"BAUTA_DATA={root} lacks {', '.join(missing)}"
    return [Problem("data.kind", message, _LFW_HINT)] if missing else []


def _missing_weights(scenario: Scenario, root: Path | None) -> list[Problem]:
    network = scenario.network
    if network.kind != "student":
        return []
    if network.weights is not None:
        if Path(network.weights).expanduser().is_file():
            return []
        hint = "give a student file, or null to look one up or adapt it"
        return [Problem("network.weights", f"{network.weights} does not exist", hint)]
    teacher = TEACHERS[network.teacher]
    if root is None:
        message = "a student network needs BAUTA_DATA, which is not set"
        return [Problem("network.kind", message, _WEIGHTS_HINT)]
    if (root / teacher).is_file():
        return []
    return [Problem("network.teacher", f"BAUTA_DATA={root} lacks {teacher}", _WEIGHTS_HINT)]


def _missing_libraries(protocol: str) -> list[Problem]:
    missing = [name for name in policy_named(protocol).libraries if find_spec(name) is None]
    if not missing:
        return []
    message = f"protocol {protocol} needs {', '.join(missing)}, not installed here"
    return [Problem("search.protocol", message, _LIBRARY_HINT)]


def _too_large(scenario: Scenario, available_bytes: int) -> list[Problem]:
    needed = gallery_memory_bytes(scenario)
    if needed <= available_bytes:
        return []
    parts = party_memory_bytes(scenario)
    listed = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items() if size >= 0.01 * GIB)
    message = (
        f"{scenario.data.entries} entries need about {_gib(needed)} of memory ({listed}), "
        f"{_gib(available_bytes)} are available"
    )
    largest = max(1, int(scenario.data.entries * available_bytes / needed))
    return [Problem("data.entries", message, f"use at most about {largest}")]


def gallery_memory_bytes(scenario: Scenario) -> int:
    """Estimate the peak memory a gallery takes in all parties and the evaluator, on one machine."""
    return sum(party_memory_bytes(scenario).values())


def party_memory_bytes(scenario: Scenario) -> dict[str, int]:
    """Estimate, by party, what grows with the gallery; an idle process and a network come on top.

    Every party holds so many ring elements per gallery element as its protocol says, and the
    material of the searches that are prepared ahead. The client keeps what it enrolled for the
    evaluator, in the smallest integers that hold it (and as floats where scores are opened), and
    the evaluator reads that, picture names, decisions and scores.
    """
    policy = policy_named(scenario.search.protocol)
    ring_bytes = (policy.ring_bits or scenario.search.ring_bits) // 8
    rows = scenario.data.entries + scenario.newcomers
    elements = rows * scenario.row_length
    versions = rows + scenario.changes * scenario.life.update
    opened = 4 * scenario.dimension if "open_scores" in scenario.insecure else 0
    kept = versions * (scenario.row_length * _row_bytes(scenario) + opened)
    checked = _checked_bytes(scenario)
    held = dict(policy.held) or {party: 2 for party in policy.parties if party != "client"}
    parties = {
        str(party): elements * ring_bytes * count + _searches_bytes(scenario) + checked
        for party, count in held.items()
    }
    return {"client": kept + versions * NAME_BYTES, **parties, "evaluator": _evaluated(scenario)}


def _row_bytes(scenario: Scenario) -> int:
    """Return bytes of one entry of an integer row no longer than the scale."""
    return int(np.min_scalar_type(-scenario.search.ring_scale).itemsize)


def material_bytes(scenario: Scenario, probes: int) -> int:
    """Return what one server holds of a search of so many probes."""
    rows = scenario.data.entries + scenario.newcomers
    compared = probes if scenario.search.task == "verify" else rows
    pairs = probes if scenario.search.task == "verify" else probes * rows
    size = policy_named(scenario.search.protocol).material
    return pairs * size.pair_bytes + compared * scenario.row_length * size.element_bytes


def _checked_bytes(scenario: Scenario) -> int:
    """Return what one server holds while the largest batch of rows or probes is checked."""
    if not scenario.search.check_inputs:
        return 0
    data = scenario.data
    vectors = max(min(data.enrol_batch, data.entries), min(data.batch, data.mated + data.unmated))
    return vectors * scenario.row_length * CHECKED_BYTES


def _searches_bytes(scenario: Scenario) -> int:
    """Return what one server holds of prepared and running searches."""
    data, search = scenario.data, scenario.search
    batch = material_bytes(scenario, min(data.batch, data.mated + data.unmated))
    ahead = min(search.pool or scenario.searches, scenario.searches) * batch
    return batch + (min(ahead, max(batch, PREPARED_BYTES)) if search.pool is None else ahead)


def _evaluated(scenario: Scenario) -> int:
    """Return what the evaluator holds: rows again, names, and what it compares."""
    rows = scenario.data.entries + scenario.newcomers
    versions = rows + scenario.changes * scenario.life.update
    opened = 4 * scenario.dimension if "open_scores" in scenario.insecure else 0
    probes = scenario.data.mated + scenario.data.unmated
    per_pair = 8 + 3 + (16 if opened else 0)
    kept = versions * (scenario.row_length * _row_bytes(scenario) + opened)
    return kept + rows * SPLIT_BYTES + probes * rows * per_pair


def available_memory_bytes() -> int:
    """Return the memory this process may still use: the machine's, or its container's limit."""
    machine = int(psutil.virtual_memory().available)
    return min(machine, _container_memory_bytes(machine))


def _container_memory_bytes(otherwise: int) -> int:
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return otherwise
    return max(0, limit - used)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f} GiB"
