"""Looks at this machine the way a run will: one check per thing a run depends on."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Final, Literal, NamedTuple

from orchestration.machine import (
    cores,
    file_limit,
    free_memory_bytes,
    memory_bytes,
    shared_memory_bytes,
)

__all__ = ["CHECKS", "Check", "examine"]

GIBIBYTE: Final = 1 << 30
MEMORY_LEAST: Final = 2 * GIBIBYTE
MEMORY_GOOD: Final = 4 * GIBIBYTE
SHARED_MEMORY_GOOD: Final = GIBIBYTE // 4
FILES_GOOD: Final = 1024

Status = Literal["ok", "warn", "fail"]


class Check(NamedTuple):
    """One finding: `warn` costs time or an option, `fail` costs the run."""

    name: str
    status: Status
    detail: str
    hint: str = ""


def examine() -> Iterator[Check]:
    """Yield one finding after the other; a check that breaks is a finding too."""
    for name, check in CHECKS.items():
        try:
            status, detail, hint = check()
        except Exception as error:  # noqa: BLE001 - whatever breaks is what is looked for
            first_line = (str(error).splitlines() or [""])[0]
            status, detail, hint = "fail", f"{type(error).__name__}: {first_line}", ""
        yield Check(name, status, detail, hint)


Finding = tuple[Status, str, str]


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return "ok", detail, ""


def _cores() -> Finding:
    count = cores()
    return ("ok" if count > 1 else "warn"), str(count), "parties take turns on a single core"


def _memory() -> Finding:
    free = free_memory_bytes()
    detail = f"{free / GIBIBYTE:.1f} GiB free of {memory_bytes() / GIBIBYTE:.1f} GiB"
    if free < MEMORY_LEAST:
        return "fail", detail, "the embedded scenario needs 2 GiB; close something"
    hint = "use small galleries, or `--runtime memory`, which needs one process only"
    return ("ok" if free >= MEMORY_GOOD else "warn"), detail, hint


def _shared_memory() -> Finding:
    free = shared_memory_bytes()
    hint = "Ray falls back to slow files; in a container use --shm-size=1g"
    detail = f"{free / GIBIBYTE:.2f} GiB free in /dev/shm"
    return ("ok" if free >= SHARED_MEMORY_GOOD else "warn"), detail, hint


def _files() -> Finding:
    limit = file_limit()
    hint = f"raise it: ulimit -n {4 * FILES_GOOD}"
    return ("ok" if limit >= FILES_GOOD else "warn"), f"{limit} open files allowed", hint


def _temporary() -> Finding:
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile() as file:
        file.write(b"bauta")
    return "ok", f"{folder} can be written", ""


def _ray() -> Finding:
    """Start Ray, call an actor, stop it."""
    from orchestration.runtime.ray_cluster import cluster, echo

    start = perf_counter()
    with cluster():
        up_s = perf_counter() - start
        echo(b"bauta")
        called_s = perf_counter() - start - up_s
    detail = f"{version('ray')} starts in {up_s:.1f} s, an actor answers in {called_s:.1f} s"
    return "ok", detail, ""


def _torch() -> Finding:
    import torch

    device = "with CUDA" if torch.cuda.is_available() else "CPU only"
    return "ok", f"{torch.__version__}, {torch.get_num_threads()} threads, {device}", ""


def _numba() -> Finding:
    """Look for a place where compiled kernels survive: else each process compiles anew."""
    import protocol

    configured = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(next(iter(protocol.__path__)))
    folder = Path(configured) if configured else beside
    if os.access(folder, os.W_OK):
        return "ok", f"{version('numba')}, kernels are kept in {folder}", ""
    if os.access(Path.home(), os.W_OK):
        return "ok", f"{version('numba')}, kernels are kept in the user's cache", ""
    hint = "set NUMBA_CACHE_DIR to a folder that can be written"
    return "warn", f"{version('numba')}, kernels are compiled at each start", hint


def _crypten() -> Finding:
    from importlib.util import find_spec

    if find_spec("crypten") is None:
        hint = "only needed for the independent oracle; `make install` adds it"
        return "warn", "not installed", hint
    from protocol.search.crypten.library import load_crypten

    load_crypten()
    return "ok", f"{version('crypten')} loads on torch {version('torch')}", ""


def _data() -> Finding:
    from scenarios.datasets.lfw import LFW_FILES
    from scenarios.resources import TEACHERS, data_root

    root = data_root()
    if root is None:
        hint = "only needed for scenarios on real faces: the folder that holds data/ and weights/"
        return "warn", "BAUTA_DATA is not set", hint
    if not root.is_dir():
        return "fail", f"BAUTA_DATA={root} is no folder", "unset it, or point it to the data"
    wanted = (*LFW_FILES, *TEACHERS.values())
    missing = [str(path) for path in wanted if not (root / path).is_file()]
    if missing:
        return "warn", f"{root} lacks {', '.join(missing)}", "some scenarios will not run"
    return "ok", f"{root} holds LFW and both networks", ""


CHECKS: Final[dict[str, Callable[[], Finding]]] = {
    "python": _python,
    "cores": _cores,
    "memory": _memory,
    "shared memory": _shared_memory,
    "open files": _files,
    "temporary": _temporary,
    "ray": _ray,
    "torch": _torch,
    "numba": _numba,
    "crypten": _crypten,
    "data": _data,
}
