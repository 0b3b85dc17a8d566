"""`bauta evaluate mapping`: embedding protections side by side, on stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli.options import SEED, result_options

if TYPE_CHECKING:
    from orchestration.benchmarks.mappings.faces import MappingFaces
    from orchestration.benchmarks.mappings.schemes import Scheme

__all__ = ["mapping"]


@click.command()
@click.argument("scenario", default="accuracy-mapping")
@click.option(
    "--network",
    type=click.Choice(["ms1m", "casia", "both"]),
    help="Whose stored embeddings; both joins them.  [default: the scenario's network.teacher]",
)
@click.option("--only", multiple=True, metavar="NAME", help="Compare only these mappings.")
@click.option(
    "--targets",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Templates attacked; 0 for none.",
)
@click.option(
    "--enrolled",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Pictures averaged in a template.",
)
@click.option("--seed", type=SEED, help="Of keys and people.  [default: the scenario's]")
@result_options()
def mapping(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    network: str | None,
    only: tuple[str, ...],
    targets: int,
    enrolled: int,
    seed: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Compare mappings of templates: accuracy, row length, and what a thief of keys recovers.

    Strict 1:N on LFW: everybody with several pictures is enrolled with the first one, their second
    picture is the probe, 1,500 people are strangers, the others a public cohort.
    """
    from orchestration.benchmarks.mappings.faces import load_faces
    from orchestration.benchmarks.mappings.measure import SCHEMES, schemes_of
    from orchestration.cli.results import finish
    from protocol.errors import ScenarioError
    from reports.mapping_rates import mapping_lines
    from scenarios.resources import data_root
    from scenarios.schema import load_scenario

    unknown = [name for name in only if name not in SCHEMES]
    if unknown:
        hint = "known: " + ", ".join(SCHEMES)
        raise ScenarioError(f"no mapping {unknown[0]!r}", where="--only", hint=hint)
    loaded = load_scenario(scenario)
    network = network or loaded.network.teacher
    seed = loaded.seed if seed is None else seed
    faces = load_faces(network, data_root(), seed=seed, enrolled=enrolled)
    rows = []
    for name, scheme in schemes_of(faces.cohort, only):
        click.echo(f"{name}: {scheme.name}", err=True)
        rows.append(_row(name, scheme, faces, targets, seed))
    content = {
        "network": network,
        "seed": seed,
        "enrolled_pictures": enrolled,
        "people": {part: len(found) for part, found in faces._asdict().items()},
        "rows": rows,
    }
    finish("evaluate mapping", content, mapping_lines(rows), as_json=as_json, out=out)


def _row(name: str, scheme: Scheme, faces: MappingFaces, targets: int, seed: int) -> dict[str, Any]:
    from orchestration.benchmarks.mappings.measure import (
        attacks_on,
        own_key_scores,
        ring_scores,
        ring_spec,
        search_scores,
    )
    from reports.mapping_rates import claim_rates, strict_rates

    mated, keys = len(faces.mated), scheme.keys(len(faces.gallery), seed)
    found = search_scores(scheme, faces, keys)
    own, spec = own_key_scores(scheme, faces, keys), ring_spec(scheme)
    rings = {
        f"ring_{bits}": None
        if spec is None
        else strict_rates(ring_scores(spec, faces, keys, bits), mated)
        for bits in (32, 16)
    }
    return {
        "only": name,
        "name": scheme.name,
        "row_length": scheme.row_length,
        "strict": strict_rates(found.strict, mated),
        "normalised": strict_rates(found.normalised, mated),
        **rings,
        "claims": None if own is None else claim_rates(found.strict, own),
        "attacks": attacks_on(scheme, faces, keys, targets, seed) if targets else [],
    }
