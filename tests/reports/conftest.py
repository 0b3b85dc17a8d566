"""Real run directories: a tiny search on the memory runtime, made once and copied per test."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from editable_run import EditableRun, make_run


@pytest.fixture(scope="session")
def opened_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("opened"), open_scores=True)


@pytest.fixture(scope="session")
def closed_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("closed"), open_scores=False)


@pytest.fixture
def opened(opened_original: Path, tmp_path: Path) -> EditableRun:
    """A run that opened its scores."""
    return EditableRun(Path(shutil.copytree(opened_original, tmp_path / "opened")))


@pytest.fixture
def closed(closed_original: Path, tmp_path: Path) -> EditableRun:
    """A run as in operation: decisions only."""
    return EditableRun(Path(shutil.copytree(closed_original, tmp_path / "closed")))


@pytest.fixture
def with_baseline(opened: EditableRun) -> EditableRun:
    """A run with the scores of an unprotected network, which misses the first mated probe."""
    arrays = opened.observations()
    baseline = arrays["protected_scores"].copy()
    first = int(np.flatnonzero(arrays["probe_identity"] >= 0)[0])
    baseline[first] = -1.0
    opened.write_observations({**arrays, "baseline_scores": baseline})
    return opened
