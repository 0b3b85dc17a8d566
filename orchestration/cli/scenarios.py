"""`bauta scenarios` and `bauta show`: what can be run, and what a scenario says in full."""

from __future__ import annotations

import click

from orchestration.cli.options import overrides_option

__all__ = ["scenarios", "show"]


@click.command()
def scenarios() -> None:
    """List the scenarios that come with Bauta."""
    from rich.table import Table

    from orchestration.cli.console import output
    from scenarios.schema import list_scenarios

    table = Table(box=None, pad_edge=False)
    table.add_column("scenario", style="bold", no_wrap=True)
    table.add_column("what it shows")
    for listed in list_scenarios():
        table.add_row(listed.name, listed.summary)
    output().print(table)


@click.command(short_help="Print a scenario in full.")
@click.argument("scenario")
@overrides_option
def show(scenario: str, overrides: tuple[str, ...]) -> None:
    """Print a scenario with every default written out; SCENARIO is a name or a file."""
    from scenarios.schema import load_scenario, resolved_yaml

    click.echo(resolved_yaml(load_scenario(scenario, overrides)), nl=False)
