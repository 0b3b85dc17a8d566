"""Template lists in the manner of IJB: several pictures and videos make one template."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from protocol.errors import DataError

__all__ = ["TemplateList", "read_template_list"]

_MEMBERS = ("template_id", "media_id", "path")
_PAIRS = ("template_a", "template_b", "same")


class TemplateList(NamedTuple):
    """Which pictures make which template, and which templates are compared.

    Attributes:
        paths: picture of each member, relative to the picture folder.
        template: index of the template each member belongs to.
        media: medium of each member; frames of one video share it.
        names: template ids in the order of their indices.
        first: template index of one side of each pair.
        second: template index of the other side.
        same: whether both are of one person.
    """

    paths: list[str]
    template: list[int]
    media: list[str]
    names: list[str]
    first: list[int]
    second: list[int]
    same: list[bool]


def read_template_list(members: Path, pairs: Path) -> TemplateList:
    """Read a CSV of `template_id,media_id,path` and one of `template_a,template_b,same`.

    Raises:
        DataError: unreadable, other columns, a pair of unknown templates, or `same` not 0 or 1.
    """
    rows = _rows(members, _MEMBERS)
    names = list(dict.fromkeys(row[0] for row in rows))
    index = {name: place for place, name in enumerate(names)}
    first, second, same = [], [], []
    for number, row in enumerate(_rows(pairs, _PAIRS), start=2):
        where = f"{pairs}:{number}"
        unknown = [name for name in row[:2] if name not in index]
        if unknown:
            raise DataError(f"no template {unknown[0]!r}", where=where)
        if row[2] not in ("0", "1"):
            raise DataError(f"same must be 0 or 1, got {row[2]!r}", where=where)
        first.append(index[row[0]])
        second.append(index[row[1]])
        same.append(row[2] == "1")
    return TemplateList(
        [row[2] for row in rows],
        [index[row[0]] for row in rows],
        [row[1] for row in rows],
        names,
        first,
        second,
        same,
    )


def _rows(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("list cannot be read", where=str(path)) from error
    expected = ",".join(columns)
    if not lines or tuple(cell.strip() for cell in lines[0]) != columns:
        raise DataError(f"expected a CSV file with the columns {expected}", where=str(path))
    rows = [[cell.strip() for cell in line] for line in lines[1:] if line]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise DataError(f"expected {expected}", where=f"{path}:{number}")
    if not rows:
        raise DataError("the list is empty", where=str(path))
    return rows
