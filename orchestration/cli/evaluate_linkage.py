"""`bauta evaluate linkage`: whether keys keep rows of one person apart, on stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli.options import SEED, network_option, result_options

if TYPE_CHECKING:
    from orchestration.benchmarks.mappings.faces import MappingFaces

__all__ = ["linkage"]

COMPARED = ("none", "poly2-linear", "folded8-default", "folded6")


@click.command()
@click.argument("scenario", default="accuracy-mapping")
@network_option()
@click.option(
    "--only",
    multiple=True,
    default=COMPARED,
    show_default=True,
    metavar="NAME",
    help="Mappings of the secure search.",
)
@click.option("--people", type=click.IntRange(min=2), help="Link only the first so many.")
@click.option("--ring", type=click.Choice(["16", "32"]), default="32", show_default=True)
@click.option(
    "--targets",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Rows that are inverted and whose keys are read, without the key.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Draws of keys, strangers and cohort; rows are inverted in the first.",
)
@click.option("--seed", type=SEED, help="Of the first draw.  [default: the scenario's]")
@result_options()
def linkage(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    network: str | None,
    only: tuple[str, ...],
    people: int | None,
    ring: str,
    targets: int,
    draws: int,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Link gallery rows across keys and to photos, by an adversary who is given no key.

    LFW, everybody with several pictures. The adversary has whole rows, as both servers' shares
    add up to, the mapping's public parameters and the public cohort. Rows are compared with rows
    of the same and of other pictures under other keys, and with photos; D_sys, EER and rank-1.
    """
    from orchestration.benchmarks.mappings.faces import load_faces
    from orchestration.benchmarks.mappings.measure import SCHEMES, check_names, ring_spec
    from orchestration.cli.results import finish
    from protocol.errors import ScenarioError
    from reports.linkage import BINS, FINE_BINS, linkage_lines
    from scenarios.resources import data_root
    from scenarios.schema import load_scenario

    check_names(only, "--only")
    loaded = load_scenario(scenario)
    network = network or loaded.network.teacher
    seed = loaded.seed if seed is None else seed
    seeds = [seed + draw for draw in range(draws)]
    loads = [load_faces(network, data_root(), seed=each) for each in seeds]
    faces = [
        group._replace(gallery=group.gallery[:people], mated=group.mated[:people])
        for group in loads
    ]
    for name in only:
        if ring_spec(SCHEMES[name](faces[0].cohort)) is None:
            hint = "poly2-linear is PolyProtect as it is searched"
            text = f"{name} is no mapping of the secure search, whose rows are linked"
            raise ScenarioError(text, where="--only", hint=hint)
    rows = [_row(name, faces, seeds, targets, int(ring)) for name in only]
    content = {
        "network": network,
        "seeds": seeds,
        "ring_bits": int(ring),
        "targets": targets,
        "bins": {"d_sys": BINS, "eer": FINE_BINS, "range": [-1, 1]},
        "people": len(faces[0].gallery),
        "rows": rows,
    }
    finish("evaluate linkage", content, linkage_lines(rows), as_json=as_json, out=out)


def _row(
    name: str, faces: list[MappingFaces], seeds: list[int], targets: int, bits: int
) -> dict[str, Any]:
    from orchestration.benchmarks.mappings.linkage import keys_read, linked, open_rows, without_key
    from orchestration.benchmarks.mappings.measure import SCHEMES
    from reports.linkage import linkability
    from reports.mapping_recovery import recovery_rates

    row: dict[str, Any] = {"only": name, "linkage": {}}
    for group, seed in zip(faces, seeds, strict=True):
        scheme = SCHEMES[name](group.cohort)
        click.echo(f"{name}, seed {seed}: {scheme.name}", err=True)
        rows = open_rows(scheme, group, bits)
        if seed == seeds[0]:
            inverted = without_key(rows, group, targets, seed)
            keys = keys_read(rows, group, targets, seed)
            row["name"] = scheme.name
            row["without_key"] = [recovery_rates(*attack) for attack in inverted]
            row["keys"] = None if keys is None else keys._asdict()
        for kind, scores in linked(rows, group, seed)._asdict().items():
            row["linkage"].setdefault(kind, []).append(linkability(scores))
    return row
