"""`bauta evaluate frontier`: accuracy against budget for networks trained under noise."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["frontier"]


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
            ladders = [ladder._replace(epsilons=epsilons) for ladder in ladders]
        points = list(climbed(ladders, course, on_progress))
    content = {**described(job, course), "points": points}
    finish("evaluate frontier", content, frontier_lines(points), as_json=as_json, out=out)
    if out is not None:
        for figure in write_frontier_figure(out):
            click.echo(figure, err=True)
