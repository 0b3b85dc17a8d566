"""The main job on the memory runtime: run directory, oracle, costs, reproducibility, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pytest

from orchestration.job import _patience_s, run_job
from orchestration.record import probe_latencies_s
from protocol.errors import ScenarioError
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

Finished: TypeAlias = tuple[Scenario, dict[str, Any], dict[str, Any]]
Run: TypeAlias = Callable[..., Finished]

TEMPLATES = """
name: small
runtime: memory
data: {kind: templates, entries: 40, mated: 9, unmated: 8, dimension: 32, batch: 4, enrol_batch: 16}
network: {kind: identity}
search: {threshold: 0.6}
insecure: [trusted_dealer, open_scores]
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a scenario text and return it with its record and observations."""

    def job(*overrides: str) -> Finished:
        scenario = parse_scenario(TEMPLATES, overrides)
        path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
        record = msgspec.json.decode((path / "run.json").read_bytes())
        with np.load(path / "observations.npz", allow_pickle=False) as file:
            observations = dict(file)
        return scenario, record, observations

    return job


@pytest.mark.parametrize("ring_bits", [16, 32])
def test_decisions_equal_the_oracle_and_costs_their_formulas(run: Run, ring_bits: int) -> None:
    _, record, seen = run(f"search.ring_bits={ring_bits}")
    assert seen["secure_match"].shape == (17, 40)
    assert np.array_equal(seen["secure_match"], seen["oracle_match"])
    assert np.array_equal(seen["secure_scores"], seen["oracle_scores"])
    assert seen["secure_match"].any()
    assert not seen["secure_match"].all()
    assert all(row["equal"] for row in record["costs"])
    assert {row["session"] for row in record["costs"]} == {"setup", "enrol", "material", "search"}


def test_mated_probes_find_their_row_and_strangers_none(
    run: Run,
) -> None:
    _, _, seen = run()
    for identity, matches in zip(seen["probe_identity"], seen["secure_match"], strict=True):
        found = seen["gallery_identity"][matches].tolist()
        assert found == ([] if identity == -1 else [identity])


def test_scores_stay_out_of_the_run_directory_unless_opened(
    run: Run,
) -> None:
    _, record, seen = run("insecure=[trusted_dealer]")
    people = {"gallery_identity", "probe_identity", "probe_person"}
    assert set(seen) == {*people, "secure_match", "oracle_match"}
    assert record["protection"]["insecure"] == ["trusted_dealer"]


def test_test_randomness_repeats_a_run_exactly(run: Run, tmp_path: Path) -> None:
    insecure = "insecure=[trusted_dealer, open_scores, test_randomness]"
    first, second = run(insecure)[1], run(insecure)[1]
    assert first["audit_hash"] == second["audit_hash"]
    journals = sorted(tmp_path.glob("small/2*/journal.jsonl"))
    digests = [
        [msgspec.json.decode(line)["digest"] for line in path.read_bytes().splitlines()]
        for path in journals
    ]
    assert digests[0] == digests[1]


def test_real_randomness_changes_every_share_and_no_size(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.job.journal_key", lambda _: bytes(32))
    hashes = {run()[1]["audit_hash"] for _ in range(2)}
    assert len(hashes) == 1
    shares = [
        {
            event["digest"]
            for event in map(msgspec.json.decode, path.read_bytes().splitlines())
            if event["form"] in {"share", "masked"}
        }
        for path in sorted(tmp_path.glob("small/2*/journal.jsonl"))
    ]
    assert not shares[0] & shares[1]


def test_a_journal_confirms_no_guess_and_its_key_is_written_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of `any` for one probe is one bit: equal digests would tell that shares are equal."""
    key = bytes(range(101, 133))
    monkeypatch.setattr("orchestration.job.journal_key", lambda _: key)
    run("search.output=any", "data.batch=1", "capture=payloads")
    monkeypatch.undo()
    (known,) = tmp_path.glob("small/2*")
    run("search.output=any", "data.batch=1")
    (other,) = set(tmp_path.glob("small/2*")) - {known}
    shares = _short_shares(known)
    assert {(event["payload_bytes"], event["event"]) for event in shares} == {(1, "sent")}
    digests = {event["digest"] for event in shares}
    assert len(digests) == len(shares) >= 10  # and not the two or four contents there are
    assert not digests & {event["digest"] for event in _short_shares(other)}
    for path in (path for path in known.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert key not in content
        assert key.hex().encode() not in content.lower()


def _short_shares(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "journal.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line) for line in lines]
    return [e for e in events if e["kind"] == "DecisionShares" and e["event"] == "sent"]


def test_every_search_has_a_latency(run: Run) -> None:
    _, record, _ = run()
    assert len(record["probe_latency_s"]) == 5
    assert all(seconds > 0 for seconds in record["probe_latency_s"])
    assert probe_latencies_s([]) == []


def test_a_scenario_that_cannot_run_leaves_nothing_behind(tmp_path: Path) -> None:
    scenario = parse_scenario("{name: lfw, data: {kind: lfw}, insecure: [trusted_dealer]}")
    with pytest.raises(ScenarioError, match="BAUTA_DATA"):
        run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_parties_wait_longer_where_many_pictures_are_enrolled() -> None:
    """The dealer hears nothing until all are enrolled, which takes minutes on a slow machine."""
    templates = parse_scenario(TEMPLATES, ["data.entries=100000"])
    pictures = parse_scenario("name: faces\ndata: {entries: 1680}\ninsecure: [trusted_dealer]\n")
    assert _patience_s(templates) == 120
    assert _patience_s(pictures) == 120 + 840
