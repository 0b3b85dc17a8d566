"""One frame of a run is not what it should be: the run ends by naming its sender, or not at all.

A peer may send anything that is a frame. Whatever its receiver then does must be one of our
errors about that peer, or a wait that ends; never a foreign exception, never an accusation of
somebody else, and never a bug report about the receiver's own code.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest

from protocol.errors import DecodeError, InfrastructureError, PeerMisbehaviourError
from protocol.messages import MAX_COUNT, Frame, decode_frame, encode_frame, tensors_of
from protocol.plan import Step, steps
from protocol.search.protocols import protocol_names
from protocol.tensors import Tensor

Change = Callable[[np.ndarray], np.ndarray]
OURS = [name for name in protocol_names() if not name.startswith("crypten")]
ROWS = np.eye(5)[[0, 1, 2, 3, 4, 0]]  # the last is the update
PROBES = np.eye(4, 5)
RUNS = int(os.environ.get("BAUTA_HOSTILE_RUNS", "300"))


def longer(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array[:1]]) if array.ndim else np.zeros(2, array.dtype)


def wider(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array[..., :1]], axis=-1)


def empty(array: np.ndarray) -> np.ndarray:
    return array[:0]


def scalar(array: np.ndarray) -> np.ndarray:
    return np.zeros((), array.dtype)


def retyped(array: np.ndarray) -> np.ndarray:
    return array.astype(np.uint32 if array.dtype != np.uint32 else np.uint8)


def not_a_number(array: np.ndarray) -> np.ndarray:
    return np.full_like(array, np.nan) if array.dtype.kind == "f" else retyped(array)


CHANGES: dict[str, Change] = {
    "longer": longer, "wider": wider, "empty": empty, "scalar": scalar, "retyped": retyped,
    "not a number": not_a_number,
}  # fmt: skip


def with_tensor(frame: Frame, name: str, change: Change) -> Frame:
    """Return a frame one of whose arrays is another one."""
    field, _, index = name.partition(".")
    value = getattr(frame.message, field)
    if index:
        parts = list(value)
        parts[int(index)] = Tensor.of(change(parts[int(index)].array()))
        new: Any = tuple(parts)
    else:
        new = Tensor.of(change(value.array()))
    return Frame(frame.envelope, msgspec.structs.replace(frame.message, **{field: new}))


def life(**options: Any) -> dict[str, Any]:
    """Return a plan with every kind of step."""
    plan = (
        *steps("enrol", 5, 3),
        Step("search-0000", 2),
        Step("update-0000", 1, "update", (1,)),
        Step("delete-0000", 1, "delete", (0,)),
        Step("refresh-0000", 4, "refresh", (1, 2, 3, 4)),
        Step("search-0001", 2),
    )
    return {"threshold": 1, "steps": plan, "pool": 1, **options}


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether a change of an array without elements left it as it was."""
    return one.shape == other.shape and one.dtype == other.dtype


class Listener:
    """Lets frames pass and keeps them; changes the one whose number was asked for."""

    def __init__(self, target: int = -1, change: Callable[[Frame], Frame] | None = None) -> None:
        self.frames: list[Frame] = []
        self._target, self._change = target, change

    def __call__(self, wire: bytes) -> bytes:
        frame = decode_frame(wire)
        self.frames.append(frame)
        if self._change is None or len(self.frames) - 1 != self._target:
            return wire
        return encode_frame(self._change(frame))


@pytest.mark.parametrize("protocol", OURS)
def test_every_array_of_every_kind_is_checked_by_its_receiver(play: Any, protocol: str) -> None:
    honest = Listener()
    options = life(protocol=protocol, check_inputs=True, scale=127)
    play(ROWS, PROBES, tamper=honest, **options)
    places: dict[tuple[str, str, str], tuple[int, str]] = {}
    for number, frame in enumerate(honest.frames):
        for name in tensors_of(frame.message):
            label = (type(frame.message).__name__, frame.envelope.phase, name.partition(".")[0])
            places.setdefault(label, (number, name))
    assert len(places) > 10
    for number, name in places.values():
        sender = honest.frames[number].envelope.sender
        honestly = tensors_of(honest.frames[number].message)[name].array()
        for title, change in CHANGES.items():
            if alike(change(honestly), honestly):
                continue
            wrong = Listener(number, partial(with_tensor, name=name, change=change))
            with pytest.raises(PeerMisbehaviourError) as caught:
                play(ROWS, PROBES, tamper=wrong, **options)
            assert sender in str(caught.value), f"{title} {name}: {caught.value}"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("GallerySeed", {"rows": 10**9}),
        ("MaterialRequest", {"rows": 10**9}),
        ("MaterialRequest", {"searches": 0}),
        ("DeleteRows", {"rows": (3,)}),
        ("DeleteRows", {"rows": ()}),
    ],
)
def test_numbers_that_are_not_the_plans_are_the_senders_fault(
    play: Any, kind: str, changes: dict[str, Any]
) -> None:
    honest = Listener()
    play(ROWS, PROBES, tamper=honest, **life())
    number = next(i for i, f in enumerate(honest.frames) if type(f.message).__name__ == kind)

    def change(frame: Frame) -> Frame:
        return Frame(frame.envelope, msgspec.structs.replace(frame.message, **changes))

    with pytest.raises(PeerMisbehaviourError, match=honest.frames[number].envelope.sender):
        play(ROWS, PROBES, tamper=Listener(number, change), **life())


def test_a_frame_of_another_phase_is_not_what_a_program_waits_for(play: Any) -> None:
    """Features are sent in two phases: an enrolment's must not pass for a probe's."""
    honest = Listener()
    play(ROWS, PROBES, tamper=honest, **life())
    place = next(
        i
        for i, frame in enumerate(honest.frames)
        if type(frame.message).__name__ == "ProtectedFeatures" and frame.envelope.phase == "online"
    )

    def change(frame: Frame) -> Frame:
        envelope = msgspec.structs.replace(frame.envelope, phase="enrol")
        return Frame(envelope, frame.message)

    with pytest.raises(InfrastructureError, match="every party waits"):
        play(ROWS, PROBES, tamper=Listener(place, change), **life())


@pytest.mark.slow
def test_random_changes_of_random_frames_never_surprise(play: Any) -> None:
    """`BAUTA_HOSTILE_RUNS` asks for more than CI does."""
    random, ended = np.random.default_rng(5), 0
    for protocol in OURS:
        honest = Listener()
        options = life(protocol=protocol)
        play(ROWS, PROBES, tamper=honest, **options)
        for _ in range(RUNS // len(OURS)):
            number = int(random.integers(len(honest.frames)))
            try:
                play(ROWS, PROBES, tamper=Listener(number, _mutation(random)), **options)
            except (DecodeError, PeerMisbehaviourError, InfrastructureError):
                ended += 1
    assert ended > RUNS / 2


def _mutation(random: np.random.Generator) -> Callable[[Frame], Frame]:
    field = str(random.choice(["session", "sequence", "phase", "round", "lamport", "tensor"]))
    values: dict[str, list[str] | list[int]] = {
        "session": ["", "search-0001", "x" * 64],
        "sequence": [0, 1, 40, MAX_COUNT],
        "phase": ["setup", "enrol", "offline", "online", "evaluation"],
        "round": [0, 1, 2, MAX_COUNT],
        "lamport": [0, 1, 1 << 31, 1 << 62],
    }

    def change(frame: Frame) -> Frame:
        names = list(tensors_of(frame.message))
        if field == "tensor":
            if not names:
                return frame
            title = str(random.choice(list(CHANGES)))
            return with_tensor(frame, str(random.choice(names)), CHANGES[title])
        value = values[field][int(random.integers(len(values[field])))]
        return Frame(msgspec.structs.replace(frame.envelope, **{field: value}), frame.message)

    return change
