"""`bauta evaluate ablations`: what each part of the input is worth to a network trained on it."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.options import (
    POSITIVE,
    faces_option,
    precision_option,
    result_options,
    steps_option,
    work_option,
)

__all__ = ["ablations"]


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@click.option("--input", "names", multiple=True, help="Only this one; may be repeated.")
@steps_option("--steps", 150, "Gradient steps without noise.")
@click.option(
    "--epsilon",
    "epsilons",
    type=POSITIVE,
    multiple=True,
    help="Also with noise of this epsilon per coefficient; may be repeated.",
)
@click.option(
    "--allocation",
    type=click.Choice(["uniform", "learned", "both"]),
    default="both",
    show_default=True,
    help="How the budget of a picture is divided.",
)
@steps_option("--noisy-steps", 40, "Gradient steps of each budget.")
@faces_option()
@precision_option
@work_option("networks")
@result_options()
def ablations(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    names: tuple[str, ...],
    steps: int,
    epsilons: tuple[float, ...],
    allocation: str,
    noisy_steps: int,
    faces: int,
    precision: str,
    work: Path,
    as_json: bool,
    out: Path | None,
) -> None:
    """Train one network per kind of input and noise, all alike, and judge them.

    Fusions without colour, colour descriptors beside one fusion, and the channels that two peers
    send. With --epsilon, every budget starts from the network of the one before; colour maps stay
    without noise. The linear attack reads the frequency part alone.
    """
    from orchestration.benchmarks.frontier.ablations import ABLATIONS, noisy_variants
    from orchestration.cli.climbing import chosen, climbed, course_of, described
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from orchestration.cli.training import Wishes, open_training
    from reports.frontier import ablation_lines

    ladders = chosen(names, ABLATIONS)
    job = open_training(scenario, (), Wishes(steps=steps, precision=precision))
    variants = [
        variant for ladder in ladders for variant in noisy_variants(ladder, epsilons, allocation)
    ]
    with progress_view(errors()) as on_progress:
        course = course_of(job, faces, work, noisy_steps)
        rows = list(climbed(variants, course, on_progress))
    content = {**described(job, course), "rows": rows}
    finish("evaluate ablations", content, ablation_lines(rows), as_json=as_json, out=out)
