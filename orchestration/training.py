"""Adapted networks: where they are kept, and how one is adapted on first use.

Adapted third-party weights never enter the repository. They are looked for in
`$BAUTA_DATA/weights/adapted/` and in the user's cache, and saved to the cache: the data folder
belongs to the user and is only read.
"""

from __future__ import annotations

import contextlib
import os
import re
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.acquaintance import remember_people
from orchestration.machine import user_cache
from orchestration.pictures import check_pictures
from orchestration.progress import OnProgress, Progress
from parties.model_provider import (
    DistilConfig,
    Report,
    RgbEmbedder,
    Student,
    distil,
    load_rgb_network,
    read_student,
    save_student,
)
from protocol.errors import DataError
from protocol.features import FeatureSpec
from scenarios.datasets import DataSet
from scenarios.datasets.relight import relight

__all__ = [
    "adapted_name",
    "adapted_places",
    "calibrating_pictures",
    "discard_checkpoint",
    "find_adapted",
    "load_teacher",
    "make_folder",
    "train_student",
    "training_people",
    "training_pictures",
    "writable_place",
]

LOAD_BATCH = 256
STEPS_PER_REPORT = 5


def load_teacher(name: str, data_root: Path | None) -> RgbEmbedder:
    """Load the third-party RGB network `ms1m` or `casia`.

    Raises:
        DataError: BAUTA_DATA is not set, or the file is missing or malformed.
    """
    if data_root is None:
        hint = "set BAUTA_DATA to a folder that holds weights/"
        raise DataError("the RGB networks are not part of Bauta", where="BAUTA_DATA", hint=hint)
    return load_rgb_network(data_root / "weights" / f"mobilefacenet_{name}.npz")


def adapted_name(spec: FeatureSpec, teacher: RgbEmbedder, dataset: DataSet) -> str:
    """Return the file name of the student of a teacher for these features and this data set."""
    fields = msgspec.to_builtins(spec)
    if spec.pixel_epsilon is None:
        del fields["pixel_epsilon"]  # names from before there was such noise stay valid
    if spec.selection == "all":
        del fields["selection"]
    if spec.pixel_block == 1:
        del fields["pixel_block"]
    if spec.allocation == "uniform":
        del fields["allocation"]
    digest = blake2b(msgspec.json.encode(fields, order="sorted"), digest_size=6).hexdigest()
    noise = "noiseless" if spec.epsilon is None else f"eps{spec.epsilon:g}"
    noise = noise if spec.pixel_epsilon is None else f"pixel{spec.pixel_epsilon:g}"
    data = re.sub(r"[^A-Za-z0-9]+", "-", dataset.name)
    return f"{data}-{teacher.digest}-{spec.fusion}-{spec.colour}-{noise}-{digest}.npz"


def adapted_places(data_root: Path | None) -> list[Path]:
    """Return the folders adapted networks may be in, in order of preference."""
    places = [] if data_root is None else [data_root / "weights" / "adapted"]
    return [*places, _cache_folder()]


def find_adapted(name: str, data_root: Path | None) -> Path | None:
    """Return the file of an adapted network, or None where there is none yet."""
    found = (place / name for place in adapted_places(data_root))
    return next((path for path in found if path.is_file()), None)


def training_pictures(dataset: DataSet, on_progress: OnProgress) -> NDArray[np.uint8]:
    """Load every picture of the training people, uint8 [N,112,112,3].

    Raises:
        DataError: the data set has no training people.
    """
    ids = [
        picture
        for person in dataset.training_identities()
        for picture in dataset.pictures_of(person)
    ]
    if not ids:
        raise DataError("there are no training people to adapt a network on", where=dataset.name)
    check_pictures(dataset, ids, on_progress)
    parts = []
    for start in range(0, len(ids), LOAD_BATCH):
        on_progress(Progress("load", start, len(ids), "training pictures"))
        parts.append(dataset.load(ids[start : start + LOAD_BATCH]))
    return np.concatenate(parts)


def calibrating_pictures(dataset: DataSet, count: int) -> NDArray[np.uint8]:
    """Load some `count` pictures, spread over the training people, for clip bounds.

    Raises:
        DataError: the data set has no training people.
    """
    people = dataset.training_identities()
    ids = [picture for person in people for picture in dataset.pictures_of(person)]
    if not ids:
        raise DataError("there are no training people to take clip bounds from", where=dataset.name)
    chosen = ids[:: max(1, len(ids) // count)]
    starts = range(0, len(chosen), LOAD_BATCH)
    return np.concatenate([dataset.load(chosen[i : i + LOAD_BATCH]) for i in starts])


def training_people(dataset: DataSet) -> NDArray[np.int64]:
    """Return who is on each training picture, as numbers, in the order of the pictures."""
    people = dataset.training_identities()
    counts = [len(dataset.pictures_of(person)) for person in people]
    return np.repeat(np.arange(len(people), dtype=np.int64), counts)


def train_student(
    dataset: DataSet,
    teacher: RgbEmbedder,
    spec: FeatureSpec,
    config: DistilConfig,
    *,
    out: Path,
    on_progress: OnProgress,
    start: Path | None = None,
) -> Path:
    """Adapt the RGB network to protected inputs on the training people; save and return `out`.

    A checkpoint beside `out` is continued, and removed at the end; see `discard_checkpoint`.

    Raises:
        DataError: too few pictures, or a checkpoint of another training.
    """
    pictures = training_pictures(dataset, on_progress)
    checkpoint = _checkpoint(out)
    make_folder(out.parent, "--out")
    student = distil(
        pictures,
        teacher,
        spec,
        config,
        on_progress=_Reporter(on_progress, config),
        checkpoint=checkpoint,
        start=None if start is None else read_student(start),
        people=training_people(dataset),
        relight=relight,
    )
    _keep(student, dataset, out)
    checkpoint.unlink(missing_ok=True)
    return out


def discard_checkpoint(out: Path) -> None:
    """Forget an interrupted training of `out`, so that the next one starts anew."""
    _checkpoint(out).unlink(missing_ok=True)


def writable_place() -> Path:
    """Return the folder of the user's cache that adapted networks are saved to, made if need be.

    Raises:
        DataError: it cannot be made or written.
    """
    place = _cache_folder()
    with contextlib.suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and os.access(place, os.W_OK):
        return place
    raise DataError(
        "the folder for adapted networks cannot be written",
        where=str(place),
        hint="set XDG_CACHE_HOME to a folder you may write",
    )


def _cache_folder() -> Path:
    return user_cache() / "bauta" / "adapted"


def _keep(student: Student, dataset: DataSet, out: Path) -> None:
    remember_people(student.record, dataset)
    save_student(student, out)


class _Reporter:
    """Turns training reports into progress: done and left in seconds or steps."""

    def __init__(self, on_progress: OnProgress, config: DistilConfig) -> None:
        self._on_progress = on_progress
        self._config = config

    def __call__(self, report: Report) -> None:
        if report.step % STEPS_PER_REPORT:
            return
        total = self._config.steps or max(report.step, round(report.step * self._stretch(report)))
        note = f"loss {report.loss:.4f}"
        if report.held_out is not None:
            note += f", held out {report.held_out:.4f}"
        self._on_progress(Progress("adapt", report.step, total, note, report.remaining_s))

    @staticmethod
    def _stretch(report: Report) -> float:
        return (report.elapsed_s + report.remaining_s) / max(report.elapsed_s, 1e-9)


def _checkpoint(out: Path) -> Path:
    return out.with_suffix(".checkpoint.npz")


def make_folder(folder: Path, option: str) -> Path:
    """Make a folder and those above it, and return it.

    Raises:
        DataError: it cannot be made; `option` names where another can be given.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot be made: {error.strerror or type(error).__name__}"
        hint = f"choose another place with {option}"
        raise DataError(text, where=str(folder), hint=hint) from error
    return folder
