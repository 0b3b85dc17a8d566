"""The audit of a run that was aborted: what its error, its logs and its messages give away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protocol.search.policies import policy_named
from protocol.views import Trial
from reports.audit.canaries import canary_scan
from reports.audit.neighbours import neighbours
from reports.audit.recorded import NO_VIEWS, RunTexts
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.verdicts import Verdict, not_judged, verdict
from reports.disclosure import undeclared
from reports.protocols import protocol_of
from reports.records import read_events
from reports.views import VIEWS, open_views

__all__ = ["judge_aborted"]


def judge_aborted(run_dir: Path) -> Iterator[Verdict]:
    """Yield the verdicts on an aborted run.

    It has no rows, probes and answers to compare with; pictures, seeds and draws are searched
    for, and what was sent is held to the policy.

    Without recorded views only its messages are judged, and a verdict says what is not.

    Raises:
        DataError: its journal or its views cannot be read.
    """
    policy = policy_named(protocol_of(run_dir))
    events = read_events(run_dir)
    good = f"{len(events):,} events until it was aborted, all in the policy"
    yield verdict("nothing undeclared", "run", undeclared(events, policy), good)
    if not (run_dir / VIEWS).is_dir():
        yield not_judged("views", "run", NO_VIEWS)
        return
    views = open_views(run_dir)
    seen = {party: views.party(party) for party in views.parties}
    trial = Trial(views.run, seen, {}, {}, {}, RunTexts(run_dir))
    yield canary_scan([trial], Rules(policy))
    yield single_use([trial], Rules(policy), neighbours(run_dir, views.run))
