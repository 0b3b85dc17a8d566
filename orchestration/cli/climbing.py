"""What commands share that train a network per row of a table: what is trained, judged, kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orchestration.accuracy.trials import Trial
    from orchestration.benchmarks.frontier.climb import Course, FrontierPoint, Rates
    from orchestration.benchmarks.frontier.ladders import Ladder
    from orchestration.cli.training import Training
    from orchestration.progress import OnProgress
    from reports.metrics import PersonMean

__all__ = ["chosen", "climbed", "course_of", "described"]

CALIBRATING = 1000
KNOWN = 3000
"""Training people of whom the adversary has a picture."""


def chosen(names: tuple[str, ...], ladders: Mapping[str, Ladder]) -> list[Ladder]:
    """Return the ladders of these names, or all; a UsageError names what there is."""
    unknown = [name for name in names if name not in ladders]
    if unknown:
        raise click.UsageError(f"no mechanism {unknown[0]!r}; there are {', '.join(ladders)}")
    return [ladders[name] for name in names or ladders]


def climbed(
    ladders: Iterable[Ladder], course: Course, on_progress: OnProgress
) -> Iterator[FrontierPoint]:
    """Yield the points of all ladders; a quiet rung that two of them share comes once."""
    from orchestration.benchmarks.frontier.climb import climb

    quiet: set[str] = set()
    for ladder in ladders:
        for point in climb(ladder, ladder.epsilons, course, on_progress):
            click.echo(f"{point.title}, epsilon of a value {point.element_epsilon}", err=True)
            if point.element_epsilon is None and ladder.name in quiet:
                continue
            quiet.add(ladder.name)
            yield point


def described(job: Training, course: Course) -> dict[str, Any]:
    """Return what a result file says of how its networks were trained."""
    return {
        "data": job.dataset.name,
        "network": job.scenario.network.teacher,
        "seed": job.scenario.seed,
        "steps": job.config.steps,
        "noisy_steps": course.noisy.steps,
        "batch_size": job.config.batch_size,
        "precision": job.config.precision,
        "training_pictures": len(course.pictures),
        "calibrating": CALIBRATING,
        "known": KNOWN,
    }


def _folder(work: Path, job: Training) -> Path:
    """Make and return the folder of rungs trained like these; others are never mixed up."""
    from orchestration.training import make_folder

    config = job.config
    settings = f"{job.dataset.name}-{job.teacher.digest}-seed{config.seed}-{config.precision}"
    return make_folder(work / f"{settings}-{config.steps}x{config.batch_size}", "--work")


def course_of(job: Training, faces: int, work: Path, noisy_steps: int | None = None) -> Course:
    """Return what all networks of a table share, with its folder below `work`.

    Networks under noise take `noisy_steps` gradient steps, by default as many as the first.

    Raises:
        DataError: data are missing, or the folder cannot be made.
    """
    from orchestration.benchmarks.frontier.climb import Course
    from orchestration.benchmarks.inputs.judges import attack_faces
    from orchestration.benchmarks.inputs.measure import linear_attack
    from orchestration.cli.training import judges_of
    from orchestration.training import training_pictures
    from parties.model_provider import TargetCache
    from scenarios.resources import data_root

    data = job.scenario.data
    return Course(
        dataset=job.dataset,
        data="lfw" if data.kind == "lfw" else str(data.path),
        root=data_root(),
        pictures=training_pictures(job.dataset, lambda _: None),
        teacher=job.teacher,
        targets=TargetCache(job.teacher, half=job.config.precision == "bfloat16"),
        faces=attack_faces(job.dataset, judges_of(job.scenario, job.teacher), faces),
        attack=linear_attack(job.dataset, KNOWN),
        config=job.config,
        noisy=replace(job.config, steps=noisy_steps or job.config.steps),
        calibrating=CALIBRATING,
        folder=_folder(work, job),
        judge=_judge,
    )


def _judge(trial: Trial) -> Rates:
    from orchestration.benchmarks.frontier.climb import Rates
    from orchestration.cli.pairs import listed
    from protocol.errors import DataError
    from reports.recognition import judge_pairs, judge_people

    pairs = judge_pairs(listed(trial.pairs[-1])).pooled
    people = None
    if trial.people is not None:
        people = judge_people(trial.people.embeddings, trial.people.person)
    if people is None or people.closed_set is None:
        raise DataError("nobody has a second picture to be found by", where=trial.data)
    rank_1 = people.closed_set.rank_1
    tar = people.all_pairs[0] if people.all_pairs else None
    return Rates(
        pairs=pairs.value or 0.0,
        pairs_range=(pairs.low or 0.0, pairs.high or 0.0),
        tar=None if tar is None else tar.rate.tar.value,
        person_tar=None if tar is None else tar.per_person.value,
        person_tar_range=None if tar is None else _range(tar.per_person),
        rank_1=rank_1.value or 0.0,
        rank_1_range=(rank_1.low or 0.0, rank_1.high or 0.0),
    )


def _range(rate: PersonMean) -> tuple[float, float] | None:
    return None if rate.low is None or rate.high is None else (rate.low, rate.high)
