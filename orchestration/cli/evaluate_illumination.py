"""`bauta evaluate illumination`: side-lit and dark faces, before networks side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.options import result_options, work_option

if TYPE_CHECKING:
    from orchestration.accuracy.illumination import LitUnits
    from reports.illumination import LightResult

__all__ = ["illumination"]

Light = tuple[str, str, float]


@click.command()
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@click.option("--data", default="lfw", show_default=True, help="lfw, or a folder or zip.")
@click.option(
    "--enrolled",
    type=click.IntRange(min=10),
    help="Enrolled people.  [default: everybody with two pictures]",
)
@click.option(
    "--strangers",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="People who are not enrolled and are searched under every light.",
)
@click.option("--seed", default=7, show_default=True, help="Of people and light.")
@work_option("embeddings", required=False)
@result_options()
def illumination(  # noqa: PLR0913 - one parameter per option
    *,
    networks: tuple[str, ...],
    data: str,
    enrolled: int | None,
    strangers: int,
    seed: int,
    work: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Judge NETWORKs under generated light: lamps by angle, darkness, and unusual light.

    Galleries and thresholds are made from pictures as they were taken, probes are relit. Each is
    ms1m, casia, shipped, or a student file; the others are compared with the first.
    """
    from orchestration.accuracy.illumination import (
        choose_people,
        embed_under_light,
        luminance_medians,
    )
    from orchestration.accuracy.sources import open_source
    from orchestration.accuracy.trials import open_faces
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from reports.illumination import illumination_lines
    from scenarios.datasets.stress_light import CONDITIONS
    from scenarios.resources import data_root

    sources = [open_source(name, data_root()) for name in networks]
    dataset = open_faces(data, data_root(), reverse=False)
    people, notes = choose_people(
        dataset, sources, data_root(), enrolled=enrolled, strangers=strangers, seed=seed
    )
    with progress_view(errors()) as on_progress:
        units = [
            embed_under_light(source, dataset, people, seed, on_progress, work=work)
            for source in sources
        ]
    medians = luminance_medians(dataset, people, seed)
    lights = [(found.name, found.family, medians[found.name]) for found in CONDITIONS]
    results = _judged([source.name for source in sources], units, lights)
    content = {
        "asked": {"networks": [source.name for source in sources], "seed": seed},
        "data": dataset.name,
        "notes": notes,
        "results": results,
    }
    finish(
        "evaluate illumination",
        content,
        illumination_lines(notes, results),
        as_json=as_json,
        out=out,
    )


def _judged(names: list[str], units: list[LitUnits], lights: list[Light]) -> list[LightResult]:
    from reports.illumination import judge_light, searched

    found = []
    for part in units:
        calibration = (part.calibration @ part.gallery.T).max(axis=1).astype(float)
        lit = {name: searched(part.gallery, probes) for name, probes in part.probes.items()}
        found.append((lit, calibration))
    return [
        judge_light(name, *own, lights, None if number == 0 else found[0])
        for number, (name, own) in enumerate(zip(names, found, strict=True))
    ]
