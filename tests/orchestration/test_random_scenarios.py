"""Every valid scenario ends with all checks passed, every other one is refused with exit code 2.

`BAUTA_SCENARIOS` asks for more of them, `BAUTA_SCENARIOS_SEED` for others.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from random_scenarios import random_scenarios

from orchestration.job import run_job
from protocol.errors import DataError, ScenarioError
from reports import build
from scenarios.schema import parse_scenario

COUNT = int(os.environ.get("BAUTA_SCENARIOS", "40"))
SEED = int(os.environ.get("BAUTA_SCENARIOS_SEED", "1"))


@pytest.mark.slow
def test_every_scenario_ends_or_is_refused(tmp_path: Path) -> None:
    ended = 0
    for document in random_scenarios(COUNT, SEED):
        text = yaml.safe_dump(document)
        try:
            scenario = parse_scenario(text)
            path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
        except (ScenarioError, DataError):
            continue  # exit code 2
        except Exception as error:
            raise AssertionError(text) from error
        failed = [check["name"] for check in build(path)["checks"] if not check["passed"]]
        assert not failed, text
        ended += 1
    assert ended > COUNT / 3


@pytest.mark.parametrize("protocol", ["dealer", "replicated"])
def test_more_rows_may_be_named_than_are_left(tmp_path: Path, protocol: str) -> None:
    document = f"""
    name: shrinking
    runtime: memory
    data: {{kind: templates, dimension: 16, entries: 3, mated: 2, unmated: 0, batch: 1}}
    network: {{kind: identity}}
    life: {{every: 1, delete: 1}}
    search: {{threshold: 0.3, protocol: {protocol}, output: identity, top_k: 3}}
    insecure: [{"trusted_dealer" if protocol == "dealer" else ""}]
    """
    path = run_job(
        parse_scenario(document), data_root=None, out_root=tmp_path, on_progress=lambda _: None
    )
    assert all(check["passed"] for check in build(path)["checks"])
