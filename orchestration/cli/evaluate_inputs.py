"""`bauta evaluate inputs`: input protections side by side, and the linear attack on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.options import (
    POSITIVE,
    SEED,
    faces_option,
    known_option,
    result_options,
    work_option,
)

if TYPE_CHECKING:
    from orchestration.benchmarks.inputs.mechanisms import Mechanism
    from scenarios.datasets import DataSet

__all__ = ["inputs"]

EPSILONS = (
    *(None, 3.2e6, 1.6e6, 8e5, 4e5, 2e5, 1e5, 5e4),
    *(2.5e4, 1.2e4, 6e3, 3e3, 1.5e3, 750.0, 375.0),
)


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@faces_option(200)
@click.option("--mechanism", "wanted", multiple=True, help="Only names with this; may be repeated.")
@click.option(
    "--epsilon",
    "epsilons",
    type=POSITIVE,
    multiple=True,
    help="Budgets of the picture instead of the usual ones; may be repeated.",
)
@click.option(
    "--training",
    type=click.IntRange(min=100),
    default=1000,
    show_default=True,
    help="Pictures that set clip bounds.",
)
@known_option()
@click.option(
    "--prior",
    type=click.Choice(["face", "smooth"]),
    default="face",
    show_default=True,
    help="What the adversary knows of pictures.",
)
@click.option(
    "--uploads",
    type=click.IntRange(min=2),
    multiple=True,
    help="Where one upload hides everybody, attack the mean of so many; may be repeated.",
)
@work_option("attacks", required=False)
@click.option("--seed", type=SEED, help="Of the noise.  [default: the scenario's]")
@result_options()
def inputs(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    faces: int,
    wanted: tuple[str, ...],
    epsilons: tuple[float, ...],
    training: int,
    known: int,
    prior: str,
    uploads: tuple[int, ...],
    work: Path | None,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Attack noisy inputs without training, at equal budgets of the whole picture.

    A recovered face counts when an unprotected network matches it with the person at FMR 1 %; two
    networks judge. The scenario names the faces and the first of them. Budgets go down until
    recovered faces match their people no more than strangers.
    """
    from orchestration.benchmarks.inputs.judges import attack_faces
    from orchestration.benchmarks.inputs.kept import KeptAttacks
    from orchestration.benchmarks.inputs.measure import Campaign, attack_points, linear_attack
    from orchestration.cli.results import finish
    from orchestration.cli.training import judges_of, open_faces
    from orchestration.training import make_folder
    from reports.input_rates import input_lines

    loaded, dataset, network = open_faces(scenario)
    found = _mechanisms(dataset, training, wanted)
    folder = None if work is None else make_folder(work, "--work")
    attacked = attack_faces(dataset, judges_of(loaded, network), faces, folder)
    attack = linear_attack(dataset, known, prior)
    campaign = Campaign(attacked, attack, loaded.seed if seed is None else seed)
    attacks = KeptAttacks(folder, campaign)
    budgets = sorted(epsilons, reverse=True) if epsilons else EPSILONS
    points = []
    for point in attack_points(found, budgets, attacks.point, uploads):
        click.echo(f"{point.mechanism}, epsilon {point.epsilon}, {point.uploads}", err=True)
        points.append(point)
    content = {
        "data": dataset.name,
        "seed": campaign.seed,
        "prior": prior,
        "known": min(known, len(dataset.training_identities())),
        "calibrating": training,
        "thresholds": {judge.name: judge.threshold for judge in attacked.judges},
        "points": points,
    }
    finish("evaluate inputs", content, input_lines(points), as_json=as_json, out=out)


def _mechanisms(dataset: DataSet, training: int, wanted: tuple[str, ...]) -> list[Mechanism]:
    """Return the mechanisms asked for, with clip bounds from training pictures.

    Raises:
        click.UsageError: there is none of that name.
    """
    from orchestration.benchmarks.inputs.mechanisms import NAMES, mechanisms
    from orchestration.training import calibrating_pictures

    for word in wanted:
        if not any(word in name for name in NAMES):
            known = ", ".join(map(repr, NAMES))
            raise click.UsageError(f"no mechanism {word!r}; there are {known}")
    pictures = calibrating_pictures(dataset, training)
    batches = [pictures[start : start + 64] for start in range(0, len(pictures), 64)]
    names = [name for name in NAMES if not wanted or any(word in name for word in wanted)]
    return mechanisms(batches, names)
