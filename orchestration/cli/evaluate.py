"""`bauta evaluate`: how well networks recognise people, and what protections cost them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from orchestration.cli.evaluate_ablations import ablations
from orchestration.cli.evaluate_again import again
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
@click.option("--against", metavar="NETWORK", help="Judge this one too, and tell the difference.")
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
    against: str | None,
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
    out of it; the result says whom it saw. Intervals resample people, and strangers on their own,
    with every threshold estimated again. --against prints NETWORK minus another network on the
    same pictures, with paired intervals, and leaves out people that either was adapted on.
    """
    from orchestration.accuracy.trials import met_people, run_bin, run_faces, run_templates
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from scenarios.resources import data_root

    if (templates is None) != (pairs is None):
        raise click.UsageError("--templates and --pairs go together")
    root = data_root()
    groups = [[network, *([] if crossfit is None else [crossfit])]]
    groups += [] if against is None else [[against]]
    judged = [[_opened(name, root, pixel_epsilon) for name in names] for names in groups]
    trials = []
    with progress_view(errors()) as on_progress:
        for number, sources in enumerate(judged):
            if bin_file is not None:
                trial = run_bin(sources[0], bin_file, on_progress, mirror=mirror)
            elif templates is not None and pairs is not None:
                folder = pictures or templates.parent
                trial = run_templates(sources[0], templates, pairs, folder, on_progress)
            else:
                others = [other for place, other in enumerate(judged) if place != number]
                trial = run_faces(
                    sources,
                    data,
                    root,
                    on_progress,
                    which=people,
                    mirror=mirror,
                    seed=seed,
                    without=frozenset().union(*(met_people(each, data, root) for each in others)),
                )
            trials.append(trial)
    asked = {
        "network": _file_name(network),
        "crossfit": _file_name(crossfit),
        "against": _file_name(against),
        "data": _file_name(data),
        "bin": None if bin_file is None else bin_file.name,
        "templates": None if templates is None else templates.name,
        "pairs": None if pairs is None else pairs.name,
        "people": people,
        "pixel_epsilon": pixel_epsilon,
        "mirror": mirror,
        "seed": seed,
    }
    _answer(trials, asked, judged, as_json=as_json, out=out)


def _file_name(name: str | None) -> str | None:
    """Return a name as it was asked for; of a file without its folders."""
    return None if name is None else Path(name).name


def _opened(name: str, root: Path | None, pixel_epsilon: float | None) -> Source:
    from orchestration.accuracy.sources import open_source, with_pixel_noise

    source = open_source(name, root)
    return source if pixel_epsilon is None else with_pixel_noise(source, pixel_epsilon)


def _answer(
    trials: list[Trial],
    asked: dict[str, Any],
    judged: list[list[Source]],
    *,
    as_json: bool,
    out: Path | None,
) -> None:
    from orchestration.cli.pairs import listed
    from orchestration.cli.results import finish
    from reports.comparison import compare_pairs, compare_people
    from reports.recognition_text import difference_lines, recognition_lines

    results = [_judged(trial) for trial in trials]
    lines = [
        line
        for trial, result in zip(trials, results, strict=True)
        for line in (*recognition_lines(trial.notes, result["pairs"], result["people"]), "")
    ][:-1]
    content = {
        "asked": asked,
        "data": trials[0].data,
        "notes": trials[0].notes,
        "networks": [
            {"name": source.name, "sha256": source.sha256, "record": source.record}
            for sources in judged
            for source in sources
        ],
        **results[0],
    }
    if len(trials) > 1:
        one, other = trials
        found = compare_pairs(*([listed(each) for each in trial.pairs] for trial in trials))
        if one.people is not None and other.people is not None:
            found += compare_people(
                one.people.embeddings, other.people.embeddings, one.people.person
            )
        content["against"] = {"notes": other.notes, **results[1]}
        content["differences"] = found
        lines += difference_lines(judged[0][0].name, judged[1][0].name, found)
    finish("evaluate network", content, lines, as_json=as_json, out=out)


def _judged(trial: Trial) -> dict[str, Any]:
    from orchestration.cli.pairs import listed
    from reports.recognition import judge_pairs, judge_people

    people = trial.people
    return {
        "pairs": [judge_pairs(listed(found), found.shared) for found in trial.pairs],
        "people": None if people is None else judge_people(people.embeddings, people.person),
    }


evaluate.add_command(ablations)
evaluate.add_command(again)
evaluate.add_command(cohorts)
evaluate.add_command(frontier)
evaluate.add_command(illumination)
evaluate.add_command(inputs)
evaluate.add_command(linkage)
evaluate.add_command(mapping)
evaluate.add_command(mixing)
evaluate.add_command(recovery)
