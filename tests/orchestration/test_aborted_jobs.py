from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration import job
from orchestration.runs import FAILED, JOURNAL, LATEST, RECORD
from protocol.errors import DataError
from scenarios.schema import load_scenario

SMALL = ("data.entries=20", "data.dimension=16", "runtime=memory")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (DataError("no picture", where="folder"), "DataError", "no picture"),
        (KeyboardInterrupt(), "InfrastructureError", "interrupted"),
    ],
)
def test_an_aborted_job_says_why_and_is_not_the_latest(
    error: BaseException,
    kind: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(job, "prepare", broken)
    scenario = load_scenario("templates-100k", SMALL)
    with pytest.raises(type(error)):
        job.run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    (directory,) = (tmp_path / scenario.name).iterdir()
    assert directory.name != LATEST
    failure = json.loads((directory / FAILED).read_text())
    assert (failure["error"], failure["message"]) == (kind, message)
    assert {path.name for path in directory.iterdir()} == {"scenario.yaml", FAILED, JOURNAL}
    assert not (directory / RECORD).exists()


def test_the_journal_of_an_aborted_job_holds_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from protocol.errors import PeerMisbehaviourError
    from protocol.search.two_party import outputs

    def refuse(*_: object) -> None:
        raise PeerMisbehaviourError("shares do not fit", where="gallery_holder")

    monkeypatch.setattr(outputs, "checked", refuse)
    scenario = load_scenario("templates-100k", SMALL)
    with pytest.raises(PeerMisbehaviourError):
        job.run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    (directory,) = (tmp_path / scenario.name).iterdir()
    lines = (directory / JOURNAL).read_text().splitlines()
    kinds = {json.loads(line)["kind"] for line in lines}
    assert {"SeedGrant", "GalleryShares", "DecisionShares"} <= kinds
