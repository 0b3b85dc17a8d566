"""The library of planted leaks as a table, with what a recorded self-test caught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.audit.leaks.catalogue import LEAKS
from orchestration.audit.leaks.plant import Leak

__all__ = ["leaks_markdown", "unrecorded"]


def unrecorded(result: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a recorded self-test: leaks it missed, lacks, or has no more."""
    rows = _rows(result)
    missed = [f"{_name(leak)} was not caught" for leak in LEAKS if not _caught(rows, leak)]
    known = {(leak.protocol, leak.name) for leak in LEAKS}
    return missed + [f"{name} in {protocol} is gone" for protocol, name in rows.keys() - known]


def leaks_markdown(result: Mapping[str, Any]) -> str:
    """Return what a self-test was, and one row per planted leak with the checks that noticed it.

    Args:
        result: a `SelfTest` as JSON gives it.
    """
    return "\n".join([*_summary(result), "", *_table(result)]) + "\n"


def _summary(result: Mapping[str, Any]) -> Iterator[str]:
    leaks, honest, machine = result["leaks"], result["honest"], result["environment"]
    caught, passed = sum(row["caught"] for row in leaks), sum(row["passed"] for row in honest)
    protocols = sorted({row["protocol"] for row in honest})
    yield f"{caught} of {len(leaks)} leaks were caught by the check that must notice them."
    yield (
        f"{passed} of {len(honest)} honest audits passed: {result['seeds']} seeds each of "
        f"{', '.join(protocols)}. Each fails by chance with probability at most "
        f"{result['alpha']:g}."
    )
    yield (
        f"It took {result['processor_s'] / 60:.0f} minutes of processor time on {machine['cores']} "
        f"cores ({machine['processor']}, Python {machine['python']})."
    )


def _table(result: Mapping[str, Any]) -> Iterator[str]:
    rows = _rows(result)
    yield "| planted leak | protocol | what goes wrong | caught by | also noticed by |"
    yield "| --- | --- | --- | --- | --- |"
    for leak in LEAKS:
        row = rows.get((leak.protocol, leak.name), {"checks": []})
        others = ", ".join(check for check in row["checks"] if check != leak.check)
        check = leak.check if _caught(rows, leak) else "**nothing recorded**"
        yield f"| `{leak.name}` | {leak.protocol} | {leak.what} | {check} | {others} |"


def _caught(rows: Mapping[tuple[str, str], Mapping[str, Any]], leak: Leak) -> bool:
    row = rows.get((leak.protocol, leak.name))
    return row is not None and row["caught"] and (row["check"], row["what"]) == (
        leak.check, leak.what,
    )  # fmt: skip


def _rows(result: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(row["protocol"], row["leak"]): row for row in result["leaks"]}


def _name(leak: Leak) -> str:
    return f"{leak.name} in {leak.protocol}"
