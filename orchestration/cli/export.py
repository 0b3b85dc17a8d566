"""`bauta export`: a run in the format of another tool."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["export"]

NAMES = ("mermaid", "sequence", "dataflow", "pytm", "chrome-trace", "linddun", "policy")


@click.command(short_help="Write a run as diagram, threat model or trace.")
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "name", type=click.Choice(NAMES), required=True, help="What to write.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File; default is the terminal."
)
def export(run_dir: Path, name: str, out: Path | None) -> None:
    """Write RUN_DIR as Mermaid or SVG diagram, OWASP pytm model, Chrome trace or table.

    chrome-trace opens in ui.perfetto.dev; sequence and dataflow are SVG; linddun and policy are
    Markdown.
    """
    from protocol.errors import DataError
    from reports.exports import FORMATS
    from reports.records import read_run

    text = FORMATS[name](read_run(run_dir))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(out)) from error
