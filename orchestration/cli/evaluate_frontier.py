"""`bauta evaluate frontier`: accuracy against budget for networks trained under noise."""

from __future__ import annotations

from dataclasses import replace
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

__all__ = ["frontier"]


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@click.option("--mechanism", "names", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--epsilon",
    "epsilons",
    type=POSITIVE,
    multiple=True,
    help="Budgets of the picture, for all mechanisms.",
)
@steps_option("--steps", 60, "Gradient steps of every rung.")
@faces_option()
@precision_option
@work_option("rungs")
@click.option("--train-only", is_flag=True, help="Measure later, with the same --work.")
@result_options("Write JSON here, and the curves as SVG and PNG beside it.")
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
    from orchestration.benchmarks.frontier.ladders import LADDERS
    from orchestration.cli.climbing import chosen, climbed, course_of, described
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from orchestration.cli.training import Wishes, open_training
    from reports.frontier import frontier_lines, write_frontier_figure

    ladders = chosen(names, LADDERS)
    job = open_training(scenario, (), Wishes(steps=steps, precision=precision))
    with progress_view(errors()) as on_progress:
        course = course_of(job, faces, work)
        course = course._replace(judge=None) if train_only else course
        if epsilons:
            ladders = [replace(ladder, epsilons=epsilons) for ladder in ladders]
        points = list(climbed(ladders, course, on_progress))
    content = {**described(job, course), "points": points}
    finish("evaluate frontier", content, frontier_lines(points), as_json=as_json, out=out)
    if out is not None:
        for figure in write_frontier_figure(out):
            click.echo(figure, err=True)
