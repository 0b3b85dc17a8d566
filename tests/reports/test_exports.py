"""Exports are well formed for the tools that read them, and complete."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner

from orchestration.cli.export import NAMES
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named, policy_names
from reports.exports import FORMATS
from reports.exports.chrome import chrome_trace
from reports.exports.linddun import THREATS, threats_of
from reports.policy_text import policy_markdown
from reports.records import Event, RunFiles, read_events, read_run
from reports.sequence import mermaid
from scenarios.schema import parse_scenario

GOLDEN = Path(__file__).parent.parent / "golden"
DEALER = policy_named("dealer")


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


def trace_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(chrome_trace(events, DEALER))["traceEvents"]
    return rows


def test_the_chrome_trace_has_a_slice_per_event_and_an_arrow_per_message(run: RunFiles) -> None:
    rows = trace_of(run.events)
    phases = Counter(row["ph"] for row in rows)
    assert phases["X"] == len(run.events)
    assert phases["s"] == phases["f"] == len(run.events) // 2
    starts = {row["id"]: row["ts"] for row in rows if row["ph"] == "s"}
    ends = {row["id"]: row["ts"] for row in rows if row["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert all(starts[key] < ends[key] for key in starts)
    assert {row["args"].get("name") for row in rows if row["ph"] == "M"} >= {"Client", "Dealer"}


def test_every_row_of_the_trace_has_the_fields_its_phase_asks_for(run: RunFiles) -> None:
    wanted = {
        "M": {"args"}, "X": {"ts", "dur", "cat", "args"}, "s": {"ts", "id", "cat"},
        "f": {"ts", "id", "cat", "bp"},
    }  # fmt: skip
    for row in trace_of(run.events):
        assert wanted[row["ph"]] | {"name", "pid", "tid"} <= row.keys()
        assert all(isinstance(row[key], (int, float)) for key in ("ts", "dur") if key in row)
        assert row.get("ts", 0) >= 0
        assert row.get("dur", 1) > 0


@pytest.mark.parametrize("late_s", [0.0, 0.004])
def test_slices_do_not_overlap_and_arrows_end_in_one(run: RunFiles, late_s: float) -> None:
    """A viewer drops an arrow outside all slices, or one that goes back in time."""
    events = [
        msgspec.structs.replace(e, at_s=e.at_s + late_s * (e.party == "dealer"), compute_s=c)
        for e in run.events
        for c in [0.0 if e.sequence % 2 else e.compute_s]
    ]
    rows = trace_of(events)
    slices: dict[int, list[tuple[float, float]]] = {}
    for row in (row for row in rows if row["ph"] == "X"):
        slices.setdefault(row["pid"], []).append((row["ts"], row["ts"] + row["dur"]))
    for found in slices.values():
        pairs = itertools.pairwise(sorted(found))
        assert all(end <= begin + 1e-3 for (_, end), (begin, _) in pairs)
    arrows = {"s": {}, "f": {}}  # type: dict[str, dict[str, float]]
    for row in (row for row in rows if row["ph"] in arrows):
        arrows[row["ph"]][row["id"]] = row["ts"]
        assert any(begin <= row["ts"] < end for begin, end in slices[row["pid"]])
    assert all(arrows["s"][key] < arrows["f"][key] for key in arrows["s"])


class _Element:
    """Stands in for every class of pytm: keeps what it is given."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named
        MADE.append(self)


MADE: list[_Element] = []
PYTM = ("TM", "Actor", "Boundary", "Data", "Dataflow", "Server")


def test_the_pytm_model_runs_and_has_a_flow_per_kind_in_the_order_of_use(run: RunFiles) -> None:
    MADE.clear()
    kinds = {name: type(name, (_Element,), {}) for name in PYTM}
    text = FORMATS["pytm"](run)
    imported = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    assert [(node.module, {name.name for name in node.names}) for node in imported] == [
        ("pytm", set(PYTM))
    ]
    code = text.replace("from pytm import", "# from pytm import")
    exec(compile(code, "model.py", "exec"), {**kinds, "__name__": "model"})  # noqa: S102 - ours
    flows = [made for made in MADE if type(made).__name__ == "Dataflow"]
    first: dict[tuple[str, ...], int] = {}
    for event in sorted(run.events, key=lambda e: e.lamport):
        first.setdefault((event.kind, event.sender, event.receiver, event.phase), event.lamport)
    assert len(flows) == len(first)
    assert [vars(flow)["order"] for flow in flows] == list(range(1, len(flows) + 1))
    assert [flow.given[2] for flow in flows][:1] == [min(first, key=lambda k: first[k])[0]]
    parties = [made for made in MADE if "inBoundary" in vars(made)]
    assert len({id(vars(party)["inBoundary"]) for party in parties}) == len(parties) == 4


STATEMENT = re.compile(
    r"sequenceDiagram$|  participant \w+ as [\w ]+$|  loop [^;#]+$|  end$|"
    r"    Note over \w+,\w+: [^;#]+$|    \w+--?>>\w+: [^;#]+$|  Note over \w+,\w+: [^;#]+$"
)


@pytest.mark.parametrize("name", policy_names())
def test_mermaid_texts_are_statements_of_its_grammar(name: str) -> None:
    events, policy = read_events(GOLDEN / f"{name}-bitmap"), policy_named(name)
    lines = mermaid(events, policy).splitlines()
    assert [line for line in lines if not STATEMENT.match(line)] == []
    depth = [line.startswith("  loop ") - (line == "  end") for line in lines]
    assert sum(depth) == 0
    assert set(itertools.accumulate(depth)) == {0, 1}
    declared = {line.split()[1] for line in lines if line.startswith("  participant ")}
    used = {part for line in lines for part in re.findall(r"^    (\w+)--?>>(\w+)", line)}
    assert {party for pair in used for party in pair} <= declared == set(policy.parties)
    # A lone word "end" closes a block in Mermaid, wherever it stands.
    assert not [line for line in lines if re.search(r"\bend\b", line) and line != "  end"]


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
