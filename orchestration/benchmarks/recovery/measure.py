"""Train an adversary for one kind of input after another, and judge what it recovers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.judges import AttackFaces
from orchestration.benchmarks.inputs.mechanisms import luminance
from orchestration.benchmarks.recovery.likeness import Likeness, likeness
from orchestration.benchmarks.recovery.titles import input_title
from orchestration.benchmarks.recovery.visits import BATCH, Oracle
from orchestration.progress import OnProgress, Progress
from parties.adversary.learned_recovery import (
    RecoveryConfig,
    RecoveryNetwork,
    RecoveryReport,
    recover,
    train_recovery,
)
from parties.adversary.linear_inversion import LinearAttack
from parties.model_provider import read_student
from protocol.errors import DataError
from protocol.features import Calibration, FeatureSpec, privacy_budget

__all__ = [
    "Attacked",
    "Floors",
    "RecoveryCourse",
    "RecoveryRow",
    "attack",
    "floors",
    "read_attacked",
]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

CHUNK: Final = 25
"""Uploads attacked at a time: 189 channels of a hundred would take a gigabyte."""


class Attacked(NamedTuple):
    """A kind of input: where it was read, its features, and their public calibration."""

    path: Path
    spec: FeatureSpec
    calibration: Calibration


class RecoveryCourse(NamedTuple):
    """What all rows share.

    Attributes:
        pictures: the adversary trains on, uint8 [N,112,112,3].
        held: pictures of people it does not train on; they say when to stop.
        mean: mean face of those it trains on, luminance minus 128.
        faces: what is attacked; other people.
        attack: the linear attack, from which training starts.
        config: of the training.
        described: names data, people and networks; rows of another course are not taken over.
        folder: where finished rows are kept; None keeps none.
    """

    pictures: Pictures
    held: Pictures
    mean: Planes
    faces: AttackFaces
    attack: LinearAttack
    config: RecoveryConfig
    described: str
    folder: Path | None


class RecoveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of input under both attacks.

    Attributes:
        file: where the features were read.
        title: what they are.
        channels: of the input, colour maps included.
        epsilon: of everything sent for a picture; None where something is sent without noise.
        trained: A3, which reads all channels.
        linear: A1, which reads the frequency channels or the plane.
        verdict: whether A3 counts: `counts`, `not converged` (a lower bound), or `weaker than
            linear`.
        steps: gradient steps of A3.
        visits: pictures A3 saw, repetitions counted.
        training_pictures: different ones.
        training_s: seconds it took.
        loss: mean error on its own pictures at the end, in grey levels.
        held_error: the same on pictures of people held out.
        held_linear_error: and of the linear attack on those.
    """

    file: str
    title: str
    channels: int
    epsilon: float | None
    trained: Likeness
    linear: Likeness
    verdict: str
    steps: int
    visits: int
    training_pictures: int
    training_s: float
    loss: float
    held_error: float
    held_linear_error: float


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """What needs no upload, and what no protection would leave.

    Attributes:
        blank: mid grey everywhere.
        mean_face: the mean of the training pictures.
        unprotected: the true luminance.
    """

    blank: Likeness
    mean_face: Likeness
    unprotected: Likeness


def read_attacked(paths: Sequence[Path]) -> list[Attacked]:
    """Read features and calibration of student files.

    Raises:
        DataError: one is no student file.
    """
    students = [(path, read_student(path)) for path in paths]
    return [Attacked(path, student.spec, student.calibration) for path, student in students]


def floors(course: RecoveryCourse) -> Floors:
    """Judge pictures that no upload was needed for, and the true ones."""
    faces = course.faces
    true = luminance(faces.pictures)
    return Floors(
        blank=likeness(np.zeros_like(true), faces),
        mean_face=likeness(np.broadcast_to(course.mean, true.shape), faces),
        unprotected=likeness(true, faces),
    )


def attack(
    inputs: Sequence[Attacked], course: RecoveryCourse, on_progress: OnProgress
) -> Iterator[RecoveryRow]:
    """Yield the row of each kind of input; finished ones are read from the course's folder."""
    for given in inputs:
        kept = None if course.folder is None else course.folder / _name(given, course)
        row = None if kept is None else _kept(kept)
        if row is None:
            row = _measure(given, course, on_progress)
            if kept is not None:
                kept.write_bytes(msgspec.json.encode(row))
        yield row


def _measure(given: Attacked, course: RecoveryCourse, watch: OnProgress) -> RecoveryRow:
    config = course.config
    oracle = Oracle(given.spec, given.calibration, course.attack, config.seed)
    title, loss, start = input_title(given.spec), math.nan, time.monotonic()

    def report(found: RecoveryReport) -> None:
        nonlocal loss
        loss = found.loss
        watch(Progress(title, found.step, config.steps, f"error {found.loss:.1f}"))

    starts = range(0, len(course.held), BATCH)
    held = [oracle.known(course.held[i : i + BATCH], f"held-{i}") for i in starts]
    found = train_recovery(lambda step: oracle.batch(course.pictures, step), held, config, report)
    spent_s = time.monotonic() - start
    planes = _recovered(oracle, found.network, course, watch)
    trained, linear = (likeness(each, course.faces) for each in planes)
    epsilon = privacy_budget(given.spec, given.calibration).total
    return RecoveryRow(
        file=given.path.name,
        title=title,
        channels=given.spec.channels,
        epsilon=epsilon if math.isfinite(epsilon) else None,
        trained=trained,
        linear=linear,
        verdict=_verdict(trained, linear, converged=found.converged),
        steps=found.steps,
        visits=found.steps * min(BATCH, len(course.pictures)),
        training_pictures=len(course.pictures),
        training_s=round(spent_s, 1),
        loss=round(loss, 3),
        held_error=round(found.error, 3),
        held_linear_error=round(found.start_error, 3),
    )


def _verdict(trained: Likeness, linear: Likeness, *, converged: bool) -> str:
    """Say whether a trained attack may stand for what training can do."""
    pairs = zip(trained.judged, linear.judged, strict=True)
    if any(mine.other_picture < other.other_picture for mine, other in pairs):
        return "weaker than linear"
    return "counts" if converged else "not converged"


def _recovered(
    oracle: Oracle, network: RecoveryNetwork, course: RecoveryCourse, watch: OnProgress
) -> tuple[Planes, Planes]:
    """Return what the trained and the linear attack make of the same uploads."""
    pictures = course.faces.pictures
    found: list[tuple[Planes, Planes]] = []
    for start in range(0, len(pictures), CHUNK):
        watch(Progress("attack", start, len(pictures)))
        chunk = pictures[start : start + CHUNK]
        sent = oracle.protect(chunk, f"attacked-{start}")
        estimate = oracle.reader.read(sent)
        found.append((recover(network, oracle.inputs(sent), estimate), estimate))
    trained, solved = zip(*found, strict=True)
    return np.concatenate(trained), np.concatenate(solved)


def _name(given: Attacked, course: RecoveryCourse) -> str:
    """Name a row after everything it depends on."""
    config = course.config
    digest = blake2b(digest_size=8)
    digest.update(msgspec.json.encode(given.spec, order="sorted"))
    for name, values in sorted(given.calibration.to_arrays().items()):
        digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
    asked = (repr(config), course.attack.name, course.described)
    digest.update(repr((*asked, len(course.pictures), len(course.faces.pictures))).encode())
    return f"{given.path.stem}-{digest.hexdigest()}.json"


def _kept(path: Path) -> RecoveryRow | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=RecoveryRow)
    except msgspec.DecodeError as error:
        hint = "delete it to measure again"
        raise DataError("not a finished row", where=str(path), hint=hint) from error
