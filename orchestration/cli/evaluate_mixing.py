"""`bauta evaluate mixing`: what a secret mixing of channels costs, and how little it hides."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.options import SEED, faces_option, known_option, result_options

__all__ = ["mixing"]

TRAINING = 100


@click.command()
@click.argument("scenario", default="accuracy-inputs")
@click.option("--student", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@faces_option(40)
@known_option()
@click.option(
    "--uploads",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Uploads tried, one at a time.",
)
@click.option("--seed", type=SEED, help="Of the key.  [default: the scenario's]")
@result_options()
def mixing(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    student: Path | None,
    faces: int,
    known: int,
    uploads: int,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Mix 63 fused channels by a secret orthogonal matrix, and eavesdrop.

    The adversary knows faces in general and one upload of somebody else, and attacks other
    uploads. With --student, also what the mixing costs that network.
    """
    import numpy as np

    from orchestration.benchmarks.inputs.judges import attack_faces
    from orchestration.benchmarks.inputs.measure import Campaign, linear_attack
    from orchestration.benchmarks.inputs.mixing import MixedChannels, eavesdrop, rounding_cost
    from orchestration.cli.results import finish
    from orchestration.cli.training import judges_of, open_faces
    from parties.model_provider import read_student
    from reports.input_rates import mixing_lines

    loaded, dataset, network = open_faces(scenario)
    seed = loaded.seed if seed is None else seed
    people = dataset.training_identities()[:TRAINING]
    training = dataset.load([dataset.pictures_of(name)[0] for name in people])
    attacked = attack_faces(dataset, judges_of(loaded, network), faces)
    campaign = Campaign(attacked, linear_attack(dataset, known), seed)
    singles = [name for name in dataset.test_identities() if len(dataset.pictures_of(name)) == 1]
    intercepted = dataset.load([dataset.pictures_of(name)[0] for name in singles[:uploads]])
    deployment = MixedChannels.drawn(training, np.random.default_rng(seed))
    found = list(eavesdrop(deployment, intercepted, campaign))
    cost = None
    if student is not None:
        cost = rounding_cost(deployment, read_student(student), training, attacked.pictures)
    content = {
        "data": dataset.name,
        "student": None if student is None else student.name,
        "seed": seed,
        "training_pictures": len(training),
        "embedding_cosine": cost,
        "points": found,
    }
    finish("evaluate mixing", content, mixing_lines(found, cost), as_json=as_json, out=out)
