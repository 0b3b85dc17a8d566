"""`bauta evaluate recovery`: what a trained adversary sees in protected inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orchestration.cli.options import (
    faces_option,
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
@steps_option("--steps", 600, "Gradient steps of the adversary, 32 pictures each.")
@faces_option()
@precision_option
@work_option("rows", required=False)
@result_options()
def recovery(  # noqa: PLR0913 - one parameter per option
    *,
    files: tuple[Path, ...],
    scenario: str,
    steps: int,
    faces: int,
    precision: str,
    work: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Train an adversary on the kind of input each student FILE names, and attack others with it.

    The adversary knows everything but the noise: it protects pictures of the scenario's training
    people itself, learns to paint them back, and is tried on faces of test people. All that is
    sent is attacked, colour maps included; of FILE, only features and calibration are used.
    Beside it the linear attack on the same uploads, a blank picture, the mean training face, and
    the luminance no protection would leave.
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
        course = _course(job, steps, faces, work)
        outside: dict[str, Any] = msgspec.to_builtins(floors(course))
        for row in attack(inputs, course, on_progress):
            rows.append(msgspec.to_builtins(row))
            click.echo(f"{row.title}: SSIM {row.trained.ssim:.3f}", err=True)
    content = {**_described(job, course), "floors": outside, "rows": rows}
    finish("evaluate recovery", content, recovery_lines(outside, rows), as_json=as_json, out=out)


def _course(job: Training, steps: int, faces: int, work: Path | None) -> RecoveryCourse:
    from orchestration.benchmarks.inputs.measure import attack_faces
    from orchestration.benchmarks.recovery.measure import RecoveryCourse
    from orchestration.benchmarks.recovery.visits import mean_face
    from orchestration.training import make_folder, training_pictures
    from parties.adversary.learned_recovery import RecoveryConfig

    config = job.config
    pictures = training_pictures(job.dataset, lambda _: None)
    return RecoveryCourse(
        pictures=pictures,
        mean=mean_face(pictures),
        faces=attack_faces(job.dataset, job.teacher, faces),
        network=job.teacher,
        config=RecoveryConfig(
            steps=steps,
            seed=config.seed,
            device=config.device,
            half=config.precision == "bfloat16",
        ),
        described=f"{job.dataset.name} {job.teacher.digest}",
        folder=None if work is None else make_folder(work, "--work"),
    )


def _described(job: Training, course: RecoveryCourse) -> dict[str, Any]:
    from orchestration.benchmarks.recovery.visits import BATCH

    return {
        "data": job.dataset.name,
        "network": job.scenario.network.teacher,
        "seed": course.config.seed,
        "steps": course.config.steps,
        "batch_size": BATCH,
        "learning_rate": course.config.learning_rate,
        "precision": job.config.precision,
        "training_pictures": len(course.pictures),
        "training_people": len(job.dataset.training_identities()),
        "faces": len(course.faces.pictures),
        "threshold": course.faces.threshold,
    }
