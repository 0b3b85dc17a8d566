"""What a runtime hands back for each party: its journal and what the evaluator may read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeAlias

from orchestration.journal import Event
from protocol.parties import CLIENT, Party
from protocol.roles import Observation

__all__ = ["OnAbort", "PartyOutcome", "watched"]

OnAbort: TypeAlias = Callable[[Mapping[Party, list[Event]]], None]


class PartyOutcome(NamedTuple):
    """One party's events, in its own order, its observation, and the memory it took.

    `peak_rss_bytes` is its process's own; None where parties share one.
    """

    events: list[Event]
    observed: Observation
    peak_rss_bytes: int | None = None


def watched(parties: Collection[Party]) -> Party:
    """Return the party whose sessions tell how far a run is: the client, who takes part in all."""
    return CLIENT if CLIENT in parties else min(parties)
