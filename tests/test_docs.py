"""Generated parts of the documentation are what the code says today.

`BAUTA_DOCS=write pytest tests/test_docs.py` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.audit.leaks.table import leaks_markdown, unrecorded
from orchestration.cli.auditing import audited
from orchestration.cli.evaluate import network
from protocol.search.policies import policy_named, policy_names
from reports.policy_text import policy_markdown
from reports.processors import Measured, measured, processors_markdown, ratio_range

DOCS = Path(__file__).parent.parent / "docs"
KEYS = {"bin": "bin_file"}
SELF_TEST = DOCS / "results" / "audit-self-test.json"


def self_test() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(SELF_TEST.read_text(encoding="utf-8"))
    return result


def caught_leaks() -> str:
    return leaks_markdown(self_test())


def policies() -> str:
    return "\n".join(policy_markdown(policy_named(name)) for name in policy_names())


def searches() -> list[Measured]:
    files = sorted((DOCS / "benchmarks").glob("*.json"))
    return measured({path.name: json.loads(path.read_text(encoding="utf-8")) for path in files})


def processors() -> str:
    return processors_markdown(searches())


@pytest.mark.parametrize(
    ("page", "name", "made"),
    [
        ("audit.md", "leaks", caught_leaks),
        ("policy.md", "policy", policies),
        ("benchmarks/README.md", "processors", processors),
    ],
)
def test_generated_parts_have_not_drifted(page: str, name: str, made: Callable[[], str]) -> None:
    path = DOCS / page
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
    assert pattern.search(text), f"{page} has no place for {name}"
    current = pattern.sub(lambda found: f"{found[1]}{made()}{found[2]}", text)
    if os.environ.get("BAUTA_DOCS") == "write":
        path.write_text(current, encoding="utf-8")
        text = current
    assert text == current


def test_the_readme_tells_the_speed_as_a_range_over_all_processors_measured() -> None:
    low, high = ratio_range(searches(), 100_000, "memory")
    assert f"{low:.2f} to {high:.2f} times FAISS" in (DOCS.parent / "README.md").read_text("utf-8")


def test_the_recorded_self_test_caught_every_leak_there_is_and_raised_no_alarm() -> None:
    result = self_test()
    assert result["passed"]
    assert unrecorded(result) == []
    honest = {(row["protocol"], row["seed"]) for row in result["honest"] if row["passed"]}
    assert honest == {(name, seed) for name in audited() for seed in range(1, 21)}


def printed_commands() -> dict[str, str]:
    page = (DOCS / "results" / "recognition.md").read_text(encoding="utf-8")
    return dict(
        re.findall(r"^\| `(recognition-[\w-]+\.json)` \| `([^`]+)` \|$", page, re.MULTILINE)
    )


def test_every_recognition_result_has_its_command_on_the_page() -> None:
    files = {path.name for path in (DOCS / "results").glob("recognition-*.json")}
    assert files == set(printed_commands())


@pytest.mark.parametrize(("file", "command"), printed_commands().items())
def test_a_result_was_made_by_the_command_printed_beside_it(file: str, command: str) -> None:
    result = json.loads((DOCS / "results" / file).read_text(encoding="utf-8"))
    wanted = network.make_context("network", command.split()).params
    asked = result["asked"]
    assert {key: asked[key] for key in asked} == {key: wanted[KEYS.get(key, key)] for key in asked}
    named = [asked[key] for key in ("network", "crossfit", "against") if asked.get(key)]
    judged = result.get("networks")
    if judged is None:  # from before files told which network it was: its notes name it
        assert all(any(note.startswith(f"{name}:") for note in result["notes"]) for name in named)
        return
    assert [found["name"] for found in judged] == named
    assert all(re.fullmatch(r"[0-9a-f]{64}", found["sha256"]) for found in judged)


@pytest.mark.parametrize("change", [{"caught": False}, {"check": "canaries"}, {"leak": "other"}])
def test_a_leak_without_a_recorded_catch_is_told(change: dict[str, Any]) -> None:
    result = self_test()
    first, *others = result["leaks"]
    changed = {**result, "leaks": [{**first, **change}, *others]}
    told = unrecorded(changed)
    assert f"{first['leak']} in {first['protocol']} was not caught" in told
    assert ("other in dealer is gone" in told) == ("leak" in change)
    assert "**nothing recorded**" in leaks_markdown(changed)
