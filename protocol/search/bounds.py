"""Why nothing wraps: a static bound for every value of a search, beside what its ring can hold.

The bounds hold for rows and probes no longer than the scale, which honest parties produce
(`protocol.mapping.quantise`) and `check_inputs` proves of all.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.errors import ScenarioError
from protocol.plan import RunPlan
from protocol.search.two_party.input_check import WIDE
from protocol.search.two_party.outputs import COUNT_RING
from protocol.search.two_party.top_k import INDEX_RING, lowest_score

__all__ = ["Bound", "bounds", "check_bounds"]


class Bound(NamedTuple):
    """The largest absolute value something can take, and the first that would not fit.

    Attributes:
        what: the value, in words.
        largest: a bound on its absolute value.
        limit: 2^(k-1) for signed values of a ring of k bits, 2^k for unsigned ones.
    """

    what: str
    largest: int
    limit: int

    @property
    def holds(self) -> bool:
        """Whether the value never wraps."""
        return self.largest < self.limit


def bounds(plan: RunPlan) -> list[Bound]:
    """Return the bounds of a plan; a plan without a scale promises nothing about its inputs."""
    scale, half = plan.scale, 1 << (plan.ring_bits - 1)
    score = scale * scale
    found = [
        Bound("entry of a row or probe", scale, half),
        Bound("score, by Cauchy-Schwarz", score, half),
        Bound("score minus threshold", score + abs(plan.threshold), half),
    ]
    if plan.output in ("any", "count"):
        found.append(Bound("number of matches", plan.most_rows, 1 << (COUNT_RING.bits - 1)))
    if plan.output == "identity":
        lowest = -lowest_score(plan.ring_bits)
        found += [
            Bound("difference of two scores", 2 * score, half),
            Bound("difference of a score and the padding", score + lowest, half),
            Bound("padding minus threshold", lowest + abs(plan.threshold), half),
            Bound("row number plus one", plan.most_rows, 1 << INDEX_RING.bits),
        ]
    if plan.check_inputs:
        squares = plan.dimension * score
        found += [
            Bound("entry plus scale, whose top bit is clear", 2 * scale, half),
            Bound("sum of squares within range", squares + score, 1 << (WIDE.bits - 1)),
        ]
    return found


def check_bounds(plan: RunPlan) -> None:
    """Refuse a plan in which some value could wrap.

    Raises:
        ScenarioError: names the value, its bound and what the ring holds.
    """
    for bound in bounds(plan):
        if not bound.holds:
            message = f"{bound.what} can reach {bound.largest}, the ring holds up to {bound.limit}"
            hint = "lower search.scale or use search.ring_bits: 32"
            raise ScenarioError(message, where="search.ring_bits", hint=hint)
