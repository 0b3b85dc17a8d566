"""The other recorded runs in a run's folder, for what may be used once over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from protocol.errors import DataError
from protocol.search.policies import policy_named
from protocol.views import Trial
from reports.audit.rules import Rules
from reports.protocols import protocol_of
from reports.views import VIEWS, open_views

__all__ = ["Neighbour", "neighbours"]


class Neighbour(NamedTuple):
    """Another run: its views and its policy; no trial where it cannot be read."""

    path: Path
    trial: Trial | None
    rules: Rules | None


def neighbours(run_dir: Path, run: str) -> Iterator[Neighbour]:
    """Yield the runs with recorded views beside a run, finished or aborted; not copies of it.

    The runs folder holds one folder per scenario, which holds one folder per run.
    """
    own = run_dir.resolve()
    for folder in sorted(own.parent.parent.glob(f"*/*/{VIEWS}")):
        path = folder.parent
        if path.resolve() == own or path.is_symlink() or path.parent.is_symlink():
            continue
        found = _read(path)
        if found.trial is None or found.trial.run != run:
            yield found


def _read(path: Path) -> Neighbour:
    try:
        views = open_views(path)
        seen = {party: views.party(party) for party in views.parties}
        rules = Rules(policy_named(protocol_of(path)))
    except DataError:
        return Neighbour(path, None, None)
    return Neighbour(path, Trial(views.run, seen, {}, {}, {}, {}), rules)
