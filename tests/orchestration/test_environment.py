"""What a result says of the machine it was made on."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import environment as module
from orchestration.environment import environment, instructions, processor

AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu sse2 avx2 avx512f avx512bw avx512_vnni

processor\t: 1
model name\t: another
flags\t\t: amx_int8
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(module, "_CPUINFO", path)
    return path


def test_a_processor_is_named_with_its_generation_and_vectors(cpuinfo: Path) -> None:
    cpuinfo.write_text(AMD)
    assert processor() == "AMD EPYC (family 25, model 17)"
    assert instructions() == ["avx2", "avx512bw", "avx512_vnni"]
    found = environment()
    assert found["processor"] == "AMD EPYC (family 25, model 17)"
    assert found["instructions"] == ["avx2", "avx512bw", "avx512_vnni"]


def test_a_system_that_tells_less_is_still_described(cpuinfo: Path) -> None:
    assert processor()
    assert instructions() == []
    cpuinfo.write_text(ARM)
    assert processor()
    assert instructions() == ["asimd"]
