"""The public plan of a run: what every party knows before the first message."""

from __future__ import annotations

import msgspec

__all__ = ["Batch", "RunPlan", "batches"]


class Batch(msgspec.Struct, frozen=True):
    """One session: its name and how many pictures it handles."""

    session: str
    size: int


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Public parameters of a run, equal at every party.

    `dimension` is the length of a gallery row in ring elements; `threshold` is in ring units;
    `pool` is how many searches have their material in place ahead of time.
    """

    run: str
    ring_bits: int
    dimension: int
    threshold: int
    radix: int
    enrolments: tuple[Batch, ...]
    searches: tuple[Batch, ...]
    open_scores: bool
    pool: int = 1

    @property
    def rows(self) -> int:
        """Gallery rows after all enrolments."""
        return sum(batch.size for batch in self.enrolments)

    @property
    def probes(self) -> int:
        """Probes over all searches."""
        return sum(batch.size for batch in self.searches)


def batches(prefix: str, total: int, size: int) -> tuple[Batch, ...]:
    """Split `total` pictures into sessions named `prefix-0000`, … of at most `size`."""
    starts = range(0, total, size)
    return tuple(
        Batch(f"{prefix}-{index:04d}", min(size, total - start))
        for index, start in enumerate(starts)
    )
