"""The codec: any bytes decode to a valid frame or raise DecodeError."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from protocol.errors import DecodeError, LocalProtocolError
from protocol.messages import (
    DecisionShares,
    DeleteRows,
    Envelope,
    Frame,
    GallerySeed,
    MaskedScores,
    MaterialRequest,
    Message,
    ProtectedFeatures,
    decode_frame,
    encode_frame,
    kind_of,
    message_kinds,
    payload_bytes,
    payload_shapes,
)
from protocol.tensors import Tensor

ENVELOPE = Envelope(
    "run", "search-0000", 0, "online", "threshold", 2, "model_provider", "gallery_holder", 5
)
arrays = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64, np.float32]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


def frame_of(array: np.ndarray) -> Frame:
    """Wrap an array in a frame."""
    return Frame(ENVELOPE, MaskedScores(values=Tensor.of(array)))


@given(arrays)
def test_what_is_encoded_comes_back(array: np.ndarray) -> None:
    frame = decode_frame(encode_frame(frame_of(array)))
    assert frame.envelope == ENVELOPE
    assert isinstance(frame.message, MaskedScores)
    decoded = frame.message.values.array()
    assert decoded.dtype == array.dtype
    assert np.array_equal(decoded, array, equal_nan=array.dtype == np.float32)


@given(arrays)
def test_encoding_is_canonical(array: np.ndarray) -> None:
    wire = encode_frame(frame_of(array))
    assert encode_frame(decode_frame(wire)) == wire


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(wire: bytes) -> None:
    try:
        frame = decode_frame(wire)
    except DecodeError:
        return
    assert decode_frame(encode_frame(frame)) == frame


@given(st.data())
def test_damaged_frames_decode_or_are_refused(data: st.DataObject) -> None:
    wire = bytearray(encode_frame(frame_of(np.arange(6, dtype=np.uint16).reshape(2, 3))))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    try:
        decode_frame(bytes(wire[:cut]))
    except DecodeError:
        return


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("<O8", (1,), memoryview(bytes(8))),
        Tensor("<u2", (3,), memoryview(bytes(4))),
        Tensor("<u2", (-1, -2), memoryview(bytes(4))),
        Tensor("<u1", (1, 1, 1, 1, 1), memoryview(bytes(1))),
        Tensor("<u8", (2**62, 2**62), memoryview(bytes(0))),
        Tensor("<u2", (0, 2**62), memoryview(bytes(0))),
        Tensor("<u2", (0, 2**40, 2**40, 2**40), memoryview(bytes(0))),
    ],
)
def test_malformed_tensors_are_refused(tensor: Tensor) -> None:
    wire = encode_frame(Frame(ENVELOPE, MaskedScores(values=tensor)))
    with pytest.raises(DecodeError):
        decode_frame(wire)


@pytest.mark.parametrize(
    "wrong",
    [
        {"session": "x" * 200_000_000},
        {"run": "x" * 65},
        {"step": "x" * 65},
        {"sequence": -1},
        {"sequence": 2**31},
        {"round": -1},
        {"round": 2**40},
        {"lamport": -1},
        {"lamport": 2**64 - 1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_envelopes_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    envelope = msgspec.structs.replace(ENVELOPE, **wrong)
    wire = encode_frame(Frame(envelope, MaskedScores(values=Tensor.of(np.zeros(1, np.uint16)))))
    with pytest.raises(DecodeError):
        decode_frame(wire)


@pytest.mark.parametrize(
    "message",
    [
        GallerySeed(seed=Tensor.of(np.zeros(32, np.uint8)), rows=-1),
        MaterialRequest(searches=1, probes=1, rows=2**31),
        DeleteRows(rows=(1, -1)),
    ],
)
def test_impossible_numbers_are_refused(message: Message) -> None:
    with pytest.raises(DecodeError):
        decode_frame(encode_frame(Frame(ENVELOPE, message)))


@pytest.mark.slow
def test_a_hundred_thousand_damaged_frames_decode_or_are_refused() -> None:
    """`BAUTA_FUZZED_FRAMES` asks for more than CI does."""
    random = np.random.default_rng(11)
    originals = [
        encode_frame(Frame(ENVELOPE, message))
        for message in (
            MaskedScores(values=Tensor.of(np.arange(6, dtype=np.uint16).reshape(2, 3))),
            GallerySeed(seed=Tensor.of(np.zeros(32, np.uint8)), rows=3),
            DeleteRows(rows=(0, 5, 70_000)),
            MaterialRequest(searches=1, probes=3, rows=4),
        )
    ]
    accepted = 0
    for number in range(int(os.environ.get("BAUTA_FUZZED_FRAMES", "100000"))):
        wire = bytearray(originals[number % len(originals)])
        for place in random.integers(len(wire), size=random.integers(1, 4)):
            wire[place] = random.integers(256)
        cut = len(wire) if random.random() < 0.8 else int(random.integers(len(wire)))
        try:
            frame = decode_frame(bytes(wire[:cut]))
        except DecodeError:
            continue
        accepted += 1
        assert decode_frame(encode_frame(frame)) == frame
    assert accepted > 0


def test_unknown_kinds_are_refused() -> None:
    wire = encode_frame(frame_of(np.zeros(1, np.uint16)))
    with pytest.raises(DecodeError):
        decode_frame(wire.replace(b"MaskedScores", b"MaskedScorez"))


def test_objects_and_deep_arrays_do_not_travel() -> None:
    with pytest.raises(LocalProtocolError, match="do not travel"):
        Tensor.of(np.array([None]))
    with pytest.raises(LocalProtocolError, match="do not travel"):
        Tensor.of(np.zeros((1,) * 5, np.uint8))


def test_payload_counts_raw_tensor_bytes_only() -> None:
    message = ProtectedFeatures(
        frequency=Tensor.of(np.zeros((2, 63, 4, 4), np.uint8)),
        colour=Tensor.of(np.zeros((2, 8, 4, 4), np.uint8)),
    )
    assert payload_bytes(message) == 2 * 71 * 16
    assert payload_shapes(message) == {"frequency": (2, 63, 4, 4), "colour": (2, 8, 4, 4)}
    assert payload_bytes(MaterialRequest(searches=1, probes=3, rows=4)) == 0


def test_big_endian_arrays_travel_little_endian() -> None:
    tensor = Tensor.of(np.array([1, 2], dtype=">u4"))
    assert tensor.dtype == "<u4"
    assert tensor.array().tolist() == [1, 2]


def test_received_arrays_cannot_be_written() -> None:
    array = Tensor.of(np.zeros(3, np.uint8)).array()
    received = Tensor("<u1", (3,), memoryview(bytes(array))).array()
    with pytest.raises(ValueError, match="read-only"):
        received[0] = 1


def test_every_kind_is_registered_and_has_no_defaults() -> None:
    for name, kind in message_kinds().items():
        assert kind.__struct_config__.tag == name
        assert all(field.required for field in msgspec.structs.fields(kind))
    assert kind_of(DecisionShares(bits=Tensor.of(np.zeros(1, np.uint8)))) == "DecisionShares"
