"""Which search protocol a run directory is of, whether its run ended well or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from protocol.errors import DataError
from protocol.search.policies import policy_names
from reports.records import SCENARIO

__all__ = ["protocol_of"]


def protocol_of(run_dir: Path) -> str:
    """Return the search protocol of a run, finished, aborted or golden: what its scenario says.

    Raises:
        DataError: there is no scenario, or it names no protocol that exists.
    """
    path = run_dir / SCENARIO
    try:
        scenario: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        hint = "this is no run directory"
        raise DataError("no scenario can be read", where=str(path), hint=hint) from error
    search = scenario.get("search") if isinstance(scenario, dict) else None
    name = search.get("protocol") if isinstance(search, dict) else None
    if name not in policy_names():
        known = ", ".join(policy_names())
        raise DataError("names no search protocol", where=str(path), hint=f"one of {known}")
    return str(name)
