"""`bauta evaluate mapping`: embedding protections side by side, on stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli.options import SEED, network_option, result_options

if TYPE_CHECKING:
    from orchestration.benchmarks.mappings.faces import MappingFaces
    from reports.mapping_draws import Searches

__all__ = ["mapping"]

COLUMNS = ("strict", "normalised", "ring_32", "ring_16")


@click.command()
@click.argument("scenario", default="accuracy-mapping")
@network_option()
@click.option("--only", multiple=True, metavar="NAME", help="Compare only these mappings.")
@click.option(
    "--against",
    multiple=True,
    default=("none", "poly2-centred"),
    show_default=True,
    metavar="NAME",
    help="Compared mappings to give every other one's paired difference from.",
)
@click.option(
    "--targets",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Templates attacked; 0 for none.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Draws of keys, strangers and cohort; attacks run on the first.",
)
@click.option(
    "--enrolled",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Pictures averaged in a template.",
)
@click.option("--seed", type=SEED, help="Of the first draw.  [default: the scenario's]")
@result_options()
def mapping(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    network: str | None,
    only: tuple[str, ...],
    against: tuple[str, ...],
    targets: int,
    draws: int,
    enrolled: int,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Compare mappings of templates: accuracy, row length, and what a thief of keys recovers.

    Strict 1:N on LFW: everybody with several pictures is enrolled with the first one, their second
    picture is the probe, 1,500 people are strangers, the others a public cohort. Each draw has
    its own keys, strangers and cohort; intervals resample people, differences are paired.
    """
    from orchestration.benchmarks.mappings.faces import load_faces
    from orchestration.benchmarks.mappings.measure import SCHEMES, check_names
    from orchestration.cli.results import finish
    from reports.mapping_draws import Searches, rate_difference
    from reports.mapping_rates import mapping_lines
    from scenarios.resources import data_root
    from scenarios.schema import load_scenario

    check_names(only, "--only")
    check_names(against, "--against")
    loaded = load_scenario(scenario)
    network = network or loaded.network.teacher
    seed = loaded.seed if seed is None else seed
    seeds = [seed + draw for draw in range(draws)]
    faces = [load_faces(network, data_root(), seed=each, enrolled=enrolled) for each in seeds]
    rows, strict = [], dict[str, Searches]()
    for name in SCHEMES:
        if not only or name in only:
            row, strict[name] = _row(name, faces, seeds, targets)
            rows.append(row)
    for row in rows:
        others = [name for name in against if name in strict and name != row["only"]]
        mine = strict[row["only"]]
        row["differences"] = [rate_difference(mine, strict[name], name) for name in others]
    content = {
        "network": network,
        "seeds": seeds,
        "targets": targets,
        "enrolled_pictures": enrolled,
        "people": {part: len(found) for part, found in faces[0]._asdict().items()},
        "rows": rows,
    }
    finish("evaluate mapping", content, mapping_lines(rows), as_json=as_json, out=out)


def _row(
    name: str, faces: list[MappingFaces], seeds: list[int], targets: int
) -> tuple[dict[str, Any], Searches]:
    from orchestration.benchmarks.mappings.measure import (
        SCHEMES,
        attacks_on,
        own_key_scores,
        ring_scores,
        ring_spec,
        search_scores,
    )
    from reports.mapping_draws import Searches, drawn_rates
    from reports.mapping_rates import claim_rates
    from reports.mapping_recovery import recovery_rates

    searches = {column: Searches() for column in COLUMNS}
    row: dict[str, Any] = {"only": name}
    for group, seed in zip(faces, seeds, strict=True):
        scheme = SCHEMES[name](group.cohort)
        mated, keys = len(group.mated), scheme.keys(len(group.gallery), seed)
        click.echo(f"{name}, seed {seed}: {scheme.name}", err=True)
        found, spec = search_scores(scheme, group, keys), ring_spec(scheme)
        searches["strict"].add(found.strict, mated)
        searches["normalised"].add(found.normalised, mated)
        if spec is not None:
            for bits in (32, 16):
                searches[f"ring_{bits}"].add(ring_scores(spec, group, keys, bits), mated)
        if seed == seeds[0]:
            own = own_key_scores(scheme, group, keys)
            attacks = attacks_on(scheme, group, keys, targets, seed) if targets else []
            row |= {
                "name": scheme.name,
                "row_length": scheme.row_length,
                "claims": None if own is None else claim_rates(found.strict, own),
                "attacks": [recovery_rates(*attack) for attack in attacks],
            }
    for column, measured in searches.items():
        row[column] = drawn_rates(measured) if measured.first else None
    return row, searches["strict"]
