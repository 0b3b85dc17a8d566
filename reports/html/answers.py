"""What answers give away, and how far the query budget lets that go."""

from __future__ import annotations

from typing import NamedTuple

from reports.records import Leakage, RunRecord
from reports.wording import count

__all__ = ["LeakRow", "budget_text", "enrolment_text", "leak_rows", "leak_text"]


class LeakRow(NamedTuple):
    """One kind of answer: what the best attack measured here needs to recover a row from it."""

    level: str
    note: str
    answers: str
    cosine: str
    attack: str
    covered: bool | None


def leak_rows(record: RunRecord) -> list[LeakRow]:
    """Return the answers of this run, and exact scores beside them where it opened none."""
    used, scores = record.leakage, record.score_leakage
    rows = [] if used is None else [_row(used, "what this run gave")]
    if scores is not None and used is not None and used.level != scores.level:
        rows.append(_row(scores, "for comparison: needs insecure: [open_scores]"))
    return rows


def leak_text(found: Leakage | None) -> str:
    """Return the attack on this run's answers as a sentence."""
    if found is None:
        return "not measured for rows of this length"
    return (
        f"a row, to cosine {found.cosine}, by {found.queries:,} {_answers(found)} (measured on a "
        f"synthetic row; {found.attack})"
    )


def budget_text(record: RunRecord, bits: float) -> str:
    """Return how many probes may be asked, how many were, and whether an attack fits in.

    Args:
        record: of the run.
        bits: what the answer to one probe tells at most.
    """
    found, queries, budget = record.leakage, record.queries, record.queries.budget
    if budget is None:
        return "none: nothing limits how often a client asks"
    text = f"{budget:,} probes, each answered with up to {bits:,.6g} bits"
    if found is not None:
        text += f", {'enough' if budget >= found.queries else 'too few'} for this attack"
    if queries.ledger is None:
        return f"{text}; counted for this run alone"
    left = max(0, budget - queries.spent_before - queries.probes)
    return (
        f"{text}; counted over all runs of ledger {queries.ledger}: {queries.spent_before:,} "
        f"before this run, {queries.probes:,} in it, {left:,} left; what was spent before is told "
        "to every party by one file of the orchestrator"
    )


def enrolment_text(record: RunRecord) -> str:
    """Return how many embeddings may be asked for, which a copy of the network is trained from."""
    queries = record.queries
    if queries.enrolment_budget is None:
        return "none: nothing limits how many embeddings a client is given"
    taken = f"{queries.enrolments:,} of them given"
    return f"{queries.enrolment_budget:,} embeddings, {taken}; counted for this run alone"


def _row(found: Leakage, note: str) -> LeakRow:
    covered = None if found.budget is None else found.budget >= found.queries
    return LeakRow(
        "exact scores" if found.level == "scores" else f"output {found.level}",
        note,
        count(found.queries),
        f"{found.cosine:.4f}",
        found.attack,
        covered,
    )


def _answers(found: Leakage) -> str:
    return "exact scores" if found.level == "scores" else f"answers of level {found.level}"
