"""Results of evaluating commands: a table on the terminal, JSON with what it was made on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from protocol.errors import DataError

__all__ = ["finish"]


def finish(
    command: str,
    content: dict[str, Any],
    lines: Sequence[str],
    *,
    as_json: bool,
    out: Path | None,
) -> None:
    """Print the table or JSON, and write the JSON to `out` where that was asked for.

    Raises:
        DataError: `out` cannot be written.
    """
    from orchestration.environment import environment

    made = {
        "command": command,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "environment": environment(),
        **content,
    }
    text = msgspec.json.format(msgspec.json.encode(made), indent=2).decode()
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            why = f"cannot be written: {error.strerror or type(error).__name__}"
            raise DataError(why, where=str(out), hint="choose another place with --out") from error
    click.echo(text if as_json else "\n".join(lines))
