from __future__ import annotations

import contextlib
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ScenarioError
from protocol.search.protocols import protocol_names
from scenarios.schema import (
    Scenario,
    json_schema,
    list_scenarios,
    load_scenario,
    parse_scenario,
    resolved_yaml,
)
from scenarios.specs import SearchSpec

BASE = "name: small\ninsecure: [trusted_dealer]\n"


def refused(text: str, *overrides: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, overrides)
    assert type(caught.value) is ScenarioError
    assert caught.value.exit_code == 2
    return caught.value


def test_an_empty_scenario_gets_every_default() -> None:
    scenario = parse_scenario(BASE)
    assert (scenario.runtime, scenario.seed, scenario.data.kind) == ("ray", 7, "synthetic")
    assert scenario.search.scale == 127
    assert scenario.features.channels == 71


def test_only_lfw_has_halves_to_swap() -> None:
    assert refused(BASE, "data.reverse=true").where == "data.reverse"
    lfw = parse_scenario(BASE, ["data.kind=lfw", "data.reverse=true", "network.kind=student"])
    assert lfw.data.reverse


def test_the_default_scale_follows_the_ring() -> None:
    assert parse_scenario(BASE, ["search.ring_bits=32"]).search.scale == 16384


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("serch: {}", "serch", "did you mean 'search'?"),
        ("data: {entrys: 3}", "data.entrys", "did you mean 'entries'?"),
        ("features: {color: dlbp}", "features.color", "did you mean 'colour'?"),
        ("data: {kind: lfv}", "data.kind", "did you mean 'lfw'?"),
        ("runtime: rai", "runtime", "did you mean 'ray'?"),
        ("data: {entries: many}", "data.entries", "expected 'int', got 'str'"),
        ("data: {entries: 0}", "data.entries", ">= 1, got 0"),
        ("data: {entries: true}", "data.entries", "expected 'int'"),
        ("data: {entries: 1.5}", "data.entries", "expected 'int'"),
        ("search: {fpir: 1}", "search.fpir", "< 1"),
        ("search: {ring_bits: 24}", "search.ring_bits", "known: 16, 32"),
        ("search: {threshold: -1}", "search.threshold", "> -1"),
        ("data: 5", "data", "expected a section of keys, got int"),
        ("mapping:", "mapping", "expected a section of keys, got nothing"),
        ("name: ../up", "name", "regex"),
    ],
)
def test_a_bad_field_is_named_by_its_path(text: str, where: str, says: str) -> None:
    base = "insecure: [trusted_dealer]\n" + ("" if text.startswith("name") else "name: small\n")
    error = refused(base + text)
    assert error.where == where
    assert says in str(error)


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("search: {scale: 128}", "search.scale", "127"),
        ("search: {ring_bits: 32, scale: 32768}", "search.scale", "32767"),
        ("search: {ring_bits: 16, scale: 16384}", "search.scale", "ring_bits: 32"),
        ("network: {kind: identity}", "network.kind", "templates"),
        ("data: {kind: templates}\nsearch: {threshold: 0.5}", "network.kind", "identity"),
        ("data: {kind: templates}\nnetwork: {kind: identity}", "search.threshold", "cosine"),
        ("network: {kind: shipped, weights: a.npz}", "network.weights", "student"),
        ("features: {epsilon: 0}", "features.epsilon", "null"),
        ("features: {epsilon: -1}", "features.epsilon", "null"),
        ("features: {epsilon: .inf}", "features.epsilon", "null"),
        ("features: {colour: none, colour_epsilon: 1}", "features.colour_epsilon", "colour"),
        (
            "search: {ring_bits: 32}\nmapping: {kind: polyprotect, terms: 3, overlap: 3}",
            "mapping.overlap",
            "0..2",
        ),
        (
            "search: {ring_bits: 32}\nmapping: {kind: polyprotect, coefficient_limit: 2}",
            "mapping.coefficient_limit",
            "50",
        ),
        ("data: {kind: folder}", "data.path", "identity/picture"),
        ("data: {path: here}", "data.path", "folder"),
        ("data: {mated: 0, unmated: 0}", "data.mated", "1 or more"),
        ("data: {entries: 5, mated: 11, per_person: 2}", "data.mated", "per_person"),
        ("insecure: [trusted_deeler]", "insecure", "trusted_dealer"),
        ("insecure: [open_scores]", "insecure", "trusted_dealer"),
        ("insecure: [trusted_dealer, trusted_dealer]", "insecure", "once"),
    ],
)
def test_an_impossible_combination_is_refused_with_a_hint(text: str, where: str, hint: str) -> None:
    base = "name: small\n" if text.startswith("insecure") else BASE
    error = refused(base + text)
    assert error.where == where
    assert hint in error.hint


@pytest.mark.parametrize(("ring_bits", "largest"), [(16, 127), (32, 32767)])
def test_the_largest_scale_of_a_ring_is_accepted(ring_bits: int, largest: int) -> None:
    chosen = [f"search.ring_bits={ring_bits}", f"search.scale={largest}"]
    assert parse_scenario(BASE, chosen).search.ring_scale == largest


def test_all_problems_are_told_at_once() -> None:
    error = refused("name: a\nserch: {}\ndata: {batch: x, entries: 0}\nfeatures: {epsilon: 0}")
    text = str(error)
    assert error.where == "serch"
    for path in ("data.batch", "data.entries", "features.epsilon"):
        assert path in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b", "appears twice"),
        ("name: a\ndata: {mated: 1, mated: 2}", "appears twice"),
        ("name: a\n1: b", "not text"),
        ("name: &x a\ndescription: *x", "aliases"),
        ("insecure: &x [*x]", "aliases"),
        ("name: [", "expected"),
        ("name: !!python/object:os.system a", "could not determine a constructor"),
        ("name: a\n---\nname: b", "another document"),
    ],
)
def test_doubtful_yaml_is_refused_with_its_line(text: str, says: str) -> None:
    error = refused(text)
    assert says in error.message
    assert error.where.startswith("scenario:")


def test_overrides_are_read_as_yaml_scalars() -> None:
    scenario = parse_scenario(
        "name: small",
        [
            "search.fpir=1e-3",
            "data.per_person=null",
            "features.epsilon=4",
            "mapping.centred=false",
            "insecure=[trusted_dealer, open_scores]",
            "description=a=b",
        ],
    )
    assert scenario.search.fpir == pytest.approx(0.001)
    assert scenario.features.epsilon == pytest.approx(4)
    assert scenario.mapping.centred is False
    assert scenario.insecure == ("trusted_dealer", "open_scores")
    assert scenario.description == "a=b"


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("seed", "--set"),
        ("data..mated=1", "--set"),
        ("=1", "--set"),
        ("name.first=1", "name"),
        ("data.entrys=1", "data.entrys"),
        ("data.entries=[", "--set data.entries:1"),
    ],
)
def test_a_bad_override_is_refused(override: str, where: str) -> None:
    assert refused(BASE, override).where == where


def test_an_unknown_scenario_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="did you mean 'embedded'") as caught:
        load_scenario("embeded")
    assert caught.value.where == "embeded"
    with pytest.raises(ScenarioError):
        load_scenario(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_scenario(path)


def test_a_file_without_a_name_is_called_after_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("insecure: [trusted_dealer]")
    assert load_scenario(path).name == "mine"


def test_the_shipped_scenarios_load_and_describe_themselves() -> None:
    listed = {scenario.name: scenario for scenario in list_scenarios()}
    expected = {"embedded", "lfw", "lfw-mapped", "lfw-noise", "templates-100k"}
    assert expected <= listed.keys()
    assert all(scenario.summary for scenario in listed.values())
    assert all(load_scenario(name).name == name for name in listed)


def test_the_resolved_yaml_of_a_shipped_scenario_loads_to_the_same() -> None:
    for listed in list_scenarios():
        scenario = load_scenario(listed.path)
        assert parse_scenario(resolved_yaml(scenario)) == scenario


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**62 - 1),
    description=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30),
    fpir=st.floats(1e-9, 0.999),
    epsilon=st.none() | st.floats(0.01, 10),
    entries=st.integers(1, 10**9),
)
def test_resolving_is_lossless(
    seed: int, description: str, fpir: float, epsilon: float | None, entries: int
) -> None:
    scenario = parse_scenario(BASE, ["search.ring_bits=32"])
    scenario = msgspec.structs.replace(
        scenario,
        seed=seed,
        description=description,
        search=msgspec.structs.replace(scenario.search, fpir=fpir),
        features=msgspec.structs.replace(scenario.features, epsilon=epsilon),
        data=msgspec.structs.replace(scenario.data, entries=entries),
    )
    assert parse_scenario(resolved_yaml(scenario)) == scenario


@given(st.text(max_size=60))
def test_any_text_is_a_scenario_or_a_scenario_error(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(parse_scenario(text), Scenario)


def test_the_json_schema_refuses_unknown_keys_too() -> None:
    definitions = json_schema()["$defs"]
    assert definitions["DataSpec"]["additionalProperties"] is False
    assert set(definitions["Scenario"]["properties"]) >= {"data", "search", "insecure"}


def test_a_key_of_another_section_is_pointed_to() -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("embedded", ("entries=5",))
    assert caught.value.hint == "did you mean 'data.entries'?"
    with pytest.raises(ScenarioError) as caught:
        load_scenario("embedded", ("kind=lfw",))
    assert "'data.kind' or 'network.kind' or 'mapping.kind'" in caught.value.hint


def test_hints_name_what_every_installation_has() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("a: [")
    assert "bauta show embedded" in caught.value.hint


def test_scenarios_may_choose_every_registered_protocol() -> None:
    hints = get_type_hints(SearchSpec)
    assert set(get_args(hints["protocol"])) == set(protocol_names())


@pytest.mark.parametrize(
    "text",
    [
        "? {a: 1}\n: 2",
        "? [a]\n: 2",
        "name: !!timestamp x",
        "name: !!int x",
        "name: !!binary x",
        "name: !!float x",
        "name: !!bool x",
        "name: !!set x",
        "name: !!omap x",
        "name: !!pairs [1]",
        'description: "\\ud800"',
        '"\\udfff": 1',
        "seed: " + "9" * 6000,
        "a: " + "[" * 3000,
        "!!python/object:os.system {}",
        "name: 2001-13-99",
        "- 1",
    ],
)
def test_text_that_is_no_scenario_is_refused(text: str) -> None:
    refused(text)
    with contextlib.suppress(ScenarioError):
        parse_scenario(BASE, [f"description={text}"])


def test_a_scenario_file_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(ScenarioError, match="too large"):
        load_scenario(tmp_path / "large.yaml")
