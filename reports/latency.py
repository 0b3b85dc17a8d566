"""Where the time went: compute by party and phase, and seconds from probe to decision.

All times are measured wall seconds. `compute_s` is a party's own busy time; walls of phases
may overlap, because material for later probes is prepared while earlier ones are searched.
The first search of a run pays for what later ones find ready (caches, compiled kernels), so
it is reported apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from protocol.parties import CLIENT, MODEL_PROVIDER, PARTIES, PHASES
from reports.records import Event, RunRecord

__all__ = ["Search", "compute_table", "latency_summary", "quantile", "searches"]

Row = dict[str, Any]


class Search(NamedTuple):
    """One search batch, with the moments that bound it.

    `whole_s`: client sends protected probes until it holds the last decision share.
    `search_s`: provider sends masked probes until then, so without features and embedding.
    """

    session: str
    probes: int
    whole_s: float
    search_s: float


def latency_summary(events: Sequence[Event], record: RunRecord) -> Row:
    """Return every time of a run, ready for `summary.json`; None where nothing was measured."""
    found = searches(events)
    warm = found[1:]
    return {
        "wall_s": record.wall_s,
        "stages_s": record.stages_s,
        "from_cache": record.from_cache,
        "per_phase": _phases(events, record),
        "per_party": compute_table(events),
        "features_s_per_face": record.features_s_per_face,
        "online_rounds": max((e.round for e in events if e.phase == "online"), default=None),
        "searches": len(found),
        "batch": record.batch,
        "batch_s": _spread([s.whole_s for s in warm]),
        "probe_s": _spread([s.whole_s / s.probes for s in warm]),
        "search_batch_s": _spread([s.search_s for s in warm]),
        "search_probe_s": _spread([s.search_s / s.probes for s in warm]),
        "search_share": _ratio(sum(s.search_s for s in warm), sum(s.whole_s for s in warm)),
        "first": _first(found),
    }


def searches(events: Iterable[Event]) -> list[Search]:
    """Return the completed searches of a journal, in order of their session names."""
    sessions: dict[str, list[Event]] = {}
    for event in events:
        if event.phase == "online":
            sessions.setdefault(event.session, []).append(event)
    found = (_search(name, group) for name, group in sorted(sessions.items()))
    return [search for search in found if search is not None]


def compute_table(events: Iterable[Event]) -> list[Row]:
    """Return one row per party that took part: busy seconds by phase and in total."""
    events = list(events)
    present = {event.party for event in events}
    table: dict[str, dict[str, float]] = {
        party: dict.fromkeys(PHASES, 0.0) for party in PARTIES if party in present
    }
    for event in events:
        table[event.party][event.phase] += event.compute_s
    return [
        {"party": party, **phases, "total": sum(phases.values())} for party, phases in table.items()
    ]


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile with linear interpolation; None of nothing."""
    return float(np.quantile(np.asarray(values), share)) if values else None


def _search(session: str, events: Sequence[Event]) -> Search | None:
    asked = [e for e in events if e.event == "sent" and e.kind == "ProtectedFeatures"]
    searching = [e for e in events if e.event == "sent" and e.party == MODEL_PROVIDER]
    decided = [e for e in events if e.party == CLIENT and e.form == "output"]
    if not (asked and decided):
        return None
    end = max(event.at_s for event in decided)
    begin = min(event.at_s for event in asked)
    search_begin = min((e.at_s for e in searching), default=begin)
    return Search(session, _probes(asked), end - begin, end - search_begin)


def _probes(asked: Sequence[Event]) -> int:
    """Return how many probes a search holds: the first axis of what was sent."""
    return max(1, sum(next(iter(event.shapes.values()), (1,))[0] for event in asked))


def _phases(events: Sequence[Event], record: RunRecord) -> list[Row]:
    rows = []
    for phase in PHASES:
        compute = [e.compute_s for e in events if e.phase == phase]
        if compute:
            wall = record.phases_s.get(phase)
            rows.append({"phase": phase, "wall_s": wall, "compute_s": sum(compute)})
    return rows


def _spread(values: Sequence[float]) -> Row:
    return {"median": median(values) if values else None, "p95": quantile(values, 0.95)}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _first(found: Sequence[Search]) -> Row | None:
    """Return the warm-up search, which also answers when there is no other."""
    if not found:
        return None
    first = found[0]
    return {
        "batch_s": first.whole_s,
        "probe_s": first.whole_s / first.probes,
        "search_batch_s": first.search_s,
        "search_probe_s": first.search_s / first.probes,
    }
