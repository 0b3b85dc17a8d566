"""A user's own pictures, looked at before anything is trained, embedded or sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestration.progress import OnProgress, Progress
from scenarios.datasets import DataSet, FolderFaces

__all__ = ["check_pictures"]

CHECKED_PICTURES: Final = 20_000
"""A data set of more pictures is only checked as far as a run uses it."""
REPORT_EVERY: Final = 64


def check_pictures(
    dataset: DataSet, used: Iterable[str], on_progress: OnProgress
) -> tuple[str, ...]:
    """Decode a folder's or zip's pictures once, and say what was converted and what was left out.

    Generated people and LFW are not looked at: their form is known.

    Args:
        dataset: any.
        used: ids of the pictures that are needed.
        on_progress: told how far it is.

    Raises:
        DataError: pictures cannot be used; counts them and names the first ten.
    """
    if not isinstance(dataset, FolderFaces):
        return ()
    ids = [name for person in dataset.identities for name in dataset.pictures_of(person)]
    if len(ids) > CHECKED_PICTURES:
        ids = sorted(set(used))

    def watch(done: int) -> None:
        if done % REPORT_EVERY == 0:
            on_progress(Progress("look", done, len(ids), "at pictures"))

    found = dataset.inspect(ids, watch)
    found.refuse()
    return (*found.notes(), *dataset.ignored())
