"""The public plan of a run: what every party knows before the first message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ["Output", "RunPlan", "Step", "StepKind", "Task", "Versions", "moments", "steps"]

Versions = npt.NDArray[np.int64]
StepKind = Literal["enrol", "update", "delete", "refresh", "search"]
Output = Literal["any", "count", "identity", "bitmap"]
Task = Literal["identify", "verify"]


class Step(msgspec.Struct, frozen=True):
    """One session: its name, what it does and to how many rows or probes.

    `rows` holds stable row numbers: those an update replaces or a delete removes, or the row each
    probe of a verification claims.
    """

    session: str
    size: int
    kind: StepKind = "search"
    rows: tuple[int, ...] = ()


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Public parameters of a run, equal at every party.

    Attributes:
        run: run identifier.
        protocol: which search protocol the servers run.
        ring_bits: the ring of scores.
        dimension: length of a gallery row in ring elements.
        threshold: score at or above which two faces match, in ring units.
        radix: bits per digit of the comparison.
        steps: every session, in order.
        open_scores: whether the client gets score shares, for evaluation.
        task: identify searches all rows; verify compares with the claimed row only.
        output: what the client learns of each probe.
        top_k: most rows an `identity` output names.
        scale: largest norm of an honest row or probe; with `check_inputs` a longer one is refused.
        check_inputs: prove inside the computation that rows and probes are no longer than that.
        pool: how many searches may have their material in place ahead of time.
        low_water: material is ordered again when fewer searches than this have theirs.
    """

    run: str
    protocol: str = "dealer"
    ring_bits: int
    dimension: int
    threshold: int
    radix: int
    steps: tuple[Step, ...]
    open_scores: bool
    task: Task = "identify"
    output: Output = "bitmap"
    top_k: int = 1
    scale: int = 0
    check_inputs: bool = False
    pool: int = 1
    low_water: int = 1

    @property
    def searches(self) -> tuple[Step, ...]:
        """The search sessions, in order."""
        return tuple(step for step in self.steps if step.kind == "search")

    @property
    def rows(self) -> int:
        """Row numbers ever given out: one per enrolled row."""
        return sum(step.size for step in self.steps if step.kind == "enrol")

    @property
    def versions(self) -> int:
        """Rows the client ever shares: enrolled ones and their updates."""
        return sum(step.size for step in self.steps if step.kind in ("enrol", "update"))

    @property
    def most_rows(self) -> int:
        """Largest number of rows the gallery holds at any time."""
        return max(self._sizes(), default=0)

    @property
    def probes(self) -> int:
        """Probes over all searches."""
        return sum(step.size for step in self.searches)

    def upcoming(self, index: int) -> Sequence[Step]:
        """Return the searches from `index` on that see the same gallery."""
        return tuple(takewhile(lambda step: step.kind == "search", self.steps[index:]))

    def _sizes(self) -> Iterator[int]:
        size = 0
        for step in self.steps:
            size += {"enrol": step.size, "delete": -step.size}.get(step.kind, 0)
            yield size


def moments(sessions: Sequence[Step]) -> Iterator[tuple[int, Versions]]:
    """Yield how many probes meet one gallery, and the version of each row number in it, [R].

    Versions count enrolled and updated rows in order. A row number that is not in the gallery has
    version -1.
    """
    current = np.full(sum(step.size for step in sessions if step.kind == "enrol"), -1)
    row = version = probes = 0
    for step in sessions:
        if step.kind == "search":
            probes += step.size
            continue
        if probes:
            yield probes, current
            probes = 0
        if step.kind == "enrol":
            current[row : row + step.size] = np.arange(version, version + step.size)
            row += step.size
        elif step.kind == "update":
            current[list(step.rows)] = np.arange(version, version + step.size)
        elif step.kind == "delete":
            current[list(step.rows)] = -1
        version += step.size if step.kind in ("enrol", "update") else 0
    if probes:
        yield probes, current


def steps(kind: StepKind, total: int, size: int, claims: Sequence[int] = ()) -> tuple[Step, ...]:
    """Split `total` pictures into sessions named `kind-0000`, … of at most `size`."""
    return tuple(
        Step(
            f"{kind}-{index:04d}",
            min(size, total - start),
            kind,
            tuple(claims[start : start + size]),
        )
        for index, start in enumerate(range(0, total, size))
    )
