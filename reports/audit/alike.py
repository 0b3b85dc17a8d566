"""Do the sessions of one run look alike from outside, whatever their probes found?"""

from __future__ import annotations

from protocol.parties import Party
from protocol.views import Seen, Trial
from reports.audit.verdicts import Verdict, verdict

__all__ = ["sessions_alike"]


def sessions_alike(trial: Trial, party: Party) -> Verdict:
    """Require that sessions of equal size exchange messages of equal kinds, sizes and numbers.

    Order within a session is left out: where parties run at the same time it is the network's.
    """
    sessions: dict[str, list[tuple[object, ...]]] = {}
    for seen in trial.views[party].messages:
        sessions.setdefault(seen.session, []).append(_outside(seen))
    groups: dict[tuple[str, int], dict[str, list[tuple[object, ...]]]] = {}
    for places in (trial.batches, trial.enrolled):
        for name, (_, size) in places.items():
            if name in sessions:
                kind = name.partition("-")[0]
                groups.setdefault((kind, size), {})[name] = sorted(sessions[name], key=repr)
    found = [text for group in groups.values() for text in _unlike(group)]
    count = sum(len(group) for group in groups.values())
    good = f"{count:,} sessions in {len(groups)} groups of equal size, alike within each"
    return verdict("metadata", party, found, good)


def _unlike(group: dict[str, list[tuple[object, ...]]]) -> list[str]:
    first, *others = group
    return [f"{name} differs from {first}" for name in others if group[name] != group[first]]


def _outside(seen: Seen) -> tuple[object, ...]:
    shapes = tuple((name, array.shape, str(array.dtype)) for name, array in seen.arrays.items())
    ends = (seen.event, seen.kind, seen.sender, seen.receiver, seen.phase, seen.round)
    return (*ends, seen.payload_bytes, shapes, tuple(sorted(seen.numbers.items())))
