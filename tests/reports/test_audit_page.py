"""The report shows a run's audit, its data flows and its threats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from editable_run import EditableRun

from protocol.errors import DataError
from protocol.search.policies import policy_named, policy_names
from reports.audit.record import AUDIT, AuditRecord, keep_audit, read_audit
from reports.audit.verdicts import Verdict, verdict
from reports.exports.dataflow import dataflow_svg
from reports.exports.linddun import THREATS, ThreatTable, threats_of
from reports.html import page
from reports.html.audit import audit_view, subject_name
from reports.records import Event, read_events, read_record
from reports.summary import build

GOLDEN = Path(__file__).parent.parent / "golden"
DEALER = policy_named("dealer")
PAIR = "model_provider+dealer"


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compute_figure", "curves_figure", "scores_figure"):
        monkeypatch.setattr(page, name, lambda *_: None)


def good(check: str, subject: str, **facts: Any) -> Verdict:
    return verdict(check, subject, [], f"{check} compared", **facts)


def record_of(source: EditableRun, *recorded: Verdict) -> AuditRecord:
    return AuditRecord(
        run=read_record(source.path / "run.json").run,
        audited_utc="2026-01-02 03:04 UTC",
        seed=1,
        recorded=list(recorded),
        played=[good("uniformity", party, tests=10, alpha=1e-7) for party in DEALER.parties],
    )


def text_of(source: EditableRun) -> str:
    build(source.path)
    markup = (source.path / "report.html").read_text()
    body = re.sub(r"<style.*?</style>", " ", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_run_that_was_not_audited_says_how_to(opened: EditableRun) -> None:
    text = text_of(opened)
    assert "Not audited" in text
    assert "bauta audit ." in text


def test_a_good_audit_stands_beside_the_checks(opened: EditableRun) -> None:
    keep_audit(opened.path, record_of(opened, good("single use", "run"), good("algebra", PAIR)))
    text = text_of(opened)
    assert "✓ Audit: all 6 verdicts good" in text
    assert "audited 2026-01-02 03:04 UTC" in text
    assert "at most 4.0e-07 for the whole audit, over 40 statistical tests" in text
    assert "Model provider and Dealer must not happen ✓ good algebra compared" in text
    assert "First to fail" not in text


def test_what_failed_first_is_told_first(opened: EditableRun) -> None:
    bad = [verdict("canaries", "run", [f"row {n} in a log"], "") for n in range(2)]
    keep_audit(opened.path, record_of(opened, good("single use", "run"), *bad))
    text = text_of(opened)
    assert "✗ Audit: 2 of 7 verdicts failed" in text
    assert "First to fail: canaries, whole run. row 0 in a log" in text
    assert text.index("row 0 in a log") < text.index("row 1 in a log")


def test_an_audit_of_another_run_or_no_audit_at_all_is_refused(opened: EditableRun) -> None:
    record = record_of(opened, good("single use", "run"))
    keep_audit(opened.path, msgspec.structs.replace(record, run="another"))
    with pytest.raises(DataError, match="an audit of another run"):
        build(opened.path)
    (opened.path / AUDIT).write_text("[]")
    with pytest.raises(DataError, match="not an audit"):
        read_audit(opened.path, record.run)


def test_every_verdict_is_counted_once() -> None:
    subjects = ["run", *DEALER.parties, PAIR, "client+dealer"]
    found = [good("one", subject) for subject in subjects] + [verdict("two", "run", ["bad"], "")]
    record = AuditRecord(run="r", audited_utc="", seed=1, recorded=found, played=[])
    view = audit_view(record, DEALER)
    assert view is not None
    (part,) = view.parts
    assert sum(cell.total for row in part.rows for cell in row.cells) == len(found)
    assert [row.excluded for row in part.coalitions] == [True, False]
    assert part.verdicts[0].check == "two"
    assert audit_view(None, DEALER) is None
    assert subject_name(PAIR) == "Model provider and Dealer"


@pytest.mark.parametrize("name", policy_names())
def test_the_data_flow_diagram_has_a_boundary_per_party_and_an_arrow_per_direction(
    name: str,
) -> None:
    events, policy = read_events(GOLDEN / f"{name}-bitmap"), policy_named(name)
    tree = ET.fromstring(dataflow_svg(events, policy))  # noqa: S314 - our own text
    tags = [(node.tag.rpartition("}")[2], node.get("class")) for node in tree.iter()]
    legend = 1
    assert tags.count(("rect", "edge")) == len(policy.parties) + legend
    links = {(event.sender, event.receiver) for event in events}
    assert tags.count(("polygon", None)) == len(links)
    assert labels_of(tree) == sorted(expected_labels(events))


def labels_of(tree: ET.Element) -> list[str]:
    texts = [node for node in tree.iter() if node.get("class") == "label"]
    return sorted(str(node.text).partition(":")[0] for node in texts)


def expected_labels(events: list[Event]) -> list[str]:
    return [form for _, _, form in {(e.sender, e.receiver, e.form) for e in events}]


@pytest.mark.parametrize("name", policy_names())
def test_codes_of_the_threat_table_stand_for_the_texts(name: str) -> None:
    policy = policy_named(name)
    table = ThreatTable.of(policy)
    texts = {note.code: (note.threat, note.text) for note in table.notes}
    assert len(texts) == len(table.notes)
    for row in table.rows:
        shown = dict(texts[code] for code in row.codes if code)
        assert shown == threats_of(row.flow)
        assert len(row.codes) == len(THREATS)


def test_what_sizes_tell_is_listed(opened: EditableRun) -> None:
    text = text_of(opened)
    assert "Rows of the gallery 12" in text
    assert "Length of a row 32 elements of 16 bits" in text
    assert "9, in batches of 4" in text
