"""`bauta evaluate recovery`: what a trained adversary sees in protected inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orchestration.cli.options import (
    faces_option,
    known_option,
    precision_option,
    result_options,
    steps_option,
    work_option,
)

if TYPE_CHECKING:
    from orchestration.benchmarks.recovery.measure import RecoveryCourse
    from orchestration.cli.training import Training

__all__ = ["recovery"]


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--scenario", default="accuracy-inputs", show_default=True, help="Names the faces.")
@steps_option("--steps", 3000, "Most gradient steps of the adversary, 32 pictures each.")
@faces_option(200)
@known_option()
@precision_option
@work_option("rows", required=False)
@result_options()
def recovery(  # noqa: PLR0913 - one parameter per option
    *,
    files: tuple[Path, ...],
    scenario: str,
    steps: int,
    faces: int,
    known: int,
    precision: str,
    work: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Train an adversary on the kind of input each student FILE names, and attack others with it.

    The adversary knows everything but the noise: it protects pictures of the scenario's training
    people itself, learns to paint them back, and is tried on faces of test people. All that is
    sent is attacked, colour maps included; of FILE, only features and calibration are used.
    Training starts from what the linear attack recovers, and ends where pictures of people held
    out get no better. Beside it the linear attack on the same uploads, a blank picture, the mean
    training face, and the luminance no protection would leave.
    """
    from orchestration.benchmarks.recovery.measure import attack, floors, read_attacked
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from orchestration.cli.training import Wishes, open_training
    from reports.recovery_text import recovery_lines

    inputs = read_attacked(files)
    job = open_training(scenario, (), Wishes(steps=steps, precision=precision))
    rows: list[dict[str, Any]] = []
    with progress_view(errors()) as on_progress:
        course = _course(job, (steps, faces, known), work)
        outside: dict[str, Any] = msgspec.to_builtins(floors(course))
        for row in attack(inputs, course, on_progress):
            rows.append(msgspec.to_builtins(row))
            click.echo(f"{row.title}: SSIM {row.trained.ssim:.3f}, {row.verdict}", err=True)
    content = {**_described(job, course), "floors": outside, "rows": rows}
    finish("evaluate recovery", content, recovery_lines(outside, rows), as_json=as_json, out=out)


def _course(job: Training, asked: tuple[int, int, int], work: Path | None) -> RecoveryCourse:
    from orchestration.benchmarks.inputs.judges import attack_faces
    from orchestration.benchmarks.inputs.measure import linear_attack
    from orchestration.benchmarks.recovery.measure import RecoveryCourse
    from orchestration.benchmarks.recovery.visits import adversary_pictures, mean_face
    from orchestration.cli.training import judges_of
    from orchestration.training import make_folder
    from parties.adversary.learned_recovery import RecoveryConfig

    steps, faces, known = asked
    config = job.config
    pictures, held = adversary_pictures(job.dataset, known)
    judges = judges_of(job.scenario, job.teacher)
    return RecoveryCourse(
        pictures=pictures,
        held=held,
        mean=mean_face(pictures),
        faces=attack_faces(job.dataset, judges, faces),
        attack=linear_attack(job.dataset, known),
        config=RecoveryConfig(
            steps=steps,
            seed=config.seed,
            device=config.device,
            half=config.precision == "bfloat16",
        ),
        described=f"{job.dataset.name} {[net.digest for net in judges.values()]} {known}",
        folder=None if work is None else make_folder(work, "--work"),
    )


def _described(job: Training, course: RecoveryCourse) -> dict[str, Any]:
    from orchestration.benchmarks.recovery.visits import BATCH

    return {
        "data": job.dataset.name,
        "seed": course.config.seed,
        "steps": course.config.steps,
        "batch_size": BATCH,
        "learning_rate": course.config.learning_rate,
        "precision": job.config.precision,
        "training_pictures": len(course.pictures),
        "held_pictures": len(course.held),
        "faces": len(course.faces.pictures),
        "thresholds": {judge.name: judge.threshold for judge in course.faces.judges},
    }
