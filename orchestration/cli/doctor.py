"""`bauta doctor`: does this machine have what a run needs?"""

from __future__ import annotations

import click

__all__ = ["doctor"]

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command(short_help="Check that this machine can run scenarios.")
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check cores, memory, Ray, torch, CrypTen and data; exit code 1 if something is broken."""
    from rich.text import Text

    from orchestration.cli.console import output
    from orchestration.doctor import examine

    console, failed = output(), False
    for check in examine():
        failed = failed or check.status == "fail"
        line = Text.assemble((f"{check.status:<5}", STYLES[check.status]), f"{check.name:<15}")
        line.append(check.detail)
        if check.hint and check.status != "ok":
            line.append(f"\n{'':<20}{check.hint}", style="cyan")
        console.print(line)
    context.exit(1 if failed else 0)
