"""A run as data frames, for people who go on computing where the report stops."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd

from protocol.errors import DataError
from reports.answers import answer_of, match_of
from reports.latency import compute_table, searches
from reports.records import CLAIMS, RunFiles
from reports.traffic import grouped

__all__ = ["run_tables", "write_tables"]


def run_tables(run: RunFiles) -> dict[str, pd.DataFrame]:
    """Return the tables of a run.

    Returns:
        journal (one row per event), messages (totals by phase, kind and link, counted at the
        senders), costs (declared beside measured), searches (seconds per batch), compute (busy
        seconds by party and phase) and decisions (one row per probe).
    """
    sent = [event for event in run.events if event.event == "sent"]
    frames = {
        "journal": pd.json_normalize(msgspec.to_builtins(run.events), max_level=0),
        "messages": pd.DataFrame(grouped(sent, ("phase", "kind", "form", "sender", "receiver"))),
        "costs": pd.DataFrame(msgspec.to_builtins(run.record.costs)),
        "searches": pd.DataFrame([search._asdict() for search in searches(run.events)]),
        "compute": pd.DataFrame(compute_table(run.events)),
        "decisions": _decisions(run),
    }
    return {name: frame for name, frame in frames.items() if len(frame.columns)}


def write_tables(run: RunFiles, folder: Path) -> list[Path]:
    """Write every table as CSV into a folder and return the files.

    Raises:
        DataError: the folder cannot be made or written.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in run_tables(run).items():
            paths.append(folder / f"{name}.csv")
            frame.to_csv(paths[-1], index=False)
    except OSError as error:
        text = f"cannot be written: {error.strerror or type(error).__name__}"
        raise DataError(text, where=str(folder), hint="choose another place with --out") from error
    return paths


def _decisions(run: RunFiles) -> pd.DataFrame:
    """Return, per probe, its person, the answer as far as it fits a cell, and whether it is right.

    Where the client learns about rows, that is how many matched and whether its own row did.
    """
    seen, answer = run.observations, answer_of(run.observations)
    columns = {"probe_identity": seen["probe_identity"], "mated": seen["probe_identity"] >= 0}
    match = match_of(seen)
    if match is None:
        columns[answer.level] = answer.secure
    else:
        own = seen["probe_identity"][:, None] == seen["gallery_identity"][None, :]
        columns["rows_matched"] = match.sum(axis=1)
        columns["own_row_matched"] = (match & own).any(axis=1)
    if CLAIMS in seen:
        columns[CLAIMS] = seen[CLAIMS]
    return pd.DataFrame({**columns, "equals_oracle": answer.right})
