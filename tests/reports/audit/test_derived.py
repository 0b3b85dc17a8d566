"""What follows from values in the clear is stated, and fails where the policy is silent on it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.audit.experiment import Sizes, play_all
from orchestration.job import run_job
from protocol.flows import Policy
from protocol.parties import MODEL_PROVIDER as PROVIDER
from protocol.search.policies import policy_named, policy_names
from protocol.views import Public, Seen, Trial, View
from reports.audit import CHECKS, Experiment, Verdict, Worlds, judge_run
from reports.audit.derived import area_under_curve, derived_answers
from reports.audit.rules import Rules
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

FEW = Sizes(runs=1, held_out=0, wide_elements=0, mapped=2)
(DERIVED,) = (check for check in CHECKS if check.name == "derived answers")


def scenario(protocol: str = "dealer", *overrides: str) -> Scenario:
    text = f"""
        name: derived
        runtime: memory
        data: {{kind: templates, dimension: 32, entries: 12, mated: 8, unmated: 4, batch: 4}}
        network: {{kind: identity}}
        search: {{protocol: {protocol}, threshold: 0.5}}
        insecure: [{", ".join(policy_named(protocol).shortcuts)}]
    """
    return parse_scenario(text, overrides)


def played(told: Scenario, policy: Policy | None = None) -> list[Verdict]:
    """Play a few runs and make this check alone."""
    runs = play_all(told, FEW, 1)
    worlds = [Worlds(pair.name, pair.one, pair.two, pair.differ) for pair in runs.worlds]
    experiment = Experiment(worlds, runs.random, runs.wide, runs.mapped)
    return list(DERIVED.run(experiment, Rules(policy or policy_named(told.search.protocol)), 0.0))


def derived(verdicts: list[Verdict], subject: str) -> list[Verdict]:
    return [v for v in verdicts if v.check == "derived answers" and v.subject == subject]


def silent(policy: Policy, party: str) -> Policy:
    """Return a policy that announces to nobody what a party can derive."""
    learns = {
        name: tuple(k._replace(reveals=()) if name == party else k for k in known)
        for name, known in policy.learns.items()
    }
    return policy._replace(learns=learns)


@pytest.mark.parametrize("protocol", policy_names())
def test_every_decision_follows_for_the_provider_of_a_played_protocol(protocol: str) -> None:
    verdicts = played(scenario(protocol))
    (found,) = derived(verdicts, PROVIDER)
    assert found.state == "stated"
    counts = r"64 of 64 scores and decisions, (\d+) of \1 matches among them, follow"
    matches = re.match(counts, found.detail)
    assert matches
    # At least one's own row matches each probe of two of the four groups of people.
    assert int(matches[1]) >= 8
    assert "16 of 16 rows and 16 of 16 probes" in found.detail
    (holder,) = derived(verdicts, "gallery_holder")
    assert holder.state == "good"
    assert "no row, probe, score or decision follows" in holder.detail
    (pair,) = derived(verdicts, "model_provider+gallery_holder")
    assert pair.detail == "no more follows than for model provider alone"


@pytest.mark.parametrize("protocol", ["dealer", "replicated"])
def test_a_policy_that_is_silent_on_what_follows_fails(protocol: str) -> None:
    verdicts = played(scenario(protocol), silent(policy_named(protocol), PROVIDER))
    (found,) = derived(verdicts, PROVIDER)
    assert found.failed
    text = "does not announce to model provider that it learns decisions, probes, rows, scores"
    assert text in found.detail
    assert [v.subject for v in verdicts if v.passed and "+" not in v.subject] == [
        party for party in policy_named(protocol).parties if party != PROVIDER
    ]


@pytest.mark.parametrize("kind", ["folded", "polyprotect"])
def test_under_keys_the_provider_estimates_decisions_and_learns_no_row(kind: str) -> None:
    told = scenario("dealer", f"mapping.kind={kind}", "search.ring_bits=32")
    _, found = derived(played(told), PROVIDER)
    assert found.state == "stated"
    assert "rows" not in found.detail
    assert "32 of 32 probes follow" in found.detail
    _, both = derived(played(told), "client+model_provider")
    assert "256 of 256 scores and decisions" in both.detail
    area = float(found.detail.partition("AUC ")[2].partition(" ")[0])
    assert area > 0.9
    _, blamed = derived(played(told, silent(policy_named("dealer"), PROVIDER)), PROVIDER)
    assert blamed.failed
    assert "that it learns estimates, probes" in blamed.detail


def test_a_recorded_run_says_what_follows_from_it(tmp_path: Path) -> None:
    recorded = msgspec.structs.replace(scenario(), capture="payloads")
    path = run_job(recorded, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    verdicts = list(judge_run(path))
    assert [v for v in verdicts if v.failed] == []
    (found,) = derived(verdicts, PROVIDER)
    assert "144 of 144 scores and decisions" in found.detail
    assert "12 of 12 rows and 12 of 12 probes" in found.detail


def test_a_gallery_that_changes_is_followed_row_by_row(tmp_path: Path) -> None:
    told = scenario(
        "replicated", "capture=payloads", "data.entries=6", "data.mated=6", "data.unmated=2",
        "data.batch=2", "life={every: 1, update: 1, delete: 1, enrol: 1, refresh: 1}",
    )  # fmt: skip
    path = run_job(told, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    (found,) = derived(list(judge_run(path)), PROVIDER)
    assert "48 of 48 scores and decisions" in found.detail
    assert "12 of 12 rows and 8 of 8 probes" in found.detail


def test_a_run_whose_sessions_were_not_kept_is_not_judged() -> None:
    trial = Trial("run", {}, {}, {}, {}, {})
    assert derived_answers([trial], [PROVIDER], Rules(policy_named("dealer"))).passed is None


def test_an_embedding_that_reaches_a_server_in_the_clear_is_found() -> None:
    """A plain message that the policy declares, with content that it should not have."""
    whole = play_all(scenario(), FEW, 1).worlds[0].one[0]
    steps = whole.public.steps if whole.public else ()
    session = next(step.session for step in steps if step.kind == "enrol")
    sent = next(m for m in whole.views[PROVIDER].messages if m.kind == "Embeddings")
    facts: dict[str, object] = {
        "event": "received", "session": session, "phase": "enrol", "round": 1,
        "sender": PROVIDER, "receiver": "gallery_holder", "kind": "RevealedBits",
        "arrays": dict(sent.arrays), "numbers": {},
    }  # fmt: skip
    holder = View("gallery_holder", [Seen(**facts)], [], [], [], {})  # type: ignore[arg-type]
    trial = whole._replace(views={**whole.views, "gallery_holder": holder})
    found = derived_answers([trial], ["gallery_holder"], Rules(policy_named("dealer")))
    assert found.failed
    assert "that it learns rows: 4 of 4 rows follow" in found.detail


def test_a_wrong_threshold_derives_no_wrong_decision() -> None:
    """Decisions count as derived only where they are right."""
    whole = play_all(scenario(), FEW, 1).worlds[0].one[0]
    assert whole.public is not None
    wrong = whole._replace(public=whole.public._replace(threshold=-(10**6)))
    found = derived_answers([wrong], [PROVIDER], Rules(policy_named("dealer")))
    matches = int(whole.secrets["decisions"].sum())
    assert f"{matches} of 16 scores and decisions" in found.detail


def test_public_settings_come_from_the_plan() -> None:
    runs = play_all(scenario("dealer", "search.output=any"), FEW, 1)
    public = runs.worlds[0].one[0].public
    assert isinstance(public, Public)
    assert (public.answer, public.mapping, public.scale) == ("any", "none", 127)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_the_area_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], dtype=np.float64)
    positive = np.array([kind for _, kind in pairs], dtype=np.bool_)
    found = area_under_curve(scores, positive)
    one, two = scores[positive], scores[~positive]
    if not one.size or not two.size:
        assert found is None
        return
    above = (one[:, None] > two).mean() + (one[:, None] == two).mean() / 2
    assert found == pytest.approx(above)
