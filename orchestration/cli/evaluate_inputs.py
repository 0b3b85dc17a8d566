"""`bauta evaluate inputs`: input protections side by side, and the linear attack on them."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.options import SEED, faces_option, result_options

__all__ = ["inputs"]

EPSILONS = (None, 3.2e6, 1.6e6, 7.9e5, 4e5, 2e5, 1e5, 5e4, 2.5e4, 1.2e4, 6e3)


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@faces_option()
@click.option(
    "--training",
    type=click.IntRange(min=100),
    default=400,
    show_default=True,
    help="Pictures that set clip bounds.",
)
@click.option("--seed", type=SEED, help="Of the noise.  [default: the scenario's]")
@result_options()
def inputs(
    *, scenario: str, faces: int, training: int, seed: int | None, as_json: bool, out: Path | None
) -> None:
    """Attack noisy inputs without training, at equal budgets of the whole picture.

    A recovered face counts when the unprotected network matches it with the person at FMR 1 %.
    The scenario names the faces and that network.
    """
    from orchestration.benchmarks.inputs.measure import attack_faces, attack_points
    from orchestration.benchmarks.inputs.mechanisms import mechanisms
    from orchestration.cli.results import finish
    from orchestration.cli.training import open_faces
    from reports.input_rates import input_lines

    loaded, dataset, network = open_faces(scenario)
    people = dataset.training_identities()[:training]
    pictures = dataset.load([dataset.pictures_of(name)[0] for name in people])
    batches = [pictures[start : start + 50] for start in range(0, len(pictures), 50)]
    seed = loaded.seed if seed is None else seed
    attacked = attack_faces(dataset, network, faces)
    points = []
    for point in attack_points(mechanisms(batches), EPSILONS, attacked, network, seed):
        click.echo(f"{point.mechanism}, epsilon {point.epsilon}", err=True)
        points.append(point)
    content = {
        "data": dataset.name,
        "network": loaded.network.teacher,
        "seed": seed,
        "training_pictures": len(pictures),
        "threshold": attacked.threshold,
        "points": points,
    }
    finish("evaluate inputs", content, input_lines(points), as_json=as_json, out=out)
