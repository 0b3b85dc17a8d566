"""Run directories that tests may bend, and events made to order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from orchestration.job import run_job
from protocol.parties import Party
from reports.records import Event
from scenarios.schema import parse_scenario

ENTRIES, MATED, UNMATED, BATCH = 12, 5, 4, 4

SCENARIO = """
name: tiny
runtime: memory
data: {{kind: templates, entries: {entries}, mated: {mated}, unmated: {unmated},
        dimension: 32, batch: {batch}, enrol_batch: 5}}
network: {{kind: identity}}
search: {{threshold: 0.3}}
insecure: {insecure}
"""


class EditableRun:
    """A run directory whose files a test changes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def edit_record(self, change: Callable[[dict[str, Any]], object]) -> None:
        file = self.path / "run.json"
        record = json.loads(file.read_text())
        change(record)
        file.write_text(json.dumps(record))

    def journal(self) -> list[dict[str, Any]]:
        lines = (self.path / "journal.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def write_journal(self, events: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(event) + "\n" for event in events)
        (self.path / "journal.jsonl").write_text(text)

    def observations(self) -> dict[str, np.ndarray[Any, Any]]:
        with np.load(self.path / "observations.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def write_observations(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        np.savez(self.path / "observations.npz", **arrays)  # type: ignore[arg-type]


def make_run(out_root: Path, *, open_scores: bool) -> Path:
    """Run twelve templates against nine probes, all parties in this process."""
    insecure = "[trusted_dealer, open_scores]" if open_scores else "[trusted_dealer]"
    text = SCENARIO.format(
        entries=ENTRIES, mated=MATED, unmated=UNMATED, batch=BATCH, insecure=insecure
    )
    return run_job(
        parse_scenario(text), data_root=None, out_root=out_root, on_progress=lambda _: None
    )


def event(**changes: Any) -> Event:
    """Return a sent event, the masked probes of one search, with some fields changed."""
    sender: Party = changes.get("sender", "model_provider")
    receiver: Party = changes.get("receiver", "gallery_holder")
    received = changes.get("event") == "received"
    party, peer = (receiver, sender) if received else (sender, receiver)
    fields: dict[str, Any] = {
        "event": "sent", "party": party, "peer": peer, "run": "r", "session": "search-0000",
        "sequence": 0, "phase": "online", "step": "scores", "round": 1, "sender": sender,
        "receiver": receiver, "kind": "MaskedProbes", "form": "masked", "payload_bytes": 100,
        "wire_bytes": 120, "shapes": {"values": (1, 50)}, "digest": "d", "lamport": 1,
        "at_s": 0.0, "compute_s": 0.0,
    }  # fmt: skip
    return Event(**{**fields, **changes})


def both_ends(**changes: Any) -> list[Event]:
    """Return a message as its sender and as its receiver journaled it."""
    return [event(**changes), event(**{**changes, "event": "received"})]
