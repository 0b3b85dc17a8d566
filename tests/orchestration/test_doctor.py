from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import doctor
from orchestration.doctor import CHECKS, examine

GIBIBYTE = 1 << 30


def find(name: str) -> doctor.Check:
    return next(check for check in examine() if check.name == name)


@pytest.fixture(autouse=True)
def without_heavy_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "crypten"):
        monkeypatch.delitem(CHECKS, name)


def test_every_check_gives_one_finding_in_order() -> None:
    assert [check.name for check in examine()] == list(CHECKS)


def test_a_check_that_breaks_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Finding:
        raise OSError("no disk\nat all")

    monkeypatch.setitem(CHECKS, "temporary", broken)
    assert find("temporary") == ("temporary", "fail", "OSError: no disk", "")


@pytest.mark.parametrize(("free", "status"), [(1, "fail"), (3, "warn"), (8, "ok")])
def test_memory_is_judged_by_what_is_free(
    free: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "free_memory_bytes", lambda: free * GIBIBYTE)
    assert find("memory").status == status


def test_data_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAUTA_DATA", raising=False)
    assert find("data").status == "warn"
    monkeypatch.setenv("BAUTA_DATA", str(tmp_path / "absent"))
    assert find("data").status == "fail"
    monkeypatch.setenv("BAUTA_DATA", str(tmp_path))
    assert "mobilefacenet_ms1m.npz" in find("data").detail


@pytest.mark.ray
def test_ray_is_really_started(monkeypatch: pytest.MonkeyPatch, ray_cluster: None) -> None:
    del ray_cluster
    monkeypatch.setitem(CHECKS, "ray", doctor._ray)
    assert find("ray").status == "ok"
