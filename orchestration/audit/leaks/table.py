"""The library of planted leaks as a table, for the documentation."""

from __future__ import annotations

from orchestration.audit.leaks.catalogue import LEAKS

__all__ = ["leaks_markdown"]


def leaks_markdown() -> str:
    """Return one row per planted leak: its name, what it does, the check that must catch it."""
    head = ["| planted leak | what goes wrong | caught by |", "| --- | --- | --- |"]
    rows = [f"| `{leak.name}` | {leak.what} | {leak.check} |" for leak in LEAKS]
    return "\n".join([*head, *rows]) + "\n"
