"""Exports are well formed for the tools that read them, and complete."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from orchestration.cli.export import NAMES
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named, policy_names
from reports.exports import FORMATS
from reports.exports.linddun import THREATS, threats_of
from reports.policy_text import policy_markdown
from reports.records import RunFiles, read_run
from scenarios.schema import parse_scenario


def ignore(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    scenario = parse_scenario(
        """
        name: exported
        runtime: memory
        data: {kind: templates, dimension: 8, entries: 3, mated: 2, unmated: 0, batch: 2}
        network: {kind: identity}
        search: {threshold: 0.5}
        insecure: [trusted_dealer]
        """
    )
    root = tmp_path_factory.mktemp("runs")
    return read_run(run_job(scenario, data_root=None, out_root=root, on_progress=ignore))


def test_every_format_is_offered() -> None:
    assert set(NAMES) == set(FORMATS)


def test_the_chrome_trace_has_a_slice_per_event_and_an_arrow_per_message(run: RunFiles) -> None:
    rows = json.loads(FORMATS["chrome-trace"](run))["traceEvents"]
    phases = Counter(row["ph"] for row in rows)
    assert phases["X"] == len(run.events)
    assert phases["s"] == phases["f"] == len(run.events) // 2
    starts = {row["id"]: row["ts"] for row in rows if row["ph"] == "s"}
    ends = {row["id"]: row["ts"] for row in rows if row["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert all(starts[key] <= ends[key] for key in starts)
    assert all(row["dur"] >= 0 and row["ts"] >= 0 for row in rows if row["ph"] == "X")
    assert {row["args"]["name"] for row in rows if row["ph"] == "M"} >= {"Client", "Dealer"}


def test_the_pytm_model_is_python_with_a_flow_per_kind(run: RunFiles) -> None:
    tree = ast.parse(FORMATS["pytm"](run))
    made = [
        node.value.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
    ]
    kinds = {(e.kind, e.sender, e.receiver, e.phase) for e in run.events}
    assert Counter(made)["Dataflow"] == len(kinds)
    assert Counter(made)["Boundary"] == 4


@pytest.mark.parametrize("name", ["dataflow", "sequence"])
def test_diagrams_are_xml_and_name_every_party(run: RunFiles, name: str) -> None:
    tree = ET.fromstring(FORMATS[name](run))  # noqa: S314 - our own text
    texts = {text.text for text in tree.iter() if text.text}
    assert {"Client", "Model provider", "Gallery holder", "Dealer"} <= texts


@pytest.mark.parametrize("name", policy_names())
def test_every_flow_stands_in_the_policy_and_threat_tables(name: str) -> None:
    policy = policy_named(name)
    text = policy_markdown(policy)
    for flow in policy.flows:
        assert f"| `{flow.kind}` |" in text
        assert set(threats_of(flow)) <= set(THREATS)
        open_form = flow.form in {"plain", "protected"}
        assert ("unawareness" in threats_of(flow)) == open_form
    assert all(opening.value in text for opening in policy.openings)


def test_the_commands_write_what_the_functions_make(run: RunFiles, tmp_path: Path) -> None:
    out = tmp_path / "trace.json"
    options = ["export", str(run.path), "--format", "chrome-trace", "--out", str(out)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert out.read_text() == FORMATS["chrome-trace"](run)
    printed = CliRunner().invoke(main, ["policy", "dealer"]).output
    assert printed == policy_markdown(policy_named("dealer"))
    told = json.loads(CliRunner().invoke(main, ["policy", "--json"]).output)
    assert [table["name"] for table in told] == list(policy_names())
    assert CliRunner().invoke(main, ["policy", "nothing"]).exit_code == 2
