from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import ScenarioError
from protocol.search.policies import policy_named, policy_names
from scenarios.checks import scenario_warnings
from scenarios.resources import (
    available_memory_bytes,
    check_runnable,
    data_root,
    gallery_memory_bytes,
    party_memory_bytes,
)
from scenarios.schema import Scenario, load_scenario, parse_scenario

GIB = 2**30


def scenario(*overrides: str) -> Scenario:
    return parse_scenario("name: small\ninsecure: [trusted_dealer]", overrides)


def refusal(
    chosen: Scenario, root: Path | None, available_bytes: int | None = GIB
) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        check_runnable(chosen, root, available_bytes)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_embedded_scenario_needs_nothing() -> None:
    check_runnable(load_scenario("embedded"), None, GIB)


def test_lfw_without_a_data_folder_says_what_is_needed() -> None:
    error = refusal(load_scenario("lfw"), None)
    assert error.where == "data.kind"
    for word in ("BAUTA_DATA", "lfw112_q95.zip", "weights", "not redistributed"):
        assert word in str(error)


def test_lfw_in_an_incomplete_data_folder_lists_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "data/lfw").mkdir(parents=True)
    (tmp_path / "data/lfw/lfw112_q95.zip").touch()
    error = refusal(load_scenario("lfw"), tmp_path)
    first = error.message.splitlines()[0]
    assert "peopleDevTrain.txt" in first
    assert f"{tmp_path} lacks data/lfw/lfw112" not in first
    assert "network.teacher" in str(error)


def test_a_missing_weights_file_is_named() -> None:
    error = refusal(scenario("network.kind=student", "network.weights=/nowhere/w.npz"), None)
    assert error.where == "network.weights"
    assert "/nowhere/w.npz" in error.message


def test_a_missing_folder_is_named() -> None:
    error = refusal(scenario("data.kind=folder", "data.path=/nowhere/faces"), None)
    assert error.where == "data.path"
    assert "/nowhere/faces" in error.message


def test_a_gallery_larger_than_memory_is_refused_with_a_size_that_fits() -> None:
    chosen = load_scenario("templates-100k")
    needed = gallery_memory_bytes(chosen)
    check_runnable(chosen, None, needed)
    error = refusal(chosen, None, needed // 2)
    assert error.where == "data.entries"
    assert "at most about 50000" in error.hint


def test_the_memory_estimate_covers_both_shares_and_the_oracle() -> None:
    wide = scenario("data.entries=1000", "search.ring_bits=32")
    elements = 1000 * 128
    assert gallery_memory_bytes(wide) >= elements * (4 + 4 + 4)
    mapped = scenario("data.entries=1000", "search.ring_bits=32", "mapping.kind=polyprotect")
    assert gallery_memory_bytes(mapped) > 4 * elements * (4 + 4 + 4)


def test_a_million_rows_take_one_matrix_and_half_a_gibibyte_of_material_per_server() -> None:
    million = load_scenario("templates-100k", ["data.entries=1000000"])
    needed = party_memory_bytes(million)
    for server in ("model_provider", "gallery_holder", "dealer"):
        assert 2 * 512 * 10**6 <= needed[server] < 2 * 512 * 10**6 + 0.6 * GIB
    assert needed["client"] < GIB
    error = refusal(million, None, 3 * GIB)
    assert "model_provider 1." in error.message
    assert "3.0 GiB are available" in error.message


@pytest.mark.parametrize("protocol", policy_names())
def test_every_server_of_every_protocol_is_counted(protocol: str) -> None:
    policy = policy_named(protocol)
    insecure = f"insecure=[{', '.join(policy.shortcuts)}]"
    chosen = scenario(f"search.protocol={protocol}", "data.entries=10000", insecure)
    needed = party_memory_bytes(chosen)
    holders = {party for party, _ in policy.held}
    assert {"model_provider", "gallery_holder"} <= holders <= set(policy.parties) - {"client"}
    for party, matrices in policy.held:
        assert needed[party] >= matrices * 10_000 * 128 * 2


def test_a_growing_gallery_needs_room_for_all_who_come() -> None:
    small = scenario("data.entries=100", "search.pool=1")
    life = scenario("data.entries=100", "search.pool=1", "life={every: 1, enrol: 10, update: 50}")
    grown, kept = (party_memory_bytes(chosen) for chosen in (life, small))
    assert grown["gallery_holder"] / kept["gallery_holder"] == pytest.approx(2.2, abs=0.01)
    assert grown["client"] / kept["client"] == pytest.approx(8.2, abs=0.01)


def test_a_verification_prepares_no_more_than_its_claims() -> None:
    search, verify = scenario("data.entries=100000"), scenario("search.task=verify")
    elements = 2 * 128
    assert party_memory_bytes(search)["gallery_holder"] > 100_000 * (elements + 32)
    assert party_memory_bytes(verify)["gallery_holder"] < 300 * elements + 32 * 32 * 20


def test_checking_inputs_takes_room_for_one_batch() -> None:
    usual = party_memory_bytes(scenario("data.entries=10000"))
    batch = scenario("data.entries=10000", "data.enrol_batch=1000", "search.check_inputs=true")
    checked = party_memory_bytes(batch)
    assert 50 <= (checked["gallery_holder"] - usual["gallery_holder"]) / (1000 * 128) <= 200
    assert checked["client"] == usual["client"]


CRYPTEN = (
    "search.protocol=crypten", "insecure=[crypten_first_party, weak_generators]",
)  # fmt: skip


def test_a_protocol_whose_library_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenarios.resources.find_spec", lambda _: None)
    check_runnable(scenario(), None, GIB)
    error = refusal(scenario(*CRYPTEN), None)
    assert error.where == "search.protocol"
    assert "crypten, omegaconf, onnx" in error.message
    assert "make install" in error.hint


def test_crypten_needs_room_for_masks_of_the_whole_gallery() -> None:
    needed = party_memory_bytes(scenario("data.entries=40000", "data.batch=1", *CRYPTEN))
    assert {"client", "model_provider", "gallery_holder", "evaluator"} == set(needed)
    assert needed["gallery_holder"] >= 40_000 * 128 * 3 * 8


def test_available_memory_is_a_sensible_number() -> None:
    assert 2**20 < available_memory_bytes() < 2**50


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAUTA_DATA", "/some/where")
    assert data_root() == Path("/some/where")
    monkeypatch.setenv("BAUTA_DATA", " ")
    assert data_root() is None
    monkeypatch.delenv("BAUTA_DATA")
    assert data_root() is None


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        ((), "Synthetic"),
        ((), "rank-1"),
        (("features.epsilon=4",), "unbounded"),
        (("data.kind=lfw",), "synthetic faces only"),
        (("data.kind=lfw", "network.kind=student"), "casia"),
    ],
)
def test_what_a_reader_must_know_is_warned_about(overrides: tuple[str, ...], word: str) -> None:
    assert any(word in warning for warning in scenario_warnings(scenario(*overrides)))


def test_an_honest_run_has_no_warning_about_scores() -> None:
    opened = scenario("insecure=[trusted_dealer, open_scores]")
    assert not any("Scores stay secret" in warning for warning in scenario_warnings(opened))
