from __future__ import annotations

import pytest
from editable_run import BATCH, EditableRun, event

from reports.latency import compute_table, latency_summary, quantile, searches
from reports.records import Event, read_run


def search(number: int, probes: int, asked: float, masked: float, decided: float) -> list[Event]:
    """Return the events of a search that bound its latency, and some that must not."""
    session = f"search-{number:04d}"
    shares = {
        "kind": "DecisionShares",
        "receiver": "client",
        "round": 6,
        "session": session,
        "form": "output",
    }
    return [
        event(
            sender="client", receiver="model_provider", kind="ProtectedFeatures", at_s=asked,
            session=session, shapes={"frequency": (probes, 63), "colour": (probes, 8)},
        ),
        event(session=session, at_s=masked, compute_s=0.5),
        event(session=session, at_s=masked + 0.001, event="received", compute_s=0.25),
        event(**shares, sender="gallery_holder", event="received", at_s=decided - 0.01),
        event(**shares, sender="model_provider", event="received", at_s=decided),
        event(session=session, kind="ScoreShares", phase="evaluation", receiver="client",
              event="received", at_s=decided + 9),
    ]  # fmt: skip


def test_a_search_is_bounded_by_request_masked_probe_and_last_share() -> None:
    (found,) = searches(search(0, 4, asked=1.0, masked=1.5, decided=3.0))
    assert (found.session, found.probes) == ("search-0000", 4)
    assert found.whole_s == pytest.approx(2.0)
    assert found.search_s == pytest.approx(1.5)


def test_the_first_search_is_apart_and_batches_divide_by_their_own_size(
    opened: EditableRun,
) -> None:
    record = read_run(opened.path).record
    events = [
        *search(0, 4, 0, 4, 8),
        *search(1, 4, 10, 11, 12),
        *search(2, 2, 20, 20.5, 22),
        *search(3, 4, 30, 31, 36),
    ]
    summary = latency_summary(events, record)
    assert summary["searches"] == 4
    assert summary["batch_s"]["median"] == pytest.approx(2)
    assert summary["probe_s"]["median"] == pytest.approx(1)
    assert summary["probe_s"]["p95"] == pytest.approx(1.45)
    assert summary["search_probe_s"]["median"] == pytest.approx(0.75)
    assert summary["search_share"] == pytest.approx(7.5 / 10)
    assert summary["first"]["probe_s"] == pytest.approx(2)
    assert summary["first"]["search_probe_s"] == pytest.approx(1)
    assert summary["online_rounds"] == 6


def test_one_search_has_a_first_and_nothing_else(opened: EditableRun) -> None:
    record = read_run(opened.path).record
    summary = latency_summary(search(0, 4, 0, 1, 2), record)
    assert summary["probe_s"] == {"median": None, "p95": None}
    assert summary["search_share"] is None
    assert summary["first"]["batch_s"] == pytest.approx(2)


def test_no_search_at_all_is_none(opened: EditableRun) -> None:
    summary = latency_summary([], read_run(opened.path).record)
    assert summary["first"] is None
    assert summary["online_rounds"] is None
    assert summary["searches"] == 0


def test_an_unanswered_search_does_not_count() -> None:
    assert searches(search(0, 4, 0, 1, 2)[:3]) == []


def test_compute_adds_up_by_party_and_phase() -> None:
    table = {row["party"]: row for row in compute_table(search(0, 4, 0, 1, 2))}
    assert table["model_provider"]["online"] == 0.5
    assert table["gallery_holder"]["online"] == 0.25
    assert "dealer" not in table


def test_a_real_run_agrees_with_its_record(opened: EditableRun) -> None:
    run = read_run(opened.path)
    found = searches(run.events)
    assert [round(s.whole_s, 6) for s in found] == pytest.approx(run.record.probe_latency_s)
    assert [s.probes for s in found] == [BATCH, BATCH, 1]
    assert all(0 < s.search_s < s.whole_s for s in found)
    summary = latency_summary(run.events, run.record)
    busy = sum(e.compute_s for e in run.events)
    assert sum(row["total"] for row in summary["per_party"]) == pytest.approx(busy)
    assert sum(row["compute_s"] for row in summary["per_phase"]) == pytest.approx(busy)
    assert [row["phase"] for row in summary["per_phase"]] == [
        "setup", "enrol", "offline", "online", "evaluation",
    ]  # fmt: skip


def test_quantiles_interpolate() -> None:
    assert quantile([1.0, 2.0, 3.0], 0.95) == pytest.approx(2.9)
    assert quantile([], 0.5) is None
