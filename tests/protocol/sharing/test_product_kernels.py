"""Products modulo 2^k: every variant against exact integers and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import InfrastructureError, LocalProtocolError
from protocol.sharing import kernels_cuda
from protocol.sharing.kernels import ring_product
from protocol.sharing.kernels_cuda import Device, LimbMatrix, has_cuda
from protocol.sharing.kernels_product import TILE_ROWS
from protocol.sharing.ring import Ring

RINGS = [Ring(16), Ring(32), Ring(64)]
LIMB_RINGS = RINGS[:2]


def exact_product(matrix: np.ndarray, probes: np.ndarray, bits: int) -> np.ndarray:
    """Multiply with Python integers, then reduce."""
    exact = probes.astype(object) @ matrix.astype(object).T
    return np.asarray(exact % (1 << bits), dtype=matrix.dtype)


def elements(ring: Ring, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Draw ring elements, a third of them extremes."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 2**64, shape, dtype=np.uint64).astype(ring.dtype)
    half = 1 << (ring.bits - 1)
    extremes = np.array([0, 1, 127, 128, 255, half - 1, half, 2 * half - 1], dtype=ring.dtype)
    chosen = random.random(shape) < 1 / 3
    values[chosen] = random.choice(extremes, int(chosen.sum()))
    return values


@settings(max_examples=60)
@given(
    st.sampled_from(RINGS),
    st.integers(1, 40),
    st.integers(1, 80),
    st.integers(1, 36),
    st.integers(0, 2**32 - 1),
)
def test_product_is_exact(ring: Ring, rows: int, width: int, probes: int, seed: int) -> None:
    matrix = elements(ring, (rows, width), seed)
    queries = elements(ring, (probes, width), seed + 1)
    expected = exact_product(matrix, queries, ring.bits)
    assert np.array_equal(ring_product(matrix, queries), expected)
    if ring in LIMB_RINGS:
        assert np.array_equal(LimbMatrix(matrix, "cpu").product(queries), expected)


@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("probes", [*range(1, 19), 31, 32, 33, 65])
def test_every_batch_size_across_the_dispatch_is_exact(ring: Ring, probes: int) -> None:
    matrix = elements(ring, (2 * TILE_ROWS + 3, 67), probes)
    queries = elements(ring, (probes, 67), probes + 100)
    expected = exact_product(matrix, queries, ring.bits)
    assert np.array_equal(ring_product(matrix, queries), expected)


@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("rows", [1, 2, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1])
@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33])
def test_edges_of_the_tiles_are_exact(ring: Ring, rows: int, width: int) -> None:
    matrix = elements(ring, (rows, width), width)
    for probes in (1, 3):
        queries = elements(ring, (probes, width), rows)
        expected = exact_product(matrix, queries, ring.bits)
        assert np.array_equal(ring_product(matrix, queries), expected)


@pytest.mark.parametrize("ring", RINGS)
def test_product_is_exact_at_the_extremes(ring: Ring) -> None:
    half = 1 << (ring.bits - 1)
    matrix = np.array([[v] * 700 for v in (0, 1, half - 1, half, 2 * half - 1)], dtype=ring.dtype)
    expected = exact_product(matrix, matrix, ring.bits)
    assert np.array_equal(ring_product(matrix, matrix), expected)
    if ring in LIMB_RINGS:
        assert np.array_equal(LimbMatrix(matrix, "cpu").product(matrix), expected)


@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("probes", [1, 5])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_the_product(ring: Ring, probes: int, threads: int) -> None:
    matrix = elements(ring, (7003, 150), 1)
    queries = elements(ring, (probes, 150), 2)
    alone = ring_product(matrix, queries, threads=1)
    assert np.array_equal(ring_product(matrix, queries, threads=threads), alone)


@pytest.mark.parametrize("probes", [1, 3])
def test_product_takes_read_only_and_strided_arrays_and_leaves_them(probes: int) -> None:
    whole = elements(Ring(16), (64, 80), 3)
    matrix, queries = whole[::2, 1::2], whole[:probes, 1::2]
    expected = exact_product(matrix, queries, 16)
    before = whole.copy()
    whole.flags.writeable = False
    assert np.array_equal(ring_product(matrix, queries), expected)
    assert np.array_equal(
        ring_product(whole, whole[:probes]), ring_product(before, before[:probes])
    )
    assert np.array_equal(whole, before)


def test_product_of_no_rows_and_of_no_probes_is_empty() -> None:
    some, none = np.ones((3, 4), np.uint16), np.ones((0, 4), np.uint16)
    assert ring_product(none, some).shape == (3, 0)
    assert ring_product(some, none).shape == (0, 3)


def test_product_refuses_mixed_rings_and_widths() -> None:
    rows = np.ones((2, 3), np.uint16)
    for probes in (np.ones((1, 3), np.uint32), np.ones((1, 4), np.uint16)):
        with pytest.raises(LocalProtocolError, match="cannot multiply"):
            ring_product(rows, probes)
        with pytest.raises(LocalProtocolError, match="cannot multiply"):
            LimbMatrix(rows, "cpu").product(probes)


@pytest.fixture(
    params=[
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not has_cuda(), reason="no CUDA device")),
    ]
)
def device(request: pytest.FixtureRequest) -> Device:
    chosen: Device = request.param
    return chosen


@pytest.mark.parametrize("ring", LIMB_RINGS)
@pytest.mark.parametrize(("rows", "width", "probes"), [(1, 1, 1), (200, 77, 33), (65, 32, 100)])
def test_limbs_equal_the_processor_kernel_block_by_block(
    ring: Ring,
    rows: int,
    width: int,
    probes: int,
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = elements(ring, (rows, width), 4)
    queries = elements(ring, (probes, width), 5)
    expected = ring_product(matrix, queries)
    for sum_bytes in (1, 1 << 14, 1 << 28):
        monkeypatch.setattr(kernels_cuda, "_SUM_BYTES", sum_bytes)
        assert np.array_equal(LimbMatrix(matrix, device).product(queries), expected)


@pytest.mark.parametrize("ring", LIMB_RINGS)
def test_limbs_take_as_much_memory_as_the_elements(ring: Ring) -> None:
    matrix = elements(ring, (64, 32), 6)
    assert LimbMatrix(matrix, "cpu").nbytes == matrix.nbytes


def test_limbs_refuse_other_rings() -> None:
    with pytest.raises(LocalProtocolError, match="into limbs"):
        LimbMatrix(np.ones((2, 3), np.uint64), "cpu")


@pytest.mark.skipif(has_cuda(), reason="there is a CUDA device")
def test_a_missing_card_is_named() -> None:
    with pytest.raises(InfrastructureError, match="no CUDA device"):
        LimbMatrix(np.ones((2, 3), np.uint16), "cuda")
