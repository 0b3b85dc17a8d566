"""`bauta evaluate cohorts`: how much mapped templates give away to adversaries who know more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestration.cli.options import SEED, network_option, result_options

__all__ = ["cohorts"]

COMPARED = ("folded8-default", "folded6", "poly2-centred")
SIZES = (500, 1000, 2500, 5449)


@click.command()
@click.argument("scenario", default="accuracy-mapping")
@network_option()
@click.option(
    "--only", multiple=True, default=COMPARED, show_default=True, metavar="NAME", help="Mappings."
)
@click.option(
    "--known",
    type=click.IntRange(min=50),
    multiple=True,
    default=SIZES,
    show_default=True,
    help="Other people the adversary knows, each by the mean of all their pictures.",
)
@click.option("--targets", type=click.IntRange(min=2), default=300, show_default=True)
@click.option("--seed", type=SEED, help="Of people and keys.  [default: the scenario's]")
@result_options()
def cohorts(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    network: str | None,
    only: tuple[str, ...],
    known: tuple[int, ...],
    targets: int,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Attack mapped templates by how many people the adversary knows and how many photos it has.

    The adversary has keys, and exact features where a mapping is folded, of 1, 2 or 3 different
    photos of each target: people of LFW with four pictures or more. All others of LFW may be
    known. The best of its attacks is shown, chosen in its favour, with intervals over targets.
    """
    from orchestration.benchmarks.mappings.attacks import unprotected_threshold
    from orchestration.benchmarks.mappings.cohorts import PICTURES, cohort_curve
    from orchestration.benchmarks.mappings.faces import load_faces, load_people
    from orchestration.benchmarks.mappings.measure import SCHEMES, check_names
    from orchestration.cli.results import finish
    from protocol.errors import ScenarioError
    from reports.mapping_recovery import cohort_lines, recovery_rates, strongest
    from scenarios.resources import data_root
    from scenarios.schema import load_scenario

    check_names(only, "--only")
    loaded = load_scenario(scenario)
    network = network or loaded.network.teacher
    seed = loaded.seed if seed is None else seed
    faces = load_faces(network, data_root(), seed=seed)
    people = load_people(network, data_root(), count=targets, pictures=PICTURES, seed=seed)
    if max(known) > len(people.others):
        hint = f"there are {len(people.others)} besides the targets"
        raise ScenarioError(f"{max(known)} people cannot be known", where="--known", hint=hint)
    threshold = unprotected_threshold(faces.cohort)
    cells: list[dict[str, Any]] = []
    for name in only:
        scheme = SCHEMES[name](faces.cohort)
        click.echo(f"{name}: {scheme.name}", err=True)
        for cell in cohort_curve(scheme, people, sorted(known), threshold, seed):
            rates = [recovery_rates(*attack) for attack in cell.attacks]
            cells.append(
                {
                    "only": name,
                    "name": scheme.name,
                    "records": cell.records,
                    "known": cell.known,
                    "strongest": strongest(rates),
                    "attacks": rates,
                }
            )
    content = {
        "network": network,
        "seed": seed,
        "targets": targets,
        "threshold": threshold,
        "cells": cells,
    }
    finish("evaluate cohorts", content, cohort_lines(cells), as_json=as_json, out=out)
