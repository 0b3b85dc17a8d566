"""Options that several commands have, spelled once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import click

__all__ = [
    "POSITIVE",
    "SEED",
    "FiniteRange",
    "faces_option",
    "known_option",
    "network_option",
    "overrides_option",
    "precision_option",
    "result_options",
    "steps_option",
    "work_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])


class Decorator(Protocol):
    """Adds options to a command."""

    def __call__(self, command: Command, /) -> Command:
        """Return the command with them."""


class FiniteRange(click.FloatRange):
    """A number within bounds: neither infinite nor not a number, which lies within all bounds."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - as click has it
        """Convert as click does, and refuse what is no finite number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


POSITIVE: Final = FiniteRange(min=0, min_open=True)
SEED: Final = click.IntRange(min=0)

overrides_option: Final = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a field."
)
precision_option: Final = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    help="Of the convolutions.  [default: bfloat16 where the hardware multiplies it in tiles]",
)


def result_options(out_help: str = "Write JSON here.") -> Decorator:
    """Add --json and --out, which `finish` reads."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
    out = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help=out_help)

    def decorate(command: Command) -> Command:
        return as_json(out(command))

    return decorate


def faces_option(default: int = 100) -> Decorator:
    """Add --faces: one stranger at least is needed to judge a face by."""
    several = click.IntRange(min=2)
    return click.option(
        "--faces", type=several, default=default, show_default=True, help="Faces attacked."
    )


def known_option() -> Decorator:
    """Add --known: how much an adversary knows of faces; its prior is fitted to no fewer."""
    several = click.IntRange(min=8)
    return click.option(
        "--known",
        type=several,
        default=3000,
        show_default=True,
        help="Training people of whom the adversary has a picture.",
    )


def network_option() -> Decorator:
    """Add --network: whose stored embeddings of LFW are used."""
    return click.option(
        "--network",
        type=click.Choice(["ms1m", "casia", "both"]),
        help="Whose stored embeddings; both joins them.  [default: the scenario's network.teacher]",
    )


def steps_option(name: str, default: int, text: str) -> Decorator:
    """Add a number of gradient steps, at least one."""
    return click.option(
        name, type=click.IntRange(min=1), default=default, show_default=True, help=text
    )


def work_option(kept: str, *, required: bool = True) -> Decorator:
    """Add --work, a folder in which what was finished is kept."""
    return click.option(
        "--work",
        type=click.Path(file_okay=False, path_type=Path),
        required=required,
        help=f"Folder of finished {kept}; the same folder continues.",
    )
