"""Kernels compiled for processors with narrower vectors than this one's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.jit import processor_has

PROGRAM = """
import numpy as np
from protocol.jit import processor_has
from protocol.search.comparison import circuit, secret_planes
from protocol.sharing.kernels import bit_planes, plane_values, ring_product, unpack_bits

assert not processor_has("avx512bw")
random = np.random.default_rng(0)
for bits in (16, 32):
    matrix = random.integers(0, 1 << bits, (43, 77), dtype=f"u{bits // 8}")
    for probes in (1, 2, 3, 8, 9, 20):
        queries = random.integers(0, 1 << bits, (probes, 77), dtype=matrix.dtype)
        assert np.array_equal(ring_product(matrix, queries), queries @ matrix.T)
    flat = matrix.reshape(-1)
    planes = bit_planes(flat, bits)
    assert np.array_equal(plane_values(planes, flat.size, flat.dtype), flat)
    top = unpack_bits(secret_planes(flat, circuit(bits, 2))[-1], flat.size)
    assert np.array_equal(top, flat >= 1 << (bits - 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names x86 processors")
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])
def test_kernels_are_exact_on_older_processors(processor: str, tmp_path: Path) -> None:
    chosen = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "+sse2"}
    environment = os.environ | chosen | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_unknown_features_are_absent() -> None:
    assert not processor_has("no-such-feature")
