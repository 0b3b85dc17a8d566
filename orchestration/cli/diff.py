"""`bauta diff`: what changed between two runs, and whether a gate should let it pass."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["diff"]

_RUN = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(short_help="Compare flows, bytes, rounds and openings of two runs.")
@click.argument("run_a", type=_RUN)
@click.argument("run_b", type=_RUN)
@click.option("--gate", is_flag=True, help="Exit with 1 on a new flow, a new opening, more cost.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def diff(context: click.Context, run_a: Path, run_b: Path, *, gate: bool, as_json: bool) -> None:
    """Tell how RUN_B differs from RUN_A, two run directories of the same scenario."""
    import msgspec

    from reports.diff import compare, opened_run, regressions

    changes = compare(opened_run(run_a), opened_run(run_b))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(changes), indent=2).decode())
    else:
        lines = [
            f"{'!' if c.worse else ' '} {c.kind}: {c.what}: {c.before} -> {c.after}"
            for c in changes
        ]
        click.echo("\n".join(lines or ["no difference"]))
    context.exit(1 if gate and regressions(changes) else 0)
