"""Tables of latency, traffic, protection and environment, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from protocol.parties import PHASES
from reports.answers import level_text
from reports.html.answers import budget_text, enrolment_text, leak_text
from reports.html.cells import Cell, missing
from reports.html.headline import epsilon
from reports.records import CostRow, RunRecord
from reports.wording import (
    PARTY_NAMES,
    changed,
    count,
    counted,
    decimal,
    duration,
    party_name,
    size,
)

__all__ = [
    "Bar",
    "LinkRow",
    "answer_text",
    "busy_rows",
    "byte_bars",
    "environment_rows",
    "link_rows",
    "metadata_rows",
    "party_rows",
    "phase_rows",
    "probe_rows",
    "protection_rows",
    "run_rows",
]

Row = Mapping[str, Any]
_WHOLE: Final = "features sent until the client holds every decision share"
_SEARCH: Final = "masked probes sent until then"


class Bar(NamedTuple):
    """A line of a bar chart made of table rows; `share` is in per cent of the longest."""

    name: str
    note: str
    value: str
    share: float


class LinkRow(NamedTuple):
    """One direction between two parties: declared beside sent payload, and the frames around."""

    sender: str
    receiver: str
    messages: str
    declared: str
    payload: str
    framing: str
    wire: str
    equal: bool
    share: float


def probe_rows(latency: Row) -> list[tuple[str, str, tuple[Cell, ...]]]:
    """Return what a probe waits for: name, note, then median, 95 % and first search."""
    many = latency["batch"] > 1
    spans = [
        ("batch_s", "Batch to decisions" if many else "Probe to decision", _WHOLE),
        ("search_batch_s", "of it private search", _SEARCH),
    ]
    if many:
        share = f"the batch divided by its probes, {latency['batch']} if full"
        spans += [
            ("probe_s", "Per probe", share),
            ("search_probe_s", "of it private search", share),
        ]
    first = latency["first"] or {}
    return [(name, note, _spread(latency[key], first.get(key))) for key, name, note in spans]


def busy_rows(latency: Row) -> list[tuple[str, tuple[str, ...]]]:
    """Return each party's busy time by phase and in total."""
    return [
        (
            party_name(row["party"]),
            tuple(_busy(row[name]) for name in (*PHASES, "total")),
        )
        for row in latency["per_party"]
    ]


def phase_rows(latency: Row) -> list[tuple[str, str, str]]:
    """Return each phase's wall time and the busy time of all parties in it."""
    return [
        (row["phase"], duration(row["wall_s"]), duration(row["compute_s"]))
        for row in latency["per_phase"]
    ]


def party_rows(traffic: Row) -> list[tuple[str, str, str, str, str]]:
    """Return each party's messages and wire bytes, sent and received."""
    return [
        (
            party_name(row["party"]),
            count(row["sent"]["messages"]),
            size(row["sent"]["wire_bytes"]),
            count(row["received"]["messages"]),
            size(row["received"]["wire_bytes"]),
        )
        for row in traffic["per_party"]
    ]


def link_rows(traffic: Row, costs: Sequence[CostRow]) -> list[LinkRow]:
    """Return every link's bytes beside what the formulas declare for it."""
    most = max((row["wire_bytes"] for row in traffic["per_link"]), default=0)
    ordered = sorted(traffic["per_link"], key=lambda row: -row["wire_bytes"])
    return [_link(row, costs, most) for row in ordered]


def byte_bars(kinds: Sequence[Row]) -> list[Bar]:
    """Return bytes per probe (or entry) by kind of message, in the order they are sent."""
    most = max((row["bytes"] or 0 for row in kinds), default=0)
    ordered = sorted(kinds, key=lambda row: PHASES.index(row["phase"]))
    return [
        Bar(row["kind"], row["phase"], size(row["bytes"]), _percent_of(row["bytes"] or 0, most))
        for row in ordered
    ]


def protection_rows(record: RunRecord, run: Row) -> Iterator[tuple[str, str]]:
    """Yield what shields picture, template and answer; `run` is the summary's section."""
    protection = record.protection
    yield "Frequency part, per element at most", epsilon(protection.element_epsilon)
    yield "Frequency part, per image", epsilon(protection.image_epsilon)
    yield "Colour part, per bit", _colour(protection.colour_bit_epsilon)
    yield "Colour part, per image", _colour(protection.colour_image_epsilon)
    yield "Everything sent of one image", epsilon(protection.total_epsilon)
    if protection.person_uploads:
        most = counted(protection.person_uploads, "picture")
        name = f"Everything sent of one person, {most} at most"
        yield name, epsilon(protection.person_epsilon)
    yield "Features", _settings(protection.features, ("epsilon", "colour_epsilon"))
    mapped = protection.mapping.get("kind", "none") != "none"
    yield "Identity-specific mapping", _settings(protection.mapping) if mapped else "none"
    if mapped:
        yield "Mapping keys", "no second factor: a whole row works, and is linked, without its key"
    yield "Answer given to the client", answer_text(run)
    yield "What answers give away", leak_text(record.leakage)
    yield "Query budget", budget_text(record, run["answer_bits_per_probe"])
    yield "Enrolment budget", enrolment_text(record)
    yield "Network", protection.network


def answer_text(run: Row) -> str:
    """Return what an answer tells, and how much that is at most."""
    bits, level = run["answer_bits_per_probe"], run["answer"]
    most = f"{bits:,.0f}" if bits == int(bits) else f"at most {bits:,.1f}"
    name = {"match": "bitmap", "verified": "verification"}.get(level, level)
    told = level_text(level, scores_opened=run["scores_opened"])
    return f"{name}: {told}; {most} {'bit' if bits == 1 else 'bits'} per probe"


def metadata_rows(run: Row) -> Iterator[tuple[str, str]]:
    """Yield what sizes, counts and times tell everyone who takes part, secrets aside."""
    yield "Rows of the gallery", count(run["entries"])
    yield "Length of a row", f"{count(run['dimension'])} elements of {run['ring_bits']} bits"
    yield (
        "Probes, and how they are grouped",
        f"{count(run['probes'])}, in batches of {run['batch']}",
    )
    if run["changes"]:
        yield "Gallery changes", changed(run["changes"])
    told = level_text(run["answer"], scores_opened=run["scores_opened"])
    yield "Level of the answer", told
    yield "When each message was sent, and how long a party computed", "to everyone on the link"


def run_rows(run: Row) -> Iterator[tuple[str, str]]:
    """Yield the parameters a run was made with."""
    yield "Threshold", f"cosine {decimal(run['threshold_cosine'])}, ring {run['threshold_ring']:,}"
    yield "Ring", f"Z mod 2^{run['ring_bits']}, embeddings scaled to norm {run['scale']:,}"
    yield "Row length", f"{run['dimension']:,} ring elements"
    if run["changes"]:
        yield "Gallery changes between searches", changed(run["changes"])
    yield "Runtime", run["runtime"]
    yield "Wall time", duration(run["wall_s"])
    for party, peak in run["peak_rss_bytes"].items():
        yield f"Peak memory, {PARTY_NAMES.get(party, party).lower()}", size(peak)
    yield "Run", run["id"]
    yield "Audit hash", run["audit_hash"]


def environment_rows(environment: Row) -> Iterator[tuple[str, str]]:
    """Yield where the run was made; nested values become one line each."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield name.capitalize(), ", ".join(f"{key} {_known(v)}" for key, v in value.items())
        elif name.endswith("_gib"):
            yield name.removesuffix("_gib").capitalize(), f"{_known(value)} GiB"
        else:
            yield name.replace("_", " ").capitalize(), _known(value)


def _spread(spread: Row, first: float | None) -> tuple[Cell, ...]:
    warm = "needs a second search"
    return (
        _time(spread["median"], warm),
        _time(spread["p95"], warm),
        _time(first, "no probe was searched"),
    )


def _time(seconds: float | None, why: str) -> Cell:
    return missing(why) if seconds is None else Cell(duration(seconds))


def _busy(seconds: float) -> str:
    return duration(seconds) if seconds else "–"


def _link(row: Row, costs: Sequence[CostRow], most: int) -> LinkRow:
    mine = [c for c in costs if (c.sender, c.receiver) == (row["sender"], row["receiver"])]
    declared = sum(cost.declared_bytes for cost in mine)
    return LinkRow(
        sender=party_name(row["sender"]),
        receiver=party_name(row["receiver"]),
        messages=count(row["messages"]),
        declared=size(declared),
        payload=size(row["payload_bytes"]),
        framing=size(row["framing_bytes"]),
        wire=size(row["wire_bytes"]),
        equal=declared == row["payload_bytes"] and all(cost.equal for cost in mine),
        share=_percent_of(row["wire_bytes"], most),
    )


def _percent_of(part: float, most: float) -> float:
    return round(100 * part / most, 1) if most else 0.0


def _colour(value: float | str | None) -> str:
    return "nothing is sent" if value == 0 else epsilon(value)


def _settings(settings: Row, without: Sequence[str] = ()) -> str:
    shown = {key: "none" if value is None else value for key, value in settings.items()}
    return ", ".join(
        f"{key.replace('_', ' ')} {_known(value)}"
        for key, value in shown.items()
        if key not in without
    )


def _known(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
