"""What is printed after a run: the headline numbers, the checks, where the files are."""

from __future__ import annotations

from pathlib import Path

__all__ = ["judge"]


def judge(directory: Path) -> int:
    """Build summary and report of a run directory, print the gist, return the exit code.

    Raises:
        DataError: the directory is not a finished run.
    """
    from reports import build

    summary = build(directory)
    return 0 if all(check["passed"] for check in summary["checks"]) else 1
