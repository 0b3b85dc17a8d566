"""Rows of the result: medians of a cell's samples, and how they compare with the peers'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from orchestration.benchmarks.search.cells import Gallery, is_crypten
from orchestration.benchmarks.search.crypten_peer import AS_WRITTEN
from orchestration.benchmarks.search.samples import Sample

__all__ = ["Row", "row_of", "skipped_row", "with_ratios"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One contender on one gallery at one batch size. Times are medians of `repeats` searches.

    Attributes:
        name: of the protocol or peer.
        runtime: `memory`, `ray`, or `plain` for what runs without parties and messages.
        entries: N.
        dim: d.
        batch: probes per search, B.
        ring: bits of a score.
        online_s_median: from the probes' embeddings to the decisions, all B probes.
        offline_s_median: making the material of the search before it, wall time.
        online_bytes_per_entry_per_party: payload the compute server that sends most sends
            online, over N B; the O(d) masked probe is included.
        offline_bytes_per_entry: payload of all offline messages over N B.
        rounds: online rounds, to the client's answer.
        ratio_to_faiss: `online_s_median` over that of FAISS in the same run.
        ratio_to_crypten: that of CrypTen's fastest way in the same run over `online_s_median`.
        equals_oracle: whether every decision of every search was right, warm-ups included; null
            where single precision cannot hold a score, or there are no decisions for all rows.
        ratio_to_crypten_as_written: as `ratio_to_crypten`, with CrypTen as its interface has it.
        online_s_min: the fastest.
        online_s_max: the slowest.
        online_cpu_s_median: processor time of all parties online; null on Ray.
        cpu_ratio_to_faiss: that over FAISS's processor time, which other programs disturb less.
        servers_online_s_median: busy time of both compute servers online, added up.
        servers_ratio_to_faiss: that over FAISS's time.
        offline_compute_s_median: busy time of all parties offline, added up.
        enrol_s: taking the gallery in.
        repeats: timed searches.
        threads: threads the contender may compute with; on Ray, each of its parties.
        costs_as_declared: whether every message of the run had its declared size and round.
        skipped: why nothing was measured.
    """

    name: str
    runtime: str
    entries: int
    dim: int
    batch: int
    ring: int
    online_s_median: float | None = None
    offline_s_median: float | None = None
    online_bytes_per_entry_per_party: float | None = None
    offline_bytes_per_entry: float | None = None
    rounds: int | None = None
    ratio_to_faiss: float | None = None
    ratio_to_crypten: float | None = None
    equals_oracle: bool | None = None
    ratio_to_crypten_as_written: float | None = None
    online_s_min: float | None = None
    online_s_max: float | None = None
    online_cpu_s_median: float | None = None
    cpu_ratio_to_faiss: float | None = None
    servers_online_s_median: float | None = None
    servers_ratio_to_faiss: float | None = None
    offline_compute_s_median: float | None = None
    enrol_s: float | None = None
    repeats: int = 0
    threads: int = 1
    costs_as_declared: bool | None = None
    skipped: str | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is a row of."""
        return (self.name, self.runtime, self.entries, self.dim, self.batch, self.ring)

    @property
    def failed(self) -> bool:
        """Whether a decision was wrong or a message was not as declared."""
        return self.equals_oracle is False or self.costs_as_declared is False


def row_of(  # noqa: PLR0913 - each has a name at the call
    samples: Sequence[Sample],
    *,
    name: str,
    runtime: str,
    gallery: Gallery,
    batch: int,
    warmups: int,
    threads: int,
    enrol_s: float,
    costs_as_declared: bool | None,
) -> Row:
    """Summarise one contender's searches of one batch size; the first `warmups` are not timed."""
    timed = samples[warmups:]
    online = [sample.online_s for sample in timed]
    entries = gallery.entries * batch
    last = timed[-1]
    return Row(
        name=name,
        runtime=runtime,
        entries=gallery.entries,
        dim=gallery.dimension,
        batch=batch,
        ring=gallery.ring,
        online_s_median=median(online),
        offline_s_median=_median(sample.offline_s for sample in timed),
        online_bytes_per_entry_per_party=_per(last.online_server_bytes, entries),
        offline_bytes_per_entry=_per(last.offline_bytes, entries),
        rounds=last.rounds,
        equals_oracle=_all_right(samples),
        online_s_min=min(online),
        online_s_max=max(online),
        online_cpu_s_median=_median(sample.online_cpu_s for sample in timed),
        servers_online_s_median=_median(sample.servers_online_s for sample in timed),
        offline_compute_s_median=_median(sample.offline_compute_s for sample in timed),
        enrol_s=enrol_s or None,
        repeats=len(timed),
        threads=threads,
        costs_as_declared=costs_as_declared,
    )


def skipped_row(name: str, runtime: str, gallery: Gallery, batch: int, reason: str) -> Row:
    """Return the row of a cell that is left out."""
    return Row(
        name=name,
        runtime=runtime,
        entries=gallery.entries,
        dim=gallery.dimension,
        batch=batch,
        ring=gallery.ring,
        skipped=reason,
    )


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Compare the rows of one run on one gallery with the fastest FAISS call and CrypTen's fastest.

    Rows are compared at equal batch size only.
    """
    return [
        _compared(
            row,
            _fastest(rows, row.batch, lambda name: name.startswith("faiss")),
            _fastest(rows, row.batch, is_crypten),
            _fastest(rows, row.batch, lambda name: name == AS_WRITTEN),
        )
        for row in rows
    ]


def _compared(row: Row, faiss: Row | None, crypten: Row | None, as_written: Row | None) -> Row:
    faiss_s = None if faiss is None else faiss.online_s_median
    faiss_cpu_s = None if faiss is None else faiss.online_cpu_s_median
    crypten_s = None if crypten is None else crypten.online_s_median
    as_written_s = None if as_written is None else as_written.online_s_median
    return msgspec.structs.replace(
        row,
        ratio_to_faiss=_ratio(row.online_s_median, faiss_s),
        ratio_to_crypten=_ratio(crypten_s, row.online_s_median),
        ratio_to_crypten_as_written=_ratio(as_written_s, row.online_s_median),
        servers_ratio_to_faiss=_ratio(row.servers_online_s_median, faiss_s),
        cpu_ratio_to_faiss=_ratio(row.online_cpu_s_median, faiss_cpu_s),
    )


def _fastest(rows: Iterable[Row], batch: int, wanted: Callable[[str], bool]) -> Row | None:
    """Return the row of the least median time among those of a batch size with a wanted name."""
    found = [row for row in rows if row.batch == batch and wanted(row.name) and row.online_s_median]
    return min(found, key=lambda row: row.online_s_median or 0.0, default=None)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _per(size_bytes: int | None, entries: int) -> float | None:
    return None if size_bytes is None else size_bytes / entries


def _all_right(samples: Iterable[Sample]) -> bool | None:
    known = [sample.equals_oracle for sample in samples if sample.equals_oracle is not None]
    return all(known) if known else None
