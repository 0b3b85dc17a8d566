"""What a network is judged by: embeddings of known people, and pairs to be verified.

A trial leaves out people a network was adapted on, and pair lists that name any of them: LFW's
View 2 shares people with both halves of View 1, so a network adapted on one half is judged by it
only in a cross-fit, or when everybody is asked for, which the trial then says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.accuracy.sources import Embeddings, Source, embed_all, stored_embeddings
from orchestration.acquaintance import Acquaintance, acquaintance
from orchestration.pictures import check_pictures
from orchestration.progress import OnProgress
from protocol.errors import DataError, ScenarioError
from scenarios.datasets import DataSet, FolderFaces, LfwFaces
from scenarios.datasets.decode import MAX_FILE_BYTES, SIDE, blank, decode_picture
from scenarios.datasets.files import read_file
from scenarios.datasets.pairs import PairList, draw_pairs, read_lfw_pairs, read_verification_bin
from scenarios.datasets.template_lists import read_template_list

__all__ = [
    "Pairs",
    "People",
    "Trial",
    "knows",
    "met_people",
    "open_faces",
    "run_bin",
    "run_faces",
    "run_templates",
    "unit",
]

Which = Literal["unseen", "test", "all"]
LFW = Path("data/lfw")
DRAWN_FOLDS = 5


class Pairs(NamedTuple):
    """Cosines of a pair list.

    Attributes:
        name: the protocol.
        scores: float64 [P].
        same: bool [P].
        folds: consecutive blocks.
        shared: people of the list the network was adapted on.
        first: the person of each pair's one picture, as numbers from 0, [P]; None where nobody is
            named.
        second: the person of its other picture.
    """

    name: str
    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    folds: int
    shared: int
    first: NDArray[np.int64] | None = None
    second: NDArray[np.int64] | None = None


class People(NamedTuple):
    """Embeddings of people the adaptation never saw, unless the trial says otherwise.

    Attributes:
        embeddings: unit float32 [N, d].
        person: int64 [N], in order of first appearance.
    """

    embeddings: Embeddings
    person: NDArray[np.int64]


class Trial(NamedTuple):
    """Everything a result is computed from, and what its reader must know."""

    data: str
    notes: list[str]
    pairs: list[Pairs]
    people: People | None


def open_faces(data: str, root: Path | None, *, reverse: bool) -> DataSet:
    """Open `lfw` or a folder or zip of identity/picture.

    Raises:
        DataError: files are missing or malformed.
    """
    if data != "lfw":
        return FolderFaces(Path(data).expanduser())
    if root is None:
        raise DataError("lfw needs BAUTA_DATA, which is not set", where="--data")
    return LfwFaces(root, reverse=reverse)


def run_faces(  # noqa: PLR0913 - what to judge, on whom, and how
    sources: Sequence[Source],
    data: str,
    root: Path | None,
    on_progress: OnProgress,
    *,
    which: Which,
    mirror: bool,
    seed: int,
    without: frozenset[str] = frozenset(),
) -> Trial:
    """Judge one network, or two that were adapted on complementary people (cross-fit).

    With two, every person is embedded by the network that was not adapted on them; both imitate
    one teacher, so their embeddings are compared with each other. People in `without` are left out
    unless everybody is asked for: another network that is judged beside these met them.

    Raises:
        DataError: files are missing or malformed.
        ScenarioError: two networks that are not complementary, or nobody is left to test on.
    """
    dataset = open_faces(data, root, reverse=False)
    known = [knows(source, dataset, root) for source in sources]
    seen = [found.met for found in known]
    people = [
        name for name in _people(dataset, seen, which) if which == "all" or name not in without
    ]
    if not people:
        raise ScenarioError("the networks were adapted on everybody", where="--against")
    lists, notes = _pair_lists(dataset, people, root, seed), _notes(sources, seen, which)
    notes += [note for found in known if not found.known for note in found.notes(len(people))]
    used = [picture for person in people for picture in dataset.pictures_of(person)]
    notes += check_pictures(dataset, used, on_progress)
    embeddings: dict[str, Embeddings] = {}
    for number, source in enumerate(sources):
        own = [person for person in people if _judge(person, seen) == number]
        ids = [picture for person in own for picture in dataset.pictures_of(person)]
        embeddings.update(_embed(source, dataset, ids, root, on_progress, mirror=mirror))
    kept = [(person, picture) for person in people for picture in dataset.pictures_of(person)]
    numbers = {person: number for number, person in enumerate(people)}
    return Trial(
        dataset.name,
        notes,
        [_scored(pairs, embeddings, seen if len(sources) == 1 else []) for pairs in lists],
        People(
            unit(np.stack([embeddings[picture] for _, picture in kept])),
            np.array([numbers[person] for person, _ in kept]),
        ),
    )


def met_people(sources: Sequence[Source], data: str, root: Path | None) -> frozenset[str]:
    """Return the people of a data set that every one of these networks was adapted on.

    Raises:
        DataError: files are missing or malformed.
    """
    dataset = open_faces(data, root, reverse=False)
    return frozenset.intersection(*(knows(source, dataset, root).met for source in sources))


def run_bin(source: Source, path: Path, on_progress: OnProgress, *, mirror: bool) -> Trial:
    """Judge a network by a verification `.bin` file.

    Raises:
        DataError: not such a file, or only stored embeddings are at hand.
    """
    pictures, same = read_verification_bin(path)
    found = embed_all(
        _embedder(source),
        lambda start, stop: pictures[start:stop],
        len(pictures),
        on_progress,
        mirror=mirror,
    )
    units = unit(found)
    scores = np.einsum("pd,pd->p", units[::2], units[1::2], dtype=np.float64)
    notes = [f"{source.name}: {source.says}; the file names nobody, so overlap cannot be excluded."]
    empty = int(blank(pictures).sum())
    if empty:
        notes.append(f"{empty} of {len(pictures)} pictures show nothing: all pixels are the same.")
    pairs = Pairs(path.name, scores, np.array(same), min(10, len(same)), 0)
    return Trial(path.name, notes, [pairs], None)


def run_templates(
    source: Source, members: Path, pairs: Path, folder: Path, on_progress: OnProgress
) -> Trial:
    """Judge a network by IJB-style templates: frames averaged per medium, media per template.

    Raises:
        DataError: a list or picture cannot be read.
    """
    listed = read_template_list(members, pairs)

    def load(start: int, stop: int) -> NDArray[np.uint8]:
        batch = np.empty((stop - start, SIDE, SIDE, 3), np.uint8)
        for row, name in enumerate(listed.paths[start:stop]):
            data = read_file(folder / name, MAX_FILE_BYTES, "picture")
            batch[row] = decode_picture(data, str(folder / name))
        return batch

    found = unit(embed_all(_embedder(source), load, len(listed.paths), on_progress, mirror=False))
    templates = _templates(found, listed.template, listed.media)
    scores = np.einsum(
        "pd,pd->p", templates[listed.first], templates[listed.second], dtype=np.float64
    )
    notes = [f"{source.name}: {source.says}; templates name nobody, so overlap cannot be excluded."]
    same = np.array(listed.same)
    judged = Pairs(pairs.name, scores, same, min(10, len(same)), 0)
    return Trial(members.name, notes, [judged], None)


def _templates(units: Embeddings, template: list[int], media: list[str]) -> Embeddings:
    """Average unit embeddings per medium, then media per template."""
    groups: dict[tuple[int, str], list[int]] = {}
    for row, key in enumerate(zip(template, media, strict=True)):
        groups.setdefault(key, []).append(row)
    sums = np.zeros((max(template) + 1, units.shape[1]), np.float32)
    for (place, _), rows in groups.items():
        sums[place] += units[rows].mean(axis=0)
    return unit(sums)


def _embedder(source: Source):  # type: ignore[no-untyped-def]  # noqa: ANN202
    if source.embed is None:
        text = "stored embeddings are of LFW's pictures only"
        raise DataError(text, where=source.name, hint="name a network instead")
    return source.embed


def knows(source: Source, dataset: DataSet, root: Path | None) -> Acquaintance:
    """Return whom of this data set the network was adapted on."""
    if source.trained_on is None:
        return acquaintance({}, dataset, (), root)
    record = {**source.record, "data": source.trained_on}
    return acquaintance(record, dataset, dataset.identities, root)


def _judge(person: str, seen: Sequence[frozenset[str]]) -> int:
    """Return which network embeds a person: the first that was not adapted on them."""
    return next((number for number, group in enumerate(seen) if person not in group), 0)


def _people(dataset: DataSet, seen: Sequence[frozenset[str]], which: Which) -> list[str]:
    everyone = frozenset.intersection(*seen)
    if len(seen) > 1 and (everyone or not all(seen)):
        text = "the two networks were not adapted on complementary people of this data set"
        raise ScenarioError(text, where="--crossfit")
    pool = dataset.test_identities() if which == "test" else dataset.identities
    people = [name for name in pool if which == "all" or name not in everyone]
    if not people:
        raise ScenarioError("the network was adapted on everybody", where="--people")
    return people


def _notes(sources: Sequence[Source], seen: Sequence[frozenset[str]], which: Which) -> list[str]:
    notes = [f"{source.name}: {source.says}." for source in sources]
    if len(sources) > 1:
        notes.append("Cross-fit: every person is embedded by the network not adapted on them.")
    elif seen[0] and which == "all":
        notes.append(f"{len(seen[0])} of the people it was adapted on are tested: optimistic.")
    elif seen[0]:
        notes.append(f"The {len(seen[0])} people it was adapted on are left out.")
    return notes


def _embed(
    source: Source,
    dataset: DataSet,
    ids: list[str],
    root: Path | None,
    on_progress: OnProgress,
    *,
    mirror: bool,
) -> dict[str, Embeddings]:
    if source.embed is None:
        stored = stored_embeddings(source.name, root, mirror=mirror)
        return {picture: stored[picture] for picture in ids}
    found = embed_all(
        source.embed,
        lambda start, stop: dataset.load(ids[start:stop]),
        len(ids),
        on_progress,
        mirror=mirror,
    )
    return dict(zip(ids, found, strict=True))


def _pair_lists(
    dataset: DataSet, people: Sequence[str], root: Path | None, seed: int
) -> list[PairList]:
    if dataset.name != "lfw" or root is None:
        return [draw_pairs(dataset, people, folds=DRAWN_FOLDS, seed=seed)]
    lists = [
        read_lfw_pairs(root / LFW / "pairs.txt", folds=10, name="View 2, 10 folds"),
        read_lfw_pairs(root / LFW / "pairsDevTest.txt", folds=10, name="DevTest pairs"),
    ]
    known = set(people)
    return [pairs for pairs in lists if _named(pairs) <= known]


def _scored(
    pairs: PairList, embeddings: dict[str, Embeddings], seen: Sequence[frozenset[str]]
) -> Pairs:
    one = unit(np.stack([embeddings[picture] for picture in pairs.first]))
    two = unit(np.stack([embeddings[picture] for picture in pairs.second]))
    numbers = {name: number for number, name in enumerate(sorted(_named(pairs)))}
    first, second = (
        np.array([numbers[_person(picture)] for picture in side])
        for side in (pairs.first, pairs.second)
    )
    return Pairs(
        pairs.name,
        np.einsum("pd,pd->p", one, two, dtype=np.float64),
        np.array(pairs.same),
        pairs.folds,
        len(_named(pairs) & seen[0]) if seen else 0,
        first,
        second,
    )


def _named(pairs: PairList) -> set[str]:
    return {_person(picture) for picture in (*pairs.first, *pairs.second)}


def _person(picture: str) -> str:
    return picture.partition("/")[0]


def unit(values: Embeddings) -> Embeddings:
    """Return embeddings [N, d] scaled to length 1."""
    norms = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return np.asarray(values / norms, dtype=np.float32)
