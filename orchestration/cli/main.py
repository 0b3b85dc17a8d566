"""The `bauta` command: its subcommands, and how errors become exit codes."""

from __future__ import annotations

import signal
from typing import Any

import click

from orchestration.cli.audit import audit
from orchestration.cli.bench import bench
from orchestration.cli.diff import diff
from orchestration.cli.doctor import doctor
from orchestration.cli.encoding import speak_plainly
from orchestration.cli.evaluate import evaluate
from orchestration.cli.export import export
from orchestration.cli.leakage import leakage
from orchestration.cli.plan import plan
from orchestration.cli.policy import policy
from orchestration.cli.report import report
from orchestration.cli.run import run
from orchestration.cli.scenarios import scenarios, show
from orchestration.cli.tables import tables
from orchestration.cli.train import train
from orchestration.cli.views import views
from orchestration.stopping import Stopped, stopping_on_signals
from protocol.errors import BautaError

__all__ = ["main"]

SIGNALLED = 128
"""What shells add to the number of a signal that ended a program."""


class _Program(click.Group):
    """Shows our own errors as one message and a hint, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click declares it
        speak_plainly()
        try:
            with stopping_on_signals():
                return super().invoke(ctx)
        except BautaError as error:
            if ctx.params["debug"]:
                raise
            from orchestration.cli.console import print_error

            print_error(error)
            ctx.exit(error.exit_code)
        except Stopped as stop:
            click.echo(f"stopped by {stop}", err=True)
            ctx.exit(SIGNALLED + stop.signal_number)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(SIGNALLED + signal.SIGINT)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 a check or the run failed, 2 the request cannot be run as asked.",
)
@click.option("--debug", is_flag=True, envvar="BAUTA_DEBUG", help="Show tracebacks of errors.")
@click.version_option(package_name="bauta", message="bauta %(version)s")
def main(*, debug: bool) -> None:
    """Simulate private face recognition: who says what to whom, how right, how fast, how costly.

    Faces and third-party networks are looked for in the folder that BAUTA_DATA names; the embedded
    scenario needs neither.
    """
    del debug  # read from the context where an error arrives


for command in (
    run, scenarios, show, report, tables, policy, views, audit, leakage, diff, export, train,
    evaluate, bench, plan, doctor,
):  # fmt: skip
    main.add_command(command)

if __name__ == "__main__":
    main()
