"""`bauta run`: a scenario from pictures to decisions, report and verdict."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["run"]


@click.command(short_help="Run a scenario and report on it.")
@click.argument("scenario")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a field, for example --set data.entries=500; may be given again.",
)
@click.option(
    "--runtime",
    type=click.Choice(["ray", "memory"]),
    help="Where the parties live: an actor each, or all in this process.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where run directories are kept.",
)
@click.pass_context
def run(
    context: click.Context,
    scenario: str,
    overrides: tuple[str, ...],
    runtime: str | None,
    out: Path,
) -> None:
    """Run a scenario and report on it; SCENARIO is a name (see `bauta scenarios`) or a file.

    Exit code 1 says that the run failed, or that a check of its results did.
    """
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.verdict import judge
    from orchestration.progress import Progress
    from scenarios.resources import data_root
    from scenarios.schema import load_scenario

    chosen = (*overrides, f"runtime={runtime}") if runtime else overrides
    loaded = load_scenario(scenario, chosen)
    with progress_view(errors()) as on_progress:
        on_progress(Progress("prepare", 0))
        from orchestration.job import run_job

        directory = run_job(loaded, data_root=data_root(), out_root=out, on_progress=on_progress)
    context.exit(judge(directory))
