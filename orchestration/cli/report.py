"""`bauta report`: read a run directory again."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["report"]


@click.command(short_help="Rebuild the report of a run directory.")
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_context
def report(context: click.Context, run_dir: Path) -> None:
    """Rebuild summary and report of RUN_DIR, a directory that `bauta run` wrote."""
    from orchestration.cli.verdict import judge

    context.exit(judge(run_dir))
