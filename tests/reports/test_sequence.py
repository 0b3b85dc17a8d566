from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree as ET

from editable_run import EditableRun, event

from protocol.search.policies import policy_named
from reports.records import Event, read_run
from reports.sequence import cap, fold_summary, fold_title, folds, mermaid, phases_of
from reports.sequence_svg import FORMS, legend_svg, sequence_svg

STATEMENT = re.compile(
    r"sequenceDiagram"
    r"|  participant \w+ as [\w ]+"
    r"|  loop [^;#]+|  end"
    r"|    Note over \w+,\w+: phase \w+"
    r"|    \w+-?->>\w+: \w+ \((round \d+, )?\w+, [\d.,]+ \w+\)"
)

DEALER = policy_named("dealer")


def session(name: str, payload: int = 100, at_s: float = 0.0, **changes: object) -> list[Event]:
    """Return three sent messages of one session, the last `at_s` seconds after the first."""
    common = {"session": name, "payload_bytes": payload, **changes}
    back = {"sender": "gallery_holder", "receiver": "model_provider", "kind": "MaskedScores"}
    return [
        event(**common, lamport=1),
        event(**common, **back, lamport=3, round=2),
        event(**common, kind="MaskedScores", lamport=3, round=2, at_s=at_s),
    ]


def drawn(svg: str) -> int:
    """Return how many messages a drawing shows: each has one tooltip."""
    return svg.count("<title>")


def test_folds_account_for_every_sent_message(opened: EditableRun) -> None:
    run = read_run(opened.path)
    sent = list(run.sent())
    found = folds(run.events)
    assert sum(fold.total_messages for fold in found) == len(sent)
    assert sum(fold.total_payload_bytes for fold in found) == sum(e.payload_bytes for e in sent)
    sessions = Counter(name.partition("-")[0] for name in {e.session for e in sent})
    assert {fold.stage: fold.sessions for fold in found} == sessions
    assert [fold.stage for fold in found] == ["setup", "enrol", "material", "search"]
    for fold in found:
        assert len(fold.messages) * fold.sessions == fold.total_messages


def test_the_last_smaller_batch_folds_but_is_named(opened: EditableRun) -> None:
    search = folds(read_run(opened.path).events)[-1]
    assert (search.sessions, search.same_size) == (3, 2)
    assert fold_title(search) == "search × 3 sessions"
    assert "1 of other size" in fold_summary(search)


def test_the_typical_session_is_neither_first_nor_slowest() -> None:
    times = {"search-0000": 9.0, "search-0001": 1.0, "search-0002": 2.0}
    events = [e for name, at_s in times.items() for e in session(name, at_s=at_s)]
    (fold,) = folds(events)
    assert fold.session == "search-0002"


def test_order_within_a_round_does_not_split_a_fold() -> None:
    first = session("search-0000")
    second = [e for e in session("search-0001") if e.round == 1]
    second += [
        event(session="search-0001", kind="MaskedScores", lamport=2, round=2),
        event(
            session="search-0001", kind="MaskedScores", lamport=4, round=2,
            sender="gallery_holder", receiver="model_provider",
        ),
    ]  # fmt: skip
    assert [fold.sessions for fold in folds(first + second)] == [2]


def test_a_session_that_lacks_a_message_stands_apart() -> None:
    found = folds([*session("search-0000"), *session("search-0001")[:2], *session("search-0002")])
    assert [(fold.sessions, len(fold.messages)) for fold in found] == [(2, 3), (1, 2)]


def test_received_events_are_not_drawn_twice() -> None:
    both = [*session("search-0000"), *session("search-0000", event="received")]
    assert folds(both)[0].total_messages == 3


def test_phases_stay_together_where_they_interleave() -> None:
    events = [
        event(phase="online", lamport=1),
        event(phase="evaluation", lamport=2),
        event(phase="online", lamport=3),
    ]
    (fold,) = folds(events)
    assert [(name, len(run)) for name, run in phases_of(fold.messages)] == [
        ("online", 2), ("evaluation", 1),
    ]  # fmt: skip


def test_the_drawing_shows_each_message_of_a_fold_once(opened: EditableRun) -> None:
    run = read_run(opened.path)
    svg = sequence_svg(run.events, DEALER)
    assert drawn(svg) == sum(len(fold.messages) for fold in folds(run.events))
    assert "search × 3 sessions" in svg
    for name in ("ONLINE", "OFFLINE", "EVALUATION", "ENROL", "round 6", "Gallery holder"):
        assert name in svg
    assert all(f"var(--{form}," in legend_svg() for form in FORMS)


def test_the_drawing_is_well_formed_and_stays_within_its_frame(opened: EditableRun) -> None:
    root = ET.fromstring(sequence_svg(read_run(opened.path).events, DEALER))  # noqa: S314
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    for node in root.iter():
        assert 0 <= float(node.attrib.get("x", 0)) <= width
        assert 0 <= float(node.attrib.get("y", 0)) <= height


def test_equal_journals_give_equal_drawings(opened: EditableRun) -> None:
    events = read_run(opened.path).events
    assert sequence_svg(events, DEALER) == sequence_svg(list(reversed(events)), DEALER)
    assert mermaid(events, DEALER) == mermaid(list(reversed(events)), DEALER)


def test_hundreds_of_messages_are_capped_with_a_note() -> None:
    events = [event(session=f"s{i}", round=i + 1, lamport=i) for i in range(300)]
    found = folds(events)
    kept, missing = cap(found, 50)
    assert (sum(len(fold.messages) for fold in kept), missing) == (50, 250)
    svg = sequence_svg(events, DEALER, 50)
    assert drawn(svg) == 50
    assert "250 further messages not shown" in svg
    assert "250 further messages" in mermaid(events, DEALER, 50)
    assert "not shown" not in sequence_svg(events, DEALER, 300)


def test_a_cap_may_cut_within_a_session() -> None:
    kept, missing = cap(folds(session("search-0000")), 2)
    assert (len(kept[0].messages), missing) == (2, 1)


def test_an_empty_journal_is_drawn_and_written() -> None:
    assert "No message was sent" in sequence_svg([], DEALER)
    assert len(mermaid([], DEALER).splitlines()) == 1 + len(DEALER.parties)


def test_hostile_kinds_stay_text() -> None:
    svg = sequence_svg([event(kind="<script>alert(1)</script>")], DEALER)
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_mermaid_is_made_of_known_statements(opened: EditableRun) -> None:
    text = mermaid(read_run(opened.path).events, DEALER)
    lines = text.splitlines()
    assert [line for line in lines if not STATEMENT.fullmatch(line)] == []
    assert lines.count("  end") == sum(line.startswith("  loop ") for line in lines) == 4
    arrows = sum("->>" in line for line in lines)
    assert arrows == drawn(sequence_svg(read_run(opened.path).events, DEALER))
