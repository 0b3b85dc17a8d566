"""`bauta views`: what each party of a run saw, and what parties saw together."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["views"]


@click.command(short_help="Show or write out what each party of a run saw.")
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--party", help="Only this party.")
@click.option("--coalition", metavar="A,B", help="Parties that pool what they saw.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write messages.jsonl, arrays.jsonl and npy files, one folder per party or coalition.",
)
def views(run_dir: Path, party: str | None, coalition: str | None, out: Path | None) -> None:
    """Show what the parties of RUN_DIR saw; needs a run made with --set capture=payloads.

    The run directory itself keeps the views as files in `views/<party>/`. With --out they are
    written once more with sizes and logical times, pooled for a coalition.
    """
    from orchestration.cli.console import output
    from reports.views import open_views, write_view

    opened = open_views(run_dir)
    wanted = [party] if party else list(opened.parties)
    groups = [_members(coalition)] if coalition is not None else [[name] for name in wanted]
    for names in groups:
        pooled = opened.coalition(names)
        messages, arrays = pooled.messages(), list(pooled.arrays())
        size = sum(named.array.nbytes for named in arrays)
        line = (
            f"{'+'.join(names)}: {len(messages):,} messages, {len(arrays):,} arrays, {size:,} bytes"
        )
        if out is not None:
            line += f" -> {write_view(pooled, out / '+'.join(names))}"
        output().print(line)


def _members(text: str) -> list[str]:
    """Return the parties of a list as people write it: with spaces, with + or with commas.

    Raises:
        click.UsageError: it names nobody.
    """
    parts = (part.strip().replace(" ", "_") for part in text.replace("+", ",").split(","))
    members = list(dict.fromkeys(part for part in parts if part))
    if not members:
        raise click.UsageError("--coalition names no party; for example dealer,model_provider")
    return members
