"""`bauta evaluate again`: attack the inputs of a finished table with today's linear attack."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestration.cli.options import faces_option, known_option, work_option

__all__ = ["again"]


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--scenario", default="accuracy-inputs", show_default=True, help="Names the faces.")
@faces_option(200)
@known_option()
@work_option("attacks", required=False)
def again(
    *, files: tuple[Path, ...], scenario: str, faces: int, known: int, work: Path | None
) -> None:
    """Attack anew what result FILEs of `evaluate frontier` and `ablations` hold, and rewrite them.

    No network is needed or trained: what was measured of networks stays. Clip bounds come from the
    scenario's training pictures as they did then. Rows with learned shares keep their attack,
    named `smooth` after its prior: their shares were in the networks.
    """
    from orchestration.benchmarks.frontier.again import ROWS, attacked_again
    from orchestration.benchmarks.inputs.judges import attack_faces
    from orchestration.benchmarks.inputs.kept import KeptAttacks
    from orchestration.benchmarks.inputs.measure import Campaign, linear_attack
    from orchestration.cli.training import judges_of, open_faces
    from orchestration.environment import environment
    from orchestration.training import calibrating_pictures, make_folder

    contents = [(path, _read(path)) for path in files]
    loaded, dataset, network = open_faces(scenario)
    folder = None if work is None else make_folder(work, "--work")
    attacked = attack_faces(dataset, judges_of(loaded, network), faces, folder)
    campaign = Campaign(attacked, linear_attack(dataset, known), loaded.seed)
    kept = KeptAttacks(folder, campaign)
    for path, content in contents:
        name = ROWS[content["command"]]
        few = calibrating_pictures(dataset, content["calibrating"])
        rows = []
        for row in attacked_again(content[name], content["network"], few, kept):
            click.echo(f"{path.name}: {row['title']}, {row['element_epsilon']}", err=True)
            rows.append(row)
        attack = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "environment": environment(),
            "known": known,
            "faces": len(attacked.pictures),
            "thresholds": {judge.name: judge.threshold for judge in attacked.judges},
        }
        _write(path, {**content, "attacked_again": attack, name: rows})


def _read(path: Path) -> dict[str, Any]:
    """Read a result file.

    Raises:
        DataError: it is none of those commands.
    """
    from orchestration.benchmarks.frontier.again import ROWS
    from protocol.errors import DataError

    hint = "give files that --out of these commands wrote"
    wrong = DataError("is no result of evaluate frontier or ablations", where=str(path), hint=hint)
    try:
        content: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        known = all(
            {"ladder", "title", "element_epsilon", "learned", "attack"} <= row.keys()
            for row in content[ROWS[content["command"]]]
        )
        complete = known and {"network", "calibrating"} <= content.keys()
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise wrong from error
    if not complete:
        raise wrong
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    from protocol.errors import DataError
    from reports.frontier import write_frontier_figure

    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    try:
        path.write_bytes(text + b"\n")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(path)) from error
    if content["command"] == "evaluate frontier":
        write_frontier_figure(path)
