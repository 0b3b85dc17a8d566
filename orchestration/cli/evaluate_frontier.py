"""`bauta evaluate frontier`: accuracy against budget for networks trained under noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from orchestration.accuracy.trials import Trial
    from orchestration.benchmarks.frontier.climb import Course, FrontierPoint, Rates
    from orchestration.benchmarks.frontier.ladders import Ladder
    from orchestration.cli.training import Training
    from reports.metrics import PersonMean

__all__ = ["frontier"]

CALIBRATING = 1000


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@click.option("--mechanism", "names", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--epsilon",
    "epsilons",
    type=float,
    multiple=True,
    help="Budgets of the picture, for all mechanisms.",
)
@click.option("--steps", default=60, show_default=True, help="Gradient steps of every rung.")
@click.option("--faces", default=100, show_default=True, help="Faces attacked.")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of finished rungs; the same folder continues an interrupted climb.",
)
@click.option("--train-only", is_flag=True, help="Measure later, with the same --work.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JSON here, and the curves as SVG and PNG beside it.",
)
def frontier(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    names: tuple[str, ...],
    epsilons: tuple[float, ...],
    steps: int,
    faces: int,
    precision: str,
    work: Path,
    train_only: bool,
    as_json: bool,
    out: Path | None,
) -> None:
    """Train a network under every mechanism and budget, judge it, and attack its inputs.

    Each mechanism starts without noise from the scenario's RGB network; every budget starts from
    the network of the one before, with the same number of steps. The people tested, and the faces
    attacked, are the scenario's test people.
    """
    from orchestration.benchmarks.frontier.climb import climb
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from orchestration.cli.training import Wishes, open_training
    from reports.frontier import frontier_lines, write_frontier_figure

    chosen = _ladders(names)
    job = open_training(scenario, (), Wishes(steps=steps, precision=precision))
    points: list[FrontierPoint] = []
    with progress_view(errors()) as on_progress:
        course = _course(job, faces, _folder(work, job))
        course = course._replace(judge=None) if train_only else course
        for ladder in chosen:
            for point in climb(ladder, epsilons or ladder.epsilons, course, on_progress):
                points.append(point)
                click.echo(f"{point.title}, epsilon {point.epsilon}", err=True)
    content = {
        "data": job.dataset.name,
        "network": job.scenario.network.teacher,
        "seed": job.scenario.seed,
        "steps": steps,
        "batch_size": job.config.batch_size,
        "precision": job.config.precision,
        "training_pictures": len(course.pictures),
        "calibrating": CALIBRATING,
        "points": points,
    }
    finish("evaluate frontier", content, frontier_lines(points), as_json=as_json, out=out)
    if out is not None:
        for figure in write_frontier_figure(out):
            click.echo(figure, err=True)


def _ladders(names: tuple[str, ...]) -> list[Ladder]:
    from orchestration.benchmarks.frontier.ladders import LADDERS

    unknown = [name for name in names if name not in LADDERS]
    if unknown:
        text = f"no mechanism {unknown[0]!r}; there are {', '.join(LADDERS)}"
        raise click.UsageError(text)
    return [LADDERS[name] for name in names or LADDERS]


def _folder(work: Path, job: Training) -> Path:
    """Make and return the folder of rungs trained like these; others are never mixed up."""
    from protocol.errors import DataError

    config = job.config
    settings = f"{job.dataset.name}-{job.teacher.digest}-seed{config.seed}-{config.precision}"
    folder = work / f"{settings}-{config.steps}x{config.batch_size}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot be made: {error.strerror or type(error).__name__}"
        raise DataError(text, where=str(folder), hint="choose another --work") from error
    return folder


def _course(job: Training, faces: int, folder: Path) -> Course:
    from orchestration.benchmarks.frontier.climb import Course
    from orchestration.benchmarks.inputs.measure import attack_faces
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
        faces=attack_faces(job.dataset, job.teacher, faces),
        config=job.config,
        calibrating=CALIBRATING,
        folder=folder,
        judge=_judge,
    )


def _judge(trial: Trial) -> Rates:
    from orchestration.benchmarks.frontier.climb import Rates
    from protocol.errors import DataError
    from reports.recognition import judge_pairs, judge_people

    listed = trial.pairs[-1]
    pairs = judge_pairs(listed.name, listed.scores, listed.same, listed.folds).pooled
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
