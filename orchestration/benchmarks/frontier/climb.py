"""Train, judge and attack one mechanism, rung by rung from no noise to a lot.

Every rung starts from the network of the rung before and gets the same number of steps. What is
finished is kept in a folder: a climb that was interrupted goes on where it stood.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.accuracy.sources import Source
from orchestration.accuracy.trials import Trial, run_faces
from orchestration.acquaintance import remember_people
from orchestration.benchmarks.frontier.ladders import Ladder, bounds
from orchestration.benchmarks.inputs.judges import FMR, AttackFaces
from orchestration.benchmarks.inputs.measure import AttackPoint, Campaign, attack_point
from orchestration.progress import OnProgress, Progress
from parties.adversary.linear_inversion import LinearAttack
from parties.model_provider import (
    Client,
    DistilConfig,
    Report,
    RgbEmbedder,
    Student,
    StudentEmbedder,
    TargetCache,
    distil,
    read_student,
    save_student,
)
from protocol.errors import DataError
from protocol.features import Calibration, FeatureSpec
from scenarios.datasets import DataSet

__all__ = ["Course", "FrontierPoint", "Rates", "climb"]

TIMED: Final = 8
ROUNDS: Final = 3
HOPELESS: Final = 0.60
"""Accuracy on pairs below which the next rung is not tried."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How well a network recognises people it was not trained on; shares and 95 % intervals.

    Attributes:
        pairs: pairs of the data set's list judged rightly.
        pairs_range: its interval.
        tar: TAR where one in a thousand of all pairs of strangers matches; None where there are
            too few pairs.
        person_tar: the same with every person weighing one.
        person_tar_range: its interval.
        rank_1: mates found first among all people.
        rank_1_range: its interval.
    """

    pairs: float
    pairs_range: tuple[float, float]
    tar: float | None
    person_tar: float | None
    person_tar_range: tuple[float, float] | None
    rank_1: float
    rank_1_range: tuple[float, float]


class FrontierPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One mechanism at one budget.

    Attributes:
        ladder: name of the mechanism.
        title: its name in tables.
        epsilon: of the picture; None for no noise, or for noise that bounds nothing.
        element_epsilon: of each number the noise is drawn for; where shares are learned, the mean;
            None for no noise.
        largest_epsilon: the largest of them.
        learned: whether shares are learned.
        values: how many numbers that noise is drawn for.
        channels: of the input.
        picture_bytes: of one upload.
        client_ms: processor time a client needs for one picture.
        steps: gradient steps of this rung.
        all_steps: gradient steps since the RGB network.
        training_s: seconds they took.
        loss: 1 - cos on training pictures at the end.
        rates: of the trained network.
        attack: the linear attack, judged by networks that know no noise.
        linked: attacked faces whose protected input the trained network matches, at FMR 1 %, with
            the RGB embedding of another, unprotected picture of the person.
        linked_faces: of how many.
    """

    ladder: str
    title: str
    epsilon: float | None
    element_epsilon: float | None
    largest_epsilon: float | None
    learned: bool
    values: int
    channels: int
    picture_bytes: int
    client_ms: float
    steps: int
    all_steps: int
    training_s: float
    loss: float
    rates: Rates
    attack: AttackPoint
    linked: int
    linked_faces: int


class Course(NamedTuple):
    """What every climb shares.

    Attributes:
        dataset: training people, and the people that are tested.
        data: how an evaluation names that data set.
        root: data folder, where there is one.
        pictures: of the training people, uint8 [N,112,112,3].
        teacher: the RGB network.
        targets: what the teacher said of those pictures.
        faces: what is attacked.
        attack: the linear adversary.
        config: of the first rung, and the seed of all.
        noisy: of every other rung.
        calibrating: pictures that clip bounds come from.
        folder: where finished rungs are kept.
        judge: what a trial's embeddings are worth; None trains and measures nothing.
    """

    dataset: DataSet
    data: str
    root: Path | None
    pictures: NDArray[np.uint8]
    teacher: RgbEmbedder
    targets: TargetCache
    faces: AttackFaces
    attack: LinearAttack
    config: DistilConfig
    noisy: DistilConfig
    calibrating: int
    folder: Path
    judge: Callable[[Trial], Rates] | None


def climb(
    ladder: Ladder, epsilons: Sequence[float], course: Course, on_progress: OnProgress
) -> Iterator[FrontierPoint]:
    """Yield a mechanism's points from no noise downwards, until its network is near chance."""
    every = max(1, len(course.pictures) // course.calibrating)
    calibration: Calibration | None = None
    before: Path | None = None
    for rung, epsilon in enumerate([None, *sorted(epsilons, reverse=True)]):
        spec = ladder.at(epsilon)
        if spec is None:
            continue
        name = _name(ladder, epsilon, course)
        path = course.folder / f"{name}.npz"
        place = _Place(epsilon, path, before, rung)
        on_progress(Progress("train", rung, len(epsilons) + 1, name))
        if not path.is_file():
            calibration = calibration or bounds(ladder, course.pictures[::every])
            _train(ladder, spec, course, calibration, place, on_progress)
        before = before if ladder.anew and epsilon is not None else path
        if course.judge is None:
            continue
        point = _kept(path)
        if point is None or point.attack.faces != len(course.faces.pictures):
            point = _measure(ladder, place, course, course.judge, on_progress)
            _keep(point, path)
        yield point
        if epsilon is not None and point.rates.pairs < HOPELESS:
            return


def _name(ladder: Ladder, epsilon: float | None, course: Course) -> str:
    """Return the name of a rung's files; ladders of the same quiet features share the first."""
    if epsilon is None:
        return f"{ladder.name}-none"
    steps = course.noisy.steps
    length = "" if steps == course.config.steps else f"-{steps}"
    variant = f"-{ladder.variant.replace(' ', '-')}" if ladder.variant else ""
    return f"{ladder.name}{variant}-{epsilon:g}{length}"


class _Place(NamedTuple):
    """A rung: its budget, where it is kept, what it starts from, and its number."""

    epsilon: float | None
    path: Path
    before: Path | None
    rung: int


def _train(
    ladder: Ladder,
    spec: FeatureSpec,
    course: Course,
    calibration: Calibration,
    place: _Place,
    on_progress: OnProgress,
) -> None:
    config = course.config if place.epsilon is None else course.noisy
    config = replace(config, seed=course.config.seed + place.rung)
    checkpoint = place.path.with_suffix(".checkpoint.npz")

    def report(found: Report) -> None:
        note = f"loss {found.loss:.4f}"
        on_progress(Progress(place.path.stem, found.step, config.steps or 0, note))

    student = distil(
        course.pictures,
        course.teacher,
        spec,
        config,
        on_progress=report,
        checkpoint=checkpoint,
        start=None if place.before is None else read_student(place.before),
        calibration=ladder.calibrated(calibration, place.epsilon),
        targets=course.targets,
        client=ladder.client(place.epsilon),
    )
    remember_people(student.record, course.dataset)
    save_student(student, place.path)
    checkpoint.unlink(missing_ok=True)


def _measure(
    ladder: Ladder,
    place: _Place,
    course: Course,
    judge: Callable[[Trial], Rates],
    watch: OnProgress,
) -> FrontierPoint:
    student, epsilon = read_student(place.path), place.epsilon
    half = course.config.precision == "bfloat16"
    network = StudentEmbedder(student, half=half)
    client = ladder.client(epsilon)(student.spec, student.calibration, os.urandom)

    def embed(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return network.embed(client.protect(pictures))

    source = Source(
        ladder.name, ladder.title_at(epsilon), course.dataset.name, embed, student.record
    )
    seed, faces = course.config.seed, course.faces
    trial = run_faces(
        [source], course.data, course.root, watch, which="test", mirror=False, seed=seed
    )
    mechanism, spent = ladder.attacked(student.calibration, epsilon), ladder.spent(epsilon)
    attack = attack_point(mechanism, spent, Campaign(faces, course.attack, seed))
    return FrontierPoint(
        ladder=ladder.name,
        title=ladder.title_at(epsilon),
        epsilon=spent,
        element_epsilon=None if epsilon is None else epsilon / ladder.values,
        largest_epsilon=None if epsilon is None else _largest(epsilon / ladder.values, student),
        learned=ladder.learned and epsilon is not None,
        values=ladder.values,
        channels=student.spec.channels,
        picture_bytes=student.spec.picture_bytes,
        client_ms=_client_ms(client, faces.pictures[:TIMED]),
        steps=int(student.record["steps"]),
        all_steps=_all_steps(student.record),
        training_s=float(student.record["training_s"]),
        loss=float(student.record["loss"]),
        rates=judge(trial),
        attack=attack,
        linked=_linked(embed(faces.pictures), faces),
        linked_faces=len(faces.pictures),
    )


def _largest(epsilon: float, student: Student) -> float:
    shares = student.calibration.allocation
    return epsilon if shares is None else epsilon * shares.extremes[1]


def _client_ms(client: Client, pictures: NDArray[np.uint8]) -> float:
    """Return the processor time of one picture, the best of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        client.protect(pictures)
        taken.append(time.thread_time() - start)
    return 1e3 * min(taken) / len(pictures)


def _linked(protected: NDArray[np.float32], faces: AttackFaces) -> int:
    """Count protected faces nearer to their person's other picture than 99 % of strangers are."""
    units, judge = protected / np.linalg.norm(protected, axis=1, keepdims=True), faces.judges[0]
    scores = units @ judge.strangers.T
    strange = np.ones(scores.shape, dtype=np.bool_)
    strange[np.arange(len(units)), judge.own] = False
    linked = np.einsum("td,td->t", units, judge.other)
    return int((linked > np.quantile(scores[strange], 1 - FMR)).sum())


def _all_steps(record: dict[str, Any]) -> int:
    earlier = record.get("start")
    return int(record["steps"]) + (0 if earlier is None else _all_steps(earlier))


def _kept(path: Path) -> FrontierPoint | None:
    kept = _result(path)
    if not kept.is_file():
        return None
    try:
        return msgspec.json.decode(kept.read_bytes(), type=FrontierPoint)
    except msgspec.DecodeError as error:
        hint = "delete it to measure again"
        raise DataError("not a finished point", where=str(kept), hint=hint) from error


def _keep(point: FrontierPoint, path: Path) -> None:
    _result(path).write_bytes(msgspec.json.encode(point))


def _result(path: Path) -> Path:
    return path.with_suffix(".json")
