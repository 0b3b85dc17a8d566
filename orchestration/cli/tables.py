"""`bauta tables`: a run directory as CSV files."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["tables"]


@click.command(short_help="Write the tables of a run as CSV files.")
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files go; RUN_DIR/tables when not given.",
)
def tables(run_dir: Path, out: Path | None) -> None:
    """Write journal, messages, costs, searches, busy times and decisions of RUN_DIR as CSV."""
    from reports.records import read_run
    from reports.tables import write_tables

    for path in write_tables(read_run(run_dir), out or run_dir / "tables"):
        click.echo(path)
