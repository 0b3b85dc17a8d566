from __future__ import annotations

from editable_run import EditableRun, both_ends, event

from protocol.search.policies import policy_named
from reports.disclosure import coalitions, matrix, openings, party_views, undeclared
from reports.records import read_run

DEALER = policy_named("dealer")


def test_views_hold_everything_that_was_received(opened: EditableRun) -> None:
    run = read_run(opened.path)
    views = party_views(run.events, DEALER)
    assert [view.party for view in views] == list(DEALER.parties)
    received = [e for e in run.events if e.event == "received"]
    assert sum(row.messages for view in views for row in view.received) == len(received)
    assert sum(v.received_bytes for v in views) == sum(e.payload_bytes for e in received)
    for view in views:
        learns = [item for item in DEALER.learns[view.party] if item.holds_for("match")]
        assert list(view.learns) == learns
        assert view.received_bytes == sum(row.payload_bytes for row in view.received)


def test_what_the_client_learns_names_scores_where_they_are_opened(opened: EditableRun) -> None:
    events = read_run(opened.path).events
    for shortcuts in ((), ("open_scores",)):
        client = party_views(events, DEALER, "identity", insecure=shortcuts)[0]
        named = [item for item in client.learns if item.what.startswith("every score")]
        assert len(named) == len(shortcuts)


def test_what_the_provider_learns_depends_on_the_mapping(opened: EditableRun) -> None:
    events = read_run(opened.path).events
    for mapped, reveals in ((False, "decisions"), (True, "estimates")):
        provider = party_views(events, DEALER, mapped=mapped)[1]
        facts = {fact for item in provider.learns for fact in item.reveals}
        assert reveals in facts
        assert ("rows" in facts) is not mapped


def test_the_dealer_sees_requests_only(opened: EditableRun) -> None:
    dealer = next(
        v for v in party_views(read_run(opened.path).events, DEALER) if v.party == "dealer"
    )
    assert [(row.kind, row.form) for row in dealer.received] == [("MaterialRequest", "control")]


def test_only_the_client_receives_anything_plain(opened: EditableRun) -> None:
    for view in party_views(read_run(opened.path).events, DEALER):
        plain = [row.kind for row in view.received if row.form == "plain"]
        assert plain == (["Embeddings"] if view.party == "client" else [])


def test_rows_carry_the_words_of_the_policy(opened: EditableRun) -> None:
    words = {(flow.kind, flow.carries, flow.why) for flow in DEALER.flows}
    for view in party_views(read_run(opened.path).events, DEALER):
        assert {(row.kind, row.carries, row.why) for row in view.received} <= words


def test_every_opening_of_the_policy_is_in_the_ledger(opened: EditableRun) -> None:
    run = read_run(opened.path)
    rows = openings(run.events, DEALER)
    assert [row.value for row in rows] == [opening.value for opening in DEALER.openings]
    counts = {kind: sum(e.kind == kind for e in run.sent()) for row in rows for kind in row.kinds}
    assert [row.messages for row in rows] == [sum(counts[k] for k in row.kinds) for row in rows]
    silent = {row.kinds for row in rows if not row.happened}
    assert silent == {("MaskedChoices",), ("RevealedBits",)}


def test_open_scores_are_flagged(opened: EditableRun, closed: EditableRun) -> None:
    with_scores = openings(read_run(opened.path).events, DEALER)
    assert [row.value for row in with_scores if row.insecure] == ["scores"]
    without = {row.value: row for row in openings(read_run(closed.path).events, DEALER)}
    assert not without["scores"].happened
    assert not any(row.insecure for row in without.values())


def test_an_opening_to_someone_else_does_not_count() -> None:
    wrong = event(kind="DecisionShares", receiver="dealer")
    assert all(row.messages == 0 for row in openings([wrong], DEALER))


def test_coalitions_are_the_policys_and_tolerated_ones_come_first() -> None:
    rows = coalitions(DEALER)
    assert sorted(row.yields for row in rows) == sorted(c.yields for c in DEALER.coalitions)
    excluded = [row.excluded_by_trust_model for row in rows]
    assert excluded == sorted(excluded)
    assert "Model provider and Gallery holder" in {row.members for row in rows}


def test_the_matrix_tells_senders_from_receivers_and_bystanders() -> None:
    (row,) = matrix(both_ends(payload_bytes=70), DEALER)
    cells = dict(zip(DEALER.parties, row.cells, strict=True))
    assert (row.kind, row.phase, row.form) == ("MaskedProbes", "online", "masked")
    assert cells["model_provider"] == (True, None)
    assert cells["gallery_holder"] == (False, 70)
    assert cells["client"] == cells["dealer"] == (False, None)


def test_the_matrix_covers_the_run_in_the_order_of_phases(opened: EditableRun) -> None:
    run = read_run(opened.path)
    rows = matrix(run.events, DEALER)
    assert rows[0].kind == "SeedGrant"
    assert rows[-1].kind == "ScoreShares"
    total = sum(cell.received_bytes or 0 for row in rows for cell in row.cells)
    assert total == sum(e.payload_bytes for e in run.sent())


def test_what_the_policy_does_not_have_is_named(opened: EditableRun) -> None:
    run = read_run(opened.path)
    assert undeclared(run.events, DEALER) == []
    odd = both_ends(kind="Gossip")
    assert undeclared([*run.events, *odd], DEALER) == [
        "Gossip from Model provider to Gallery holder in online (masked)"
    ]
    (row,) = party_views(odd, DEALER)[2].received
    assert (row.carries, row.why) == ("", "")
