"""Scenarios that name CrypTen: right answers, or a refusal before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.cli.main import main
from protocol.search.policies import policy_named

SMALL = (
    "data.entries=30", "data.mated=2", "data.unmated=1", "data.batch=2", "data.dimension=16",
    "report=false",
)  # fmt: skip


def bauta(command: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, [command, "templates-100k", *arguments])
    return result.exit_code, result.output


def chosen(protocol: str, *fields: str) -> list[str]:
    shortcuts = f"insecure=[{', '.join(policy_named(protocol).shortcuts)}]"
    fields = (*SMALL, f"search.protocol={protocol}", shortcuts, *fields)
    return [word for field in fields for word in ("--set", field)]


@pytest.mark.parametrize(
    ("protocol", "output"), [("crypten", "identity"), ("crypten_ttp", "bitmap")]
)
def test_a_run_in_memory_passes_every_check(tmp_path: Path, protocol: str, output: str) -> None:
    words = chosen(protocol, f"search.output={output}")
    code, told = bauta("run", "--runtime", "memory", "--out", str(tmp_path), *words)
    assert code == 0, told
    assert "oracle equal" in told
    assert "INSECURE" in told
    assert "weak_generators" in told


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("search.top_k=2", "names at most 1"),
        ("search.check_inputs=true", "cannot check inputs"),
        ("insecure=[trusted_dealer]", "rests on weak_generators"),
    ],
)
def test_what_crypten_cannot_do_is_refused(tmp_path: Path, field: str, says: str) -> None:
    words = chosen("crypten_ttp", "search.output=identity", field)
    code, told = bauta("run", "--runtime", "memory", "--out", str(tmp_path), *words)
    assert code == 2
    assert says in told
    assert not list(tmp_path.iterdir())


def test_a_machine_without_crypten_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.resources.find_spec", lambda _: None)
    words = chosen("crypten")
    code, told = bauta("run", "--runtime", "memory", "--out", str(tmp_path), *words)
    assert code == 2
    assert "make install" in told
    assert not list(tmp_path.iterdir())
