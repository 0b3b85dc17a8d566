"""`bauta evaluate`: how well networks recognise people, and what protections cost them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from orchestration.cli.evaluate_ablations import ablations
from orchestration.cli.evaluate_cohorts import cohorts
from orchestration.cli.evaluate_frontier import frontier
from orchestration.cli.evaluate_illumination import illumination
from orchestration.cli.evaluate_inputs import inputs
from orchestration.cli.evaluate_linkage import linkage
from orchestration.cli.evaluate_mapping import mapping
from orchestration.cli.evaluate_mixing import mixing
from orchestration.cli.evaluate_recovery import recovery
from orchestration.cli.options import POSITIVE, SEED, result_options

if TYPE_CHECKING:
    from orchestration.accuracy.sources import Source
    from orchestration.accuracy.trials import Trial

__all__ = ["evaluate"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def evaluate() -> None:
    """Measure recognition on whole data sets, in the clear."""


@evaluate.command()
@click.argument("network")
@click.option("--data", default="lfw", show_default=True, help="lfw, or a folder or zip.")
@click.option("--bin", "bin_file", type=FILE, help="A verification .bin file instead.")
@click.option("--templates", type=FILE, help="A CSV of template_id,media_id,path instead.")
@click.option("--pairs", type=FILE, help="Its pairs: a CSV of template_a,template_b,same.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder the paths of --templates start from.  [default: beside it]",
)
@click.option("--crossfit", metavar="FILE", help="Student adapted on the other half of LFW.")
@click.option("--people", type=click.Choice(["unseen", "test", "all"]), default="unseen")
@click.option(
    "--pixel-epsilon", type=POSITIVE, help="Noise on pictures a network was not made for."
)
@click.option("--mirror", is_flag=True, help="Add the mirrored picture's embedding.")
@click.option("--seed", type=SEED, default=7, show_default=True, help="Of drawn pairs.")
@result_options()
def network(  # noqa: PLR0913 - one parameter per option
    *,
    network: str,
    data: str,
    bin_file: Path | None,
    templates: Path | None,
    pairs: Path | None,
    pictures: Path | None,
    crossfit: str | None,
    people: Literal["unseen", "test", "all"],
    pixel_epsilon: float | None,
    mirror: bool,
    seed: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Judge NETWORK: ms1m, casia, stored:ms1m, stored:casia, shipped, or a student file.

    Verification: LFW View 2 and DevTest pairs, drawn pairs of a folder, .bin files, templates.
    Identification: rank-1 and rank-5, TPIR at FPIR. People the network was adapted on are left
    out of it; the result says whom it saw.
    """
    from orchestration.accuracy.trials import run_bin, run_faces, run_templates
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from scenarios.resources import data_root

    if (templates is None) != (pairs is None):
        raise click.UsageError("--templates and --pairs go together")
    names, root = [network, *([] if crossfit is None else [crossfit])], data_root()
    sources = [_opened(name, root, pixel_epsilon) for name in names]
    source = sources[0]
    with progress_view(errors()) as on_progress:
        if bin_file is not None:
            trial = run_bin(source, bin_file, on_progress, mirror=mirror)
        elif templates is not None and pairs is not None:
            folder = pictures or templates.parent
            trial = run_templates(source, templates, pairs, folder, on_progress)
        else:
            trial = run_faces(
                sources,
                data,
                root,
                on_progress,
                which=people,
                mirror=mirror,
                seed=seed,
            )
    asked = {
        "network": source.name,
        "crossfit": None if crossfit is None else Path(crossfit).name,
        "people": people,
        "pixel_epsilon": pixel_epsilon,
        "mirror": mirror,
        "seed": seed,
    }
    _answer(trial, asked, source.record, as_json=as_json, out=out)


def _opened(name: str, root: Path | None, pixel_epsilon: float | None) -> Source:
    from orchestration.accuracy.sources import open_source, with_pixel_noise

    source = open_source(name, root)
    return source if pixel_epsilon is None else with_pixel_noise(source, pixel_epsilon)


def _answer(
    trial: Trial, asked: dict[str, Any], record: dict[str, Any], *, as_json: bool, out: Path | None
) -> None:
    from orchestration.acquaintance import public_record
    from orchestration.cli.results import finish
    from reports.recognition import judge_pairs, judge_people
    from reports.recognition_text import recognition_lines

    pairs = [
        judge_pairs(found.name, found.scores, found.same, found.folds, found.shared)
        for found in trial.pairs
    ]
    people = None
    if trial.people is not None:
        people = judge_people(trial.people.embeddings, trial.people.person)
    content = {
        "asked": asked,
        "data": trial.data,
        "notes": trial.notes,
        "training": public_record(record),
        "pairs": pairs,
        "people": people,
    }
    finish(
        "evaluate network",
        content,
        recognition_lines(trial.notes, pairs, people),
        as_json=as_json,
        out=out,
    )


evaluate.add_command(ablations)
evaluate.add_command(cohorts)
evaluate.add_command(frontier)
evaluate.add_command(illumination)
evaluate.add_command(inputs)
evaluate.add_command(linkage)
evaluate.add_command(mapping)
evaluate.add_command(mixing)
evaluate.add_command(recovery)
