"""The benchmark itself: contenders take turns on each gallery, all in one run on the same cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from orchestration.benchmarks.search.cells import (
    Cell,
    Gallery,
    Options,
    protocol_cells,
    rounds_of,
    skip_reason,
)
from orchestration.benchmarks.search.contenders import Contender, protocol_contender
from orchestration.benchmarks.search.crypten_peer import AS_WRITTEN, BY_ITSELF, CryptenContender
from orchestration.benchmarks.search.memory import memory_groups
from orchestration.benchmarks.search.peers import faiss_contenders, plaintext_contenders
from orchestration.benchmarks.search.rows import Row, row_of, skipped_row, with_ratios
from orchestration.benchmarks.search.turns import turn_actor
from orchestration.benchmarks.search.workload import Search, Workload, make_workload, searches
from orchestration.progress import OnProgress, Progress
from protocol.mapping import open_form
from protocol.mapping.spec import MappingSpec
from protocol.sharing.ring import Ring
from scenarios.specs import DEFAULT_SCALES

__all__ = ["measure_gallery", "runtimes"]


@contextmanager
def runtimes(options: Options) -> Iterator[Any]:
    """Start Ray once if a runtime needs it and stop it at the end; gives the turn actor or None."""
    if "ray" not in options.runtimes or not options.protocols:
        yield None
        return
    from orchestration.runtime.ray_cluster import cluster

    with cluster():
        import ray

        actor = turn_actor()
        try:
            yield actor
        finally:
            ray.kill(actor)


def measure_gallery(
    options: Options,
    gallery: Gallery,
    actor: Any,  # noqa: ANN401 - Ray's handles have no type
    on_progress: OnProgress,
) -> list[Row]:
    """Measure every contender on one gallery and compare them.

    Protocol cells that do not fit into memory side by side are measured in groups, each beside
    the peers, and compared with the peers of their own group.
    """
    turns = searches(options.batches, options.warmups + options.repeats)
    on_progress(Progress("templates", 0, note=_spoken(gallery)))
    workload = _workload(options, gallery, turns)
    rows: dict[Any, Row] = {}
    cells = protocol_cells(options, gallery)
    possible = [cell for cell in cells if not skip_reason(cell.name, gallery)]
    for group in memory_groups(possible, options):
        contenders = [
            *_peers(options, gallery, workload, turns),
            *(_protocol(options, cell, workload, turns, actor) for cell in group),
        ]
        _take_turns(contenders, turns, gallery, on_progress)
        for row in with_ratios(list(_rows(contenders, options, gallery))):
            rows.setdefault(row.key, row)
    return [*rows.values(), *_skipped(options, gallery, cells)]


def _take_turns(
    contenders: Sequence[Contender],
    turns: Sequence[Search],
    gallery: Gallery,
    on_progress: OnProgress,
) -> None:
    """Let every contender answer each search before any answers the next one."""
    with ExitStack() as running:
        for number, contender in enumerate(contenders):
            note = f"{contender.name}, {_spoken(gallery)}"
            on_progress(Progress("enrol", number, len(contenders), note))
            running.callback(contender.stop)
            contender.start()
        for turn in turns:
            on_progress(Progress("search", turn.number, len(turns), _spoken(gallery)))
            for contender in contenders:
                contender.turn(turn)
        running.pop_all()


def _workload(options: Options, gallery: Gallery, turns: Sequence[Search]) -> Workload:
    form = open_form(
        MappingSpec(), gallery.dimension, gallery.ring, DEFAULT_SCALES[gallery.ring], None
    )
    return make_workload(
        form,
        seed=options.seed,
        entries=gallery.entries,
        probes=sum(turn.batch for turn in turns),
        keep_rows=bool(options.peers),
    )


def _peers(
    options: Options, gallery: Gallery, workload: Workload, turns: Sequence[Search]
) -> Iterator[Contender]:
    rows = workload.rows
    if rows is None:
        return
    if "faiss" in options.peers:
        yield from faiss_contenders(rows, workload, options.threads)
    if "plaintext" in options.peers:
        yield from plaintext_contenders(rows, workload, Ring(gallery.ring))
    if "crypten" in options.peers and not skip_reason(BY_ITSELF, gallery):
        yield CryptenContender(rows, workload, _own_turns(options, BY_ITSELF, gallery, turns))
        own = _own_turns(options, AS_WRITTEN, gallery, turns)
        yield CryptenContender(rows, workload, own, as_written=True)


def _protocol(
    options: Options,
    cell: Cell,
    workload: Workload,
    turns: Sequence[Search],
    actor: Any,  # noqa: ANN401 - Ray's handles have no type
) -> Contender:
    own = _own_turns(options, cell.name, cell.gallery, turns)
    return protocol_contender(cell, options, workload, own, actor)


def _own_turns(
    options: Options, name: str, gallery: Gallery, turns: Sequence[Search]
) -> list[Search]:
    """Return the searches a contender answers; CrypTen as written only the smallest, for time."""
    batches = (min(options.batches),) if name == AS_WRITTEN else options.batches
    return [
        turn
        for turn in turns
        if turn.batch in batches and turn.repeat < rounds_of(options, name, gallery, turn.batch)
    ]


def _rows(contenders: Sequence[Contender], options: Options, gallery: Gallery) -> Iterator[Row]:
    for contender in contenders:
        samples = contender.samples()
        for batch in options.batches:
            own = [sample for sample in samples if sample.search.batch == batch]
            if not own:
                continue
            yield row_of(
                own,
                name=contender.name,
                runtime=contender.runtime,
                gallery=gallery,
                batch=batch,
                warmups=min(options.warmups, len(own) - 1),
                threads=options.threads,
                enrol_s=contender.enrol_s,
                costs_as_declared=contender.costs_as_declared,
            )


def _skipped(options: Options, gallery: Gallery, cells: Sequence[Cell]) -> Iterator[Row]:
    left_out: list[tuple[str, str]] = [(cell.name, cell.runtime) for cell in cells]
    if "crypten" in options.peers:
        left_out += [(name, CryptenContender.runtime) for name in (BY_ITSELF, AS_WRITTEN)]
    for name, runtime in left_out:
        reason = skip_reason(name, gallery)
        for batch in options.batches if reason else ():
            yield skipped_row(name, runtime, gallery, batch, reason)


def _spoken(gallery: Gallery) -> str:
    return f"{gallery.entries:,} x {gallery.dimension}, {gallery.ring} bits"
