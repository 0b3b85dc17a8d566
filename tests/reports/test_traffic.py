from __future__ import annotations

from typing import Any

import pytest
from editable_run import BATCH, ENTRIES, MATED, UNMATED, EditableRun, both_ends, event
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.checks import run_checks
from reports.records import Event, read_run
from reports.traffic import per_probe, sequence_gaps, totals, traffic_summary, unpaired

PROBES = MATED + UNMATED

MESSAGES = [
    *both_ends(),
    *both_ends(sequence=1, kind="MaskedScores", payload_bytes=8, wire_bytes=30, phase="online"),
    *both_ends(
        sender="dealer", kind="QueryCorrections", phase="offline", payload_bytes=50, wire_bytes=60
    ),
    *both_ends(
        sender="client", receiver="model_provider", kind="ProtectedFeatures", payload_bytes=500,
        wire_bytes=510,
    ),
    *both_ends(
        sender="gallery_holder", receiver="client", kind="ScoreShares", phase="evaluation",
        payload_bytes=40, wire_bytes=50,
    ),
    *both_ends(
        sender="client", receiver="gallery_holder", kind="GalleryShares", phase="enrol",
        session="enrol-0000", payload_bytes=1000, wire_bytes=1020,
    ),
]  # fmt: skip


def failing(run: EditableRun) -> set[str]:
    return {check.name for check in run_checks(read_run(run.path)) if not check.passed}


def test_totals_by_hand() -> None:
    summary = traffic_summary(MESSAGES, probes=2, entries=4)
    assert summary["total"] == {
        "messages": 6,
        "payload_bytes": 1698,
        "wire_bytes": 1790,
        "framing_bytes": 92,
        "framing_share": 92 / 1790,
    }
    parties = {row["party"]: row for row in summary["per_party"]}
    assert parties["client"]["sent"]["wire_bytes"] == 1530
    assert parties["client"]["received"]["wire_bytes"] == 50
    assert parties["dealer"]["received"]["messages"] == 0
    assert [row["phase"] for row in summary["per_phase"]] == [
        "enrol", "offline", "online", "evaluation",
    ]  # fmt: skip
    links = {(row["sender"], row["receiver"]): row["messages"] for row in summary["per_link"]}
    assert links["model_provider", "gallery_holder"] == 2


def test_bytes_per_probe_keep_offline_online_and_evaluation_apart() -> None:
    probe = per_probe([e for e in MESSAGES if e.event == "sent"], 2)
    assert (probe["offline"], probe["online"], probe["evaluation"]) == (30.0, 330.0, 25.0)
    assert (probe["upload"], probe["between_servers"]) == (255.0, 75.0)
    kinds = {row["kind"]: row["bytes"] for row in probe["kinds"]}
    assert kinds == {
        "MaskedProbes": 60.0, "MaskedScores": 15.0, "QueryCorrections": 30.0,
        "ProtectedFeatures": 255.0, "ScoreShares": 25.0,
    }  # fmt: skip


def test_enrolment_is_counted_per_entry() -> None:
    entry = traffic_summary(MESSAGES, probes=2, entries=4)["per_entry_bytes"]
    assert entry["enrol"] == 255.0
    assert [row["kind"] for row in entry["kinds"]] == ["GalleryShares"]


def test_no_probes_and_no_messages_are_none_not_nan() -> None:
    probe = per_probe([e for e in MESSAGES if e.event == "sent"], 0)
    assert probe["online"] is None
    assert all(row["bytes"] is None for row in probe["kinds"])
    assert totals([])["framing_share"] is None


def test_every_dimension_adds_up_to_the_total(opened: EditableRun) -> None:
    run = read_run(opened.path)
    summary = traffic_summary(run.events, run.probes, run.entries)
    whole = summary["total"]["wire_bytes"]
    assert summary["reconciled"]
    assert summary["unpaired"] == []
    for table in ("per_link", "per_phase", "per_kind"):
        assert sum(row["wire_bytes"] for row in summary[table]) == whole
    for end in ("sent", "received"):
        assert sum(row[end]["wire_bytes"] for row in summary["per_party"]) == whole


def test_a_real_run_sends_what_its_size_demands(opened: EditableRun) -> None:
    run = read_run(opened.path)
    kinds = {row["kind"]: row for row in per_probe(list(run.sent()), run.probes)["kinds"]}
    searches = -(-PROBES // BATCH)
    assert kinds["MaskedProbes"]["messages"] == searches
    assert kinds["MaskedProbes"]["payload_bytes"] == PROBES * 32 * 2
    assert kinds["ScoreShares"]["payload_bytes"] == 2 * PROBES * ENTRIES * 2


def test_a_lost_message_is_named() -> None:
    (line,) = unpaired(MESSAGES[:-1])
    assert line == (
        "GalleryShares number 0 from client to gallery_holder in enrol-0000: "
        "sent, not received as such"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "other"},
        {"wire_bytes": 121},
        {"payload_bytes": 99},
        {"sequence": 7},
        {"session": "search-0001"},
        {"phase": "offline"},
        {"kind": "MaskedBits"},
    ],
)
def test_ends_that_differ_are_reported_from_both_sides(change: dict[str, Any]) -> None:
    lines = unpaired([event(), event(**{**change, "event": "received"})])
    assert len(lines) == 2
    assert sum("not received as such" in line for line in lines) == 1


def test_an_event_under_a_third_partys_name_is_reported() -> None:
    (line,) = unpaired([event(), event(event="received", party="dealer")])
    assert "journaled by dealer" in line


def test_gaps_and_repeats_in_numbering_are_found_per_end() -> None:
    assert sequence_gaps([*both_ends(), *both_ends(sequence=1)]) == []
    assert sequence_gaps([*both_ends(), *both_ends(sequence=2)]) == [
        "model_provider -> gallery_holder (received)",
        "model_provider -> gallery_holder (sent)",
    ]
    assert len(sequence_gaps([*both_ends(), event(event="received")])) == 1
    assert sequence_gaps([event(sequence=1)]) == ["model_provider -> gallery_holder (sent)"]


@settings(max_examples=40)
@given(st.permutations(MESSAGES), st.integers(0, len(MESSAGES) - 1))
def test_pairing_ignores_order_and_notices_any_missing_event(
    events: list[Event], lost: int
) -> None:
    assert unpaired(events) == []
    assert len(unpaired(events[:lost] + events[lost + 1 :])) == 1


def test_an_untouched_run_passes_every_check(opened: EditableRun, closed: EditableRun) -> None:
    assert failing(opened) == set()
    assert failing(closed) == set()


@pytest.mark.parametrize("line", [0, 7, 20, -1])
def test_removing_any_journal_line_is_noticed(opened: EditableRun, line: int) -> None:
    events = opened.journal()
    del events[line]
    opened.write_journal(events)
    assert "traffic_reconciled" in failing(opened)


def test_removing_both_ends_of_the_last_message_is_noticed(opened: EditableRun) -> None:
    events = opened.journal()
    last = max(e["sequence"] for e in events if (e["sender"], e["receiver"]) == _LINK)
    kept = [e for e in events if (e["sender"], e["receiver"], e["sequence"]) != (*_LINK, last)]
    assert len(kept) == len(events) - 2
    opened.write_journal(kept)
    assert failing(opened) == {"costs_equal_declared"}


_LINK = ("gallery_holder", "client")


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"payload_bytes": 1}, {"traffic_reconciled"}),
        ({"digest": "0"}, {"traffic_reconciled"}),
        ({"kind": "Gossip"}, {"traffic_reconciled", "nothing_undeclared"}),
        ({"form": "plain"}, {"nothing_undeclared"}),
        ({"step": "afterwards"}, {"nothing_undeclared"}),
        ({"sequence": 10_000}, {"traffic_reconciled", "sequences_gapless"}),
    ],
)
def test_altering_one_received_event_fails_the_right_checks(
    opened: EditableRun, changes: dict[str, Any], failed: set[str]
) -> None:
    events = opened.journal()
    received = [e for e in events if e["event"] == "received"]
    received[len(received) // 2].update(changes)
    opened.write_journal(events)
    assert failing(opened) == failed


def test_scores_opened_without_leave_are_undeclared(opened: EditableRun) -> None:
    opened.edit_record(lambda record: record["protection"].update(insecure=["trusted_dealer"]))
    assert failing(opened) == {"nothing_undeclared"}
