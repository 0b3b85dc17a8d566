"""The audit of a run that was aborted: what its error, its logs and its messages give away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protocol.search.policies import policy_named
from protocol.views import Trial
from reports.audit.canaries import canary_scan
from reports.audit.neighbours import neighbours
from reports.audit.recorded import RunTexts
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.verdicts import Verdict, verdict
from reports.disclosure import undeclared
from reports.protocols import protocol_of
from reports.records import read_events
from reports.views import open_views

__all__ = ["judge_aborted"]


def judge_aborted(run_dir: Path) -> Iterator[Verdict]:
    """Yield the verdicts on an aborted run.

    It has no rows, probes and answers to compare with; pictures, seeds and draws are searched
    for, and what was sent is held to the policy.

    Raises:
        DataError: no views were recorded, or they cannot be read.
    """
    policy = policy_named(protocol_of(run_dir))
    views, events = open_views(run_dir), read_events(run_dir)
    seen = {party: views.party(party) for party in views.parties}
    trial = Trial(views.run, seen, {}, {}, {}, RunTexts(run_dir))
    good = f"{len(events):,} events until it was aborted, all in the policy"
    yield verdict("nothing undeclared", "run", undeclared(events, policy), good)
    yield canary_scan([trial], Rules(policy))
    yield single_use([trial], Rules(policy), neighbours(run_dir, views.run))
