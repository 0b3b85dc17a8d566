"""What a scenario needs of this machine: data sets, weights and memory.

Checked apart from the fields, so that a scenario can be shown where it cannot be run.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]

from scenarios.datasets.lfw import LFW_FILES
from scenarios.specs import DataSpec, Scenario
from scenarios.validation import Problem, raise_problems

__all__ = ["available_memory_bytes", "check_runnable", "data_root", "gallery_memory_bytes"]

DATA_VARIABLE = "BAUTA_DATA"
TEACHERS = {
    "ms1m": Path("weights/mobilefacenet_ms1m.npz"),
    "casia": Path("weights/mobilefacenet_casia.npz"),
}
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
        ScenarioError: data set or weights missing, or the gallery does not fit in memory.
    """
    memory = available_memory_bytes() if available_bytes is None else available_bytes
    raise_problems(
        [
            *_missing_data(scenario.data, root),
            *_missing_weights(scenario, root),
            *_too_large(scenario, memory),
        ]
    )


def _missing_data(data: DataSpec, root: Path | None) -> list[Problem]:
    if data.kind == "folder" and not Path(data.path or "").expanduser().exists():
        hint = "expected a folder or zip of identity/picture.jpg at 112x112"
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


def _too_large(scenario: Scenario, available_bytes: int) -> list[Problem]:
    needed = gallery_memory_bytes(scenario)
    if needed <= available_bytes:
        return []
    message = (
        f"{scenario.data.entries} entries need about {_gib(needed)} of memory (shares, masks and "
        f"oracle), {_gib(available_bytes)} are available"
    )
    largest = max(1, int(scenario.data.entries * available_bytes / needed))
    return [Problem("data.entries", message, f"use at most about {largest}")]


def gallery_memory_bytes(scenario: Scenario) -> int:
    """Estimate the peak memory of all parties and the evaluator, which share this machine.

    Per gallery element the model provider holds two ring elements and two other parties one each:
    with a dealer its share and the opened row, the holder's share and the dealer's mask; replicated
    one share of either sharing, and two servers the other. The evaluator holds the float rows and
    the integer oracle. Per probe and entry: two decision bits, and four scores when scores are
    opened. Per entry of a batch: two score shares and the comparison's material.
    """
    data = scenario.data
    ring_bytes = scenario.search.ring_bits // 8
    rows = data.entries * scenario.row_length * (4 * ring_bytes + 4 + 4)
    probes = data.mated + data.unmated
    per_pair = 2 + (16 if "open_scores" in scenario.insecure else 0)
    batch = min(data.batch, probes) * data.entries * 8 * ring_bytes
    return rows + probes * data.entries * per_pair + batch


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
    return f"{size_bytes / 2**30:.1f} GiB"
