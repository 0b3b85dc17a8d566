"""`bauta train`: adapt a third-party network to protected inputs, before a scenario needs it."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.options import POSITIVE, FiniteRange, overrides_option, precision_option

__all__ = ["train"]


@click.command(short_help="Adapt a network to a scenario's protected inputs.")
@click.argument("scenario", default="lfw")
@overrides_option
@click.option(
    "--minutes",
    type=POSITIVE,
    help="Time for the gradient steps.  [default: the scenario's network.adapt_minutes]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="So many steps instead, which makes the result a function of the seed.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@precision_option
@click.option(
    "--shift",
    type=click.IntRange(min=0, max=16),
    default=0,
    help="Move training pictures by up to so many pixels, where there are few of them.",
)
@click.option(
    "--light",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    show_default=True,
    help="Share of training pictures that the student sees side-lit or dark, the RGB network not.",
)
@click.option("--learning-rate", type=POSITIVE, help="At its peak.")
@click.option(
    "--distil",
    type=FiniteRange(min=0),
    default=1.0,
    show_default=True,
    help="Weight of the distance to the RGB network.",
)
@click.option(
    "--arcface",
    type=FiniteRange(min=0),
    default=0.0,
    show_default=True,
    help="Weight of telling training people apart by ArcFace; 0.02 is of the size of --distil.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Hold one person in twenty out, check every 50 steps, stop after so many checks without "
    "a better one, and keep the best.",
)
@click.option("--fresh", is_flag=True, help="Start anew instead of continuing a checkpoint.")
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Continue from this student instead of from the RGB network.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: where `bauta run` looks for it]",
)
def train(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    overrides: tuple[str, ...],
    minutes: float | None,
    steps: int | None,
    device: str,
    precision: str,
    shift: int,
    light: float,
    learning_rate: float | None,
    distil: float,
    arcface: float,
    patience: int | None,
    fresh: bool,
    start: Path | None,
    out: Path | None,
) -> None:
    """Adapt the teacher network of SCENARIO to its features, on its training people.

    An interrupted training continues where its last checkpoint was written. `bauta run` does the
    same on first use; train here to give it more time, other seeds or a GPU.
    """
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.training import Wishes, open_training
    from orchestration.training import discard_checkpoint, train_student

    wishes = Wishes(
        minutes, steps, device, precision, shift, learning_rate, distil, arcface, patience, light
    )
    job = open_training(scenario, overrides, wishes)
    place = job.usual_place() if out is None else out
    if fresh:
        discard_checkpoint(place)
    with progress_view(errors()) as on_progress:
        written = train_student(
            job.dataset,
            job.teacher,
            job.scenario.features,
            job.config,
            out=place,
            on_progress=on_progress,
            start=start,
        )
    click.echo(written)
