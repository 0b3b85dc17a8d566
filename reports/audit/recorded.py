"""The audit of one finished run, from its directory alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from protocol.errors import DataError
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.sharing.ring import Ring
from protocol.views import Array, Public, Trial, View
from reports.answers import answer_of
from reports.audit.alike import sessions_alike
from reports.audit.canaries import canary_scan
from reports.audit.derived import derived_answers
from reports.audit.discipline import flow_policy
from reports.audit.neighbours import neighbours
from reports.audit.relations import relations
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.uniformity import uniformity
from reports.audit.verdicts import ALPHA, Verdict, not_judged, verdict
from reports.checks import run_checks
from reports.records import OBSERVATIONS, RunFiles, read_run
from reports.views import VIEWS, open_views

__all__ = ["NO_VIEWS", "RunTexts", "judge_run", "recorded_trial"]

PIECE_BYTES: Final = 64 << 20
# Longer than any pattern, so that none is cut in two.
OVERLAP_BYTES: Final = 256
NO_VIEWS: Final = (
    "what each party saw was not recorded, so nothing is said of it here: run the scenario again "
    "with --set capture=payloads, and audit that run"
)


def judge_run(run_dir: Path, *, alpha: float = ALPHA) -> Iterator[Verdict]:
    """Yield the verdicts on one run.

    Without recorded views only policy and costs are judged, and a verdict says what is not.

    Raises:
        DataError: the directory is no finished run, or its views cannot be read.
    """
    run = read_run(run_dir)
    yield from _checks(run)
    rules = Rules(run.policy, run.record.protection.insecure)
    if not (run_dir / VIEWS).is_dir():
        yield not_judged("views", "run", NO_VIEWS)
        return
    trial = recorded_trial(run)
    yield flow_policy([trial], rules)
    yield canary_scan([trial], rules)
    yield single_use([trial], rules, neighbours(run_dir, trial.run))
    for party in rules.parties:
        yield sessions_alike(trial, party)
    for party in rules.parties:
        yield uniformity([trial], party, rules, alpha / len(rules.parties))
    yield from relations(trial, rules)
    for members in rules.coalitions():
        yield derived_answers([trial], members, rules)


def recorded_trial(run: RunFiles) -> Trial:
    """Return a run as the audit sees it: views, secrets and the texts in its directory.

    Raises:
        DataError: a view is missing or malformed.
    """
    views = open_views(run.path)
    seen: dict[Party, View] = {party: views.party(party) for party in views.parties}
    absent = [party for party in run.policy.parties if party not in seen]
    if absent:
        raise DataError(f"there is no view of {', '.join(absent)}", where=str(run.path))
    return Trial(
        run=run.record.run,
        views=seen,
        secrets=_secrets(run, seen),
        batches=_places(seen[CLIENT], "search"),
        enrolled=_places(seen[CLIENT], "enrol"),
        texts=RunTexts(run.path),
        public=_public(run),
    )


def _public(run: RunFiles) -> Public | None:
    """Return what everybody knew of a run; None for a record that does not name its sessions."""
    record = run.record
    if not record.steps:
        return None
    level = answer_of(run.observations).level
    mapping = str(record.protection.mapping.get("kind", "none"))
    return Public(record.steps, record.threshold_ring, record.scale, level, mapping)


def _checks(run: RunFiles) -> Iterator[Verdict]:
    """Yield the checks that every report makes, as verdicts."""
    for check in run_checks(run):
        found = [] if check.passed else [check.detail]
        yield verdict(check.name.replace("_", " "), "run", found, check.detail)


def _secrets(run: RunFiles, views: dict[Party, View]) -> dict[str, Array]:
    """Return rows, probes, scores as ring elements, and decisions."""
    ring = Ring(run.policy.ring_bits or run.record.ring_bits)
    rows = views[CLIENT].outputs["rows"]
    probes = views[MODEL_PROVIDER].outputs["probes"]
    decisions = run.observations["oracle_match"]
    secrets: dict[str, Array] = {
        "rows": ring.encode(rows), "probes": ring.encode(probes), "decisions": decisions,
    }  # fmt: skip
    if decisions.shape == (len(probes), len(rows)):
        scores = np.rint(probes.astype(np.float64) @ rows.T.astype(np.float64))
        secrets["scores"] = ring.encode(scores.astype(np.int64))
    return secrets


def _places(view: View, kind: str) -> dict[str, tuple[int, int]]:
    """Return first row or probe and their number, by session, from what the client sent."""
    found: dict[str, tuple[int, int]] = {}
    start = 0
    for seen in view.messages:
        first = seen.event == "sent" and seen.kind == "ProtectedFeatures"
        if first and seen.session.startswith(f"{kind}-"):
            count = len(seen.arrays["frequency"])
            found[seen.session] = (start, count)
            start += count
    return found


class RunTexts(Mapping[str, bytes]):
    """Every file of a run but views and the evaluator's arrays, in pieces that are read when asked.

    `left/` holds what outlived the run's processes: Ray's logs and spilled objects, files in its
    temporary folder, what it wrote into caches.
    """

    def __init__(self, run_dir: Path) -> None:
        self._pieces: dict[str, tuple[Path, int]] = {}
        for path in sorted(run_dir.rglob("*")):
            inside = path.relative_to(run_dir)
            if path.is_file() and inside.parts[0] not in {VIEWS, OBSERVATIONS}:
                for start in range(0, path.stat().st_size, PIECE_BYTES):
                    name = f"{inside} from byte {start:,}" if start else str(inside)
                    self._pieces[name] = path, start

    def __getitem__(self, name: str) -> bytes:
        path, start = self._pieces[name]
        with path.open("rb") as file:
            file.seek(start)
            return file.read(PIECE_BYTES + OVERLAP_BYTES)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)
