"""The run record: `run.json`, what the report needs besides journal and observations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from orchestration.brightness import brightness_notes
from orchestration.environment import environment
from orchestration.journal import Event, audit_hash
from orchestration.leakage import Leakage, measure_leakage
from orchestration.machine import peak_memory_bytes
from orchestration.prepare import Preparation
from orchestration.runtime.outcome import PartyOutcome
from orchestration.stages import Stages
from protocol.costs import DeclaredMessage, InputSize
from protocol.features import PrivacyBudget
from protocol.features.spec import EDGE
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import RunPlan
from protocol.roles import Observation
from protocol.search.bounds import bounds
from protocol.search.policies import policy_named
from protocol.search.pool import Ledger
from protocol.search.protocols import protocol_named
from scenarios.specs import Scenario

__all__ = ["costs_table", "epsilons", "input_size", "probe_latencies_s", "run_record"]

TEMPLATE_ELEMENT_BYTES = 4
_EPSILONS = {
    "element_epsilon": "element_epsilon",
    "image_epsilon": "image_epsilon",
    "colour_bit_epsilon": "colour_bit_epsilon",
    "colour_image_epsilon": "colour_image_epsilon",
    "total_epsilon": "total",
    "person_epsilon": "person_total",
}
_WHOLES = frozenset({"total", "person_total"})
ANSWER_KINDS = frozenset({"DecisionShares", "CountShares", "IdentityShares"})


def run_record(
    scenario: Scenario,
    preparation: Preparation,
    outcomes: Mapping[Party, PartyOutcome],
    *,
    runtime: str,
    started: datetime,
    stages: Stages,
    spent: int = 0,
) -> dict[str, Any]:
    """Return the content of `run.json`.

    Args:
        scenario: the resolved scenario.
        preparation: what was settled before the first message.
        outcomes: what the runtime returned.
        runtime: which runtime ran the parties.
        started: when the job began.
        stages: wall seconds of the job's stages.
        spent: probes that earlier runs of the same ledger asked.
    """
    plan, form = preparation.plan, preparation.form
    events = list(chain.from_iterable(outcome.events for outcome in outcomes.values()))
    return {
        "run": plan.run,
        "scenario": scenario.name,
        "protocol": plan.protocol,
        "description": scenario.description,
        "runtime": runtime,
        "started_utc": started.astimezone(UTC).isoformat(timespec="seconds"),
        "wall_s": round(sum(stages.seconds.values()), 3),
        "stages_s": {name: round(seconds, 3) for name, seconds in stages.seconds.items()},
        "from_cache": stages.from_cache,
        "phases_s": _phase_walls_s(events),
        "threshold_cosine": plan.threshold / form.score_unit,
        "threshold_ring": plan.threshold,
        "scale": scenario.search.ring_scale,
        "dimension": plan.dimension,
        "ring_bits": plan.ring_bits,
        "batch": scenario.data.batch,
        "steps": plan.steps,
        "changes": _changes(plan),
        "protection": _protection(scenario, preparation),
        "environment": environment(),
        "probe_latency_s": probe_latencies_s(events),
        "features_s_per_face": _features_s_per_face(events),
        "costs": costs_table(
            protocol_named(plan.protocol).declared(plan, input_size(scenario)), events
        ),
        "bounds": [bound._asdict() for bound in bounds(plan)],
        "material": _ledger(outcomes[MODEL_PROVIDER].observed),
        "peak_rss_bytes": _peaks(outcomes),
        "audit_hash": audit_hash(events),
        "leakage": _leakage(scenario, plan, "scores" if plan.open_scores else plan.output),
        "score_leakage": _leakage(scenario, plan, "scores"),
        "queries": {
            "budget": scenario.budget,
            "ledger": scenario.ledger,
            "spent_before": spent,
            "probes": plan.probes,
            "enrolment_budget": scenario.enrolment_budget,
            "enrolments": plan.versions,
        },
        "warnings": [
            *preparation.notes,
            *brightness_notes(
                preparation.brightness, outcomes[CLIENT].observed.get("probe_luminance")
            ),
        ],
    }


def input_size(scenario: Scenario) -> InputSize:
    """Return the wire size of one protected input and the length of an embedding."""
    if scenario.network.kind == "identity":
        return InputSize(TEMPLATE_ELEMENT_BYTES * scenario.dimension, scenario.dimension)
    features = scenario.features
    frequency = features.frequency_channels * (features.wire_bits // 8)
    pixels = EDGE * EDGE
    return InputSize((frequency + features.colour_channels) * pixels, scenario.dimension)


def costs_table(
    declared: Iterable[DeclaredMessage], events: Iterable[Event]
) -> list[dict[str, Any]]:
    """Compare declared with sent messages, session by session, folded by kind and round.

    `equal` holds only if every session sent exactly the declared messages with the declared
    payloads; `sessions_differing` counts those that did not.
    """
    sent = Counter(_label(event) for event in events if event.event == "sent")
    wanted = Counter(tuple(message) for message in declared)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for label in sorted({*sent, *wanted}):
        session, kind, sender, receiver, round_, payload = label
        stage = session.partition("-")[0]
        row = rows.setdefault(
            (stage, kind, sender, receiver, round_),
            {
                "session": stage, "kind": kind, "sender": sender, "receiver": receiver,
                "round": round_, "declared_bytes": 0, "measured_bytes": 0,
                "declared_messages": 0, "measured_messages": 0,
                "sessions_differing": 0, "equal": True,
            },
        )  # fmt: skip
        row["declared_bytes"] += payload * wanted[label]
        row["measured_bytes"] += payload * sent[label]
        row["declared_messages"] += wanted[label]
        row["measured_messages"] += sent[label]
        row["sessions_differing"] += wanted[label] != sent[label]
        row["equal"] = row["equal"] and wanted[label] == sent[label]
    return list(rows.values())


def probe_latencies_s(events: Iterable[Event]) -> list[float]:
    """Return, per search, seconds from sending protected features to holding the decisions."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    for event in events:
        if event.party != CLIENT or event.phase != "online":
            continue
        if event.kind == "ProtectedFeatures":
            begun[event.session] = event.at_s
        elif event.kind in ANSWER_KINDS:
            ended[event.session] = max(ended.get(event.session, 0.0), event.at_s)
    return [round(ended[name] - begun[name], 6) for name in sorted(begun) if name in ended]


def _label(event: Event) -> tuple[Any, ...]:
    return (
        event.session, event.kind, event.sender, event.receiver, event.round, event.payload_bytes
    )  # fmt: skip


def _phase_walls_s(events: Iterable[Event]) -> dict[str, float]:
    """Return wall seconds between each phase's first and last event; phases may overlap."""
    spans: dict[str, tuple[float, float]] = {}
    for event in events:
        low, high = spans.get(event.phase, (event.at_s, event.at_s))
        spans[event.phase] = (min(low, event.at_s), max(high, event.at_s))
    return {phase: round(high - low, 6) for phase, (low, high) in spans.items()}


def _features_s_per_face(events: Iterable[Event]) -> float | None:
    """Return client seconds per face from picture file to message, loading included."""
    sent = [e for e in events if e.event == "sent" and e.kind == "ProtectedFeatures"]
    faces = sum(event.shapes["frequency"][0] for event in sent)
    return sum(event.compute_s for event in sent) / faces if faces else None


def _protection(scenario: Scenario, preparation: Preparation) -> dict[str, Any]:
    budget = preparation.budget
    return {
        **epsilons(budget),
        "person_uploads": 0 if budget is None else budget.person_uploads,
        "statement": "no pictures in this scenario" if budget is None else budget.statement,
        "features": scenario.features,
        "mapping": scenario.mapping,
        "output": scenario.search.output,
        "trust_model": policy_named(scenario.search.protocol).trust_model,
        "insecure": sorted(scenario.insecure),
        "synthetic_data": scenario.data.kind in {"synthetic", "templates"},
        "network": preparation.networks.name,
    }


def _leakage(scenario: Scenario, plan: RunPlan, level: str) -> Leakage | None:
    """Return what an attack on answers of a level takes, for rows of this run's length."""
    return measure_leakage(
        dimension=plan.dimension,
        scale=scenario.search.ring_scale,
        threshold=plan.threshold,
        level=level,
        budget=scenario.budget,
    )


def _peaks(outcomes: Mapping[Party, PartyOutcome]) -> dict[str, int]:
    """Return the most resident memory of every party's process, or of the one they share."""
    peaks = {party: outcome.peak_rss_bytes for party, outcome in outcomes.items()}
    own = {str(party): peak for party, peak in peaks.items() if peak is not None}
    return own or {"all parties": peak_memory_bytes()}


def _changes(plan: RunPlan) -> dict[str, int] | None:
    """Return rows changed by kind after the first search; None where the gallery never changes."""
    first = next((n for n, step in enumerate(plan.steps) if step.kind == "search"), 0)
    rows: Counter[str] = Counter()
    for step in plan.steps[first:]:
        rows[step.kind] += step.size
    del rows["search"]
    return dict(rows) or None


def _ledger(observed: Observation) -> dict[str, int] | None:
    """Return how many searches' material was issued, consumed and burnt; None where none is."""
    if "material" not in observed:
        return None
    ledger = Ledger(*map(int, observed["material"]))
    return {**ledger._asdict(), "burnt": ledger.burnt}


def epsilons(budget: PrivacyBudget | None) -> dict[str, float | str | None]:
    """Return the budgets of a picture: numbers, or why there is none.

    A part without noise has "no noise"; a whole that carries noise, but not everywhere, is
    "infinite". None says that the scenario has no pictures.
    """
    if budget is None:
        return dict.fromkeys(_EPSILONS)
    parts = [budget.element_epsilon, budget.colour_image_epsilon]
    noisy = any(0 < part < math.inf for part in parts)
    found: dict[str, float | str | None] = {}
    for name, field in _EPSILONS.items():
        value: float = getattr(budget, field)
        bare = "infinite" if noisy and field in _WHOLES else "no noise"
        found[name] = value if math.isfinite(value) else bare
    return found
