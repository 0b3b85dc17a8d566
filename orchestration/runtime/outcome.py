"""What a runtime hands back for each party: its journal and what the evaluator may read."""

from __future__ import annotations

from typing import NamedTuple

from orchestration.journal import Event
from parties.roles import Observation

__all__ = ["PartyOutcome"]


class PartyOutcome(NamedTuple):
    """One party's events, in its own order, and its observation."""

    events: list[Event]
    observed: Observation
