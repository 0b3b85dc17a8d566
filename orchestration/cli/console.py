"""Terminal output: consoles, and errors as people read them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from protocol.errors import BautaError

__all__ = ["errors", "output", "print_error"]

PLAIN_WIDTH = 100


def output() -> Console:
    """Return the console of results: standard output, of a fixed width when it is no terminal."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def errors() -> Console:
    """Return the console of progress and errors: standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(error: BautaError) -> None:
    """Print where, what and what to do, on standard error."""
    text = Text.assemble(("error", "bold red"), ": ")
    if error.where:
        text.append(f"{error.where}: ", style="bold")
    text.append(error.message)
    if error.hint:
        text.append("\nhint", style="bold cyan")
        text.append(f": {error.hint}")
    errors().print(text)
