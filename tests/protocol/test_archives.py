"""Archives of arrays nobody vouches for are bounded before they are unpacked."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parties.model_provider import load_student
from parties.model_provider.published import read_arrays
from parties.model_provider.shipped import SHIPPED_STUDENT
from protocol.archives import read_npz
from protocol.errors import DataError

DAMAGED = int(os.environ.get("BAUTA_DAMAGED", "60"))
ARRAYS: dict[str, Any] = {
    "a": np.arange(6, dtype=np.float16).reshape(2, 3),
    "b": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "c": np.array(True),
    "d": np.zeros((0, 4), np.uint8),
}


def packed(**arrays: Any) -> io.BytesIO:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    stream.seek(0)
    return stream


def test_arrays_come_back_as_numpy_wrote_them() -> None:
    found = read_npz(packed(**ARRAYS), 1 << 20)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, np.complex64),
        np.zeros(2, [("x", "f4")]),
        np.array(["text"]),
        np.zeros(1, "M8[s]"),
        np.array([{}], dtype=object),
    ],
)
def test_only_plain_numbers_are_taken(array: Any) -> None:
    with pytest.raises(ValueError, match=r"kind|readable"):
        read_npz(packed(a=array), 1 << 20)


def test_what_would_unpack_to_too_much_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="unpacks to"):
        read_npz(packed(a=np.zeros(1 << 22)), 1 << 20)


def test_a_header_that_promises_more_than_there_is_allocates_nothing() -> None:
    stream = io.BytesIO()
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(ValueError, match="shorter than its header"):
        read_npz(io.BytesIO(stream.getvalue()), 1 << 20)


def rewritten(path: Path, **changes: Any) -> Path:
    arrays = {**read_arrays(SHIPPED_STUDENT), **changes}
    np.savez(path, **arrays)
    return path


def test_weights_of_another_kind_or_below_zero_are_refused(tmp_path: Path) -> None:
    arrays = read_arrays(SHIPPED_STUDENT)
    variance = next(name for name in arrays if name.endswith("running_var"))
    below = np.asarray(arrays[variance], np.float32) - 100
    with pytest.raises(DataError, match="variance is negative"):
        load_student(rewritten(tmp_path / "a.npz", **{variance: below}))
    with pytest.raises(DataError, match="kind"):
        load_student(rewritten(tmp_path / "b.npz", **{variance: below.astype(np.complex64)}))
    with pytest.raises(DataError, match="not finite"):
        load_student(rewritten(tmp_path / "c.npz", **{variance: below.astype(float) + 1e300}))


@pytest.mark.parametrize(
    "meta", [b"[" * 100_000, b"{}", b'{"format": 1}', b'{"format": 1, "design": {"width": 1e9}}']
)
def test_meta_data_that_make_no_sense_are_refused(tmp_path: Path, meta: bytes) -> None:
    with pytest.raises(DataError, match=r"not a student file|not known"):
        load_student(rewritten(tmp_path / "a.npz", meta=np.frombuffer(meta, np.uint8)))


def test_weights_are_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match="regular file"):
            load_student(path)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(DataError, match="not weights"):
        load_student(tmp_path / "sparse")


@pytest.mark.slow
def test_damaged_weights_are_data_errors(tmp_path: Path) -> None:
    whole = SHIPPED_STUDENT.read_bytes()
    for seed in range(DAMAGED):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for place in rng.integers(0, len(data), int(rng.integers(1, 40))):
            data[place] = int(rng.integers(256))
        for place in rng.integers(len(data) - 4000, len(data), int(rng.integers(0, 5))):
            data[place] = int(rng.integers(256))
        stop = len(data) if seed % 4 else int(rng.integers(len(data)))
        (tmp_path / "student.npz").write_bytes(data[:stop])
        with contextlib.suppress(DataError):
            load_student(tmp_path / "student.npz")
