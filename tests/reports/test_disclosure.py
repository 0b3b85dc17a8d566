from __future__ import annotations

from editable_run import EditableRun, both_ends, event

from protocol.flows import COALITIONS, FLOWS, LEARNS, OPENINGS
from protocol.parties import PARTIES
from reports.disclosure import coalitions, matrix, openings, party_views, undeclared
from reports.records import read_run


def test_views_hold_everything_that_was_received(opened: EditableRun) -> None:
    run = read_run(opened.path)
    views = party_views(run.events)
    assert [view.party for view in views] == list(PARTIES)
    received = [e for e in run.events if e.event == "received"]
    assert sum(row.messages for view in views for row in view.received) == len(received)
    assert sum(v.received_bytes for v in views) == sum(e.payload_bytes for e in received)
    for view in views:
        assert view.learns == LEARNS[view.party]
        assert view.received_bytes == sum(row.payload_bytes for row in view.received)


def test_the_dealer_sees_requests_only(opened: EditableRun) -> None:
    dealer = next(v for v in party_views(read_run(opened.path).events) if v.party == "dealer")
    assert [(row.kind, row.form) for row in dealer.received] == [("MaterialRequest", "control")]


def test_only_the_client_receives_anything_plain(opened: EditableRun) -> None:
    for view in party_views(read_run(opened.path).events):
        plain = [row.kind for row in view.received if row.form == "plain"]
        assert plain == (["Embeddings"] if view.party == "client" else [])


def test_rows_carry_the_words_of_the_policy(opened: EditableRun) -> None:
    words = {(flow.kind, flow.carries, flow.why) for flow in FLOWS}
    for view in party_views(read_run(opened.path).events):
        assert {(row.kind, row.carries, row.why) for row in view.received} <= words


def test_every_opening_of_the_policy_is_in_the_ledger(opened: EditableRun) -> None:
    run = read_run(opened.path)
    rows = openings(run.events)
    assert [row.value for row in rows] == [opening.value for opening in OPENINGS]
    counts = {kind: sum(e.kind == kind for e in run.sent()) for row in rows for kind in row.kinds}
    assert {row.kinds[0]: row.messages for row in rows} == counts
    assert all(row.happened for row in rows)


def test_open_scores_are_flagged(opened: EditableRun, closed: EditableRun) -> None:
    with_scores = openings(read_run(opened.path).events)
    assert [row.value for row in with_scores if row.insecure] == ["scores"]
    without = {row.value: row for row in openings(read_run(closed.path).events)}
    assert not without["scores"].happened
    assert not any(row.insecure for row in without.values())


def test_an_opening_to_someone_else_does_not_count() -> None:
    wrong = event(kind="DecisionShares", receiver="dealer")
    assert all(row.messages == 0 for row in openings([wrong]))


def test_coalitions_are_the_policys_and_tolerated_ones_come_first() -> None:
    rows = coalitions()
    assert sorted(row.yields for row in rows) == sorted(c.yields for c in COALITIONS)
    excluded = [row.excluded_by_trust_model for row in rows]
    assert excluded == sorted(excluded)
    assert "Model provider and Gallery holder" in {row.members for row in rows}


def test_the_matrix_tells_senders_from_receivers_and_bystanders() -> None:
    (row,) = matrix(both_ends(payload_bytes=70))
    cells = dict(zip(PARTIES, row.cells, strict=True))
    assert (row.kind, row.phase, row.form) == ("MaskedProbes", "online", "masked")
    assert cells["model_provider"] == (True, None)
    assert cells["gallery_holder"] == (False, 70)
    assert cells["client"] == cells["dealer"] == (False, None)


def test_the_matrix_covers_the_run_in_the_order_of_phases(opened: EditableRun) -> None:
    run = read_run(opened.path)
    rows = matrix(run.events)
    assert rows[0].kind == "SeedGrant"
    assert rows[-1].kind == "ScoreShares"
    total = sum(cell.received_bytes or 0 for row in rows for cell in row.cells)
    assert total == sum(e.payload_bytes for e in run.sent())


def test_what_the_policy_does_not_have_is_named(opened: EditableRun) -> None:
    run = read_run(opened.path)
    assert undeclared(run.events) == []
    odd = both_ends(kind="Gossip")
    assert undeclared([*run.events, *odd]) == [
        "Gossip from Model provider to Gallery holder in online (masked)"
    ]
    (row,) = party_views(odd)[2].received
    assert (row.carries, row.why) == ("", "")
