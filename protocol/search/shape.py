"""The public sizes of one search: what every party must agree on before it starts."""

from __future__ import annotations

from typing import NamedTuple

from protocol.plan import Output, RunPlan, Step, Task
from protocol.search.two_party.input_check import InputCheck
from protocol.sharing.ring import Ring

__all__ = ["SearchShape", "input_check", "search_shape"]


class SearchShape(NamedTuple):
    """One search: session, ring, how many probes meet how many rows, and what is answered.

    `rows` is 1 for a verification: each probe meets only the row it claims. `check` holds the terms
    on which the probes are checked, if they are.
    """

    session: str
    ring: Ring
    probes: int
    rows: int
    dimension: int
    radix: int
    threshold: int
    output: Output = "bitmap"
    top_k: int = 1
    check: InputCheck | None = None
    task: Task = "identify"

    @property
    def entries(self) -> int:
        """Scores of this search."""
        return self.probes * self.rows

    @property
    def pairs(self) -> tuple[int, int]:
        """Shape of a score matrix."""
        return (self.probes, self.rows)


def search_shape(plan: RunPlan, step: Step, live_rows: int) -> SearchShape:
    """Return the public sizes of one search of a plan, against so many live rows."""
    rows = 1 if plan.task == "verify" else live_rows
    return SearchShape(
        step.session,
        Ring(plan.ring_bits),
        step.size,
        rows,
        plan.dimension,
        plan.radix,
        plan.threshold,
        plan.output,
        min(plan.top_k, rows),
        input_check(plan, step.size) if plan.check_inputs else None,
        plan.task,
    )


def input_check(plan: RunPlan, vectors: int) -> InputCheck:
    """Return the terms on which rows or probes of a plan are checked."""
    return InputCheck(vectors, plan.dimension, Ring(plan.ring_bits), plan.radix, plan.scale)
