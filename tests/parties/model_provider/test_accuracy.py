"""The published networks against the embeddings and accuracies stored beside the faces."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from parties.model_provider import load_rgb_network

Floats = NDArray[np.float32]
pytestmark = pytest.mark.data

# View 2 accuracy, rank-1 with one picture of each of 5,749 people enrolled, TAR at FAR 1e-4.
PUBLISHED = {"ms1m": (99.43, 98.14, 99.31), "casia": (99.07, 93.12, 94.58)}
# The stored casia embeddings were computed on crops that had not been through JPEG.
AGREEMENT = {"ms1m": 0.9999, "casia": 0.997}


@pytest.fixture(scope="module")
def root() -> Path:
    value = os.environ.get("BAUTA_DATA")
    if not value:
        pytest.skip("BAUTA_DATA is not set: the real faces and networks are not here")
    return Path(value)


@pytest.fixture(scope="module")
def names(root: Path) -> list[str]:
    return (root / "data/lfw/names.txt").read_text().split()


def pictures(root: Path, names: list[str]) -> NDArray[np.uint8]:
    with zipfile.ZipFile(root / "data/lfw/lfw112_q95.zip") as archive:
        return np.stack([np.asarray(Image.open(io.BytesIO(archive.read(n)))) for n in names])


def stored(root: Path, teacher: str) -> tuple[Floats, Floats]:
    path = root / f"data/lfw/embeddings_mobilefacenet_{teacher}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["plain"], arrays["mirrored"]


def unit(values: Floats) -> Floats:
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


@pytest.mark.parametrize("teacher", ["ms1m", "casia"])
def test_embeddings_equal_the_stored_ones(root: Path, names: list[str], teacher: str) -> None:
    chosen = range(0, len(names), 1700)
    faces = pictures(root, [names[i] for i in chosen])
    network = load_rgb_network(root / f"weights/mobilefacenet_{teacher}.npz")
    for shown, expected in zip((faces, faces[:, :, ::-1]), stored(root, teacher), strict=True):
        cosine = (unit(network.embed_pictures(shown)) * unit(expected[list(chosen)])).sum(1)
        assert cosine.min() > AGREEMENT[teacher]


def view_2(root: Path, names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of both pictures and whether they show one person, [6000, 2] and [6000]."""
    row = {name.rsplit("/", 1)[1][:-4]: i for i, name in enumerate(names)}
    lines = [t.split("\t") for t in (root / "data/lfw/pairs.txt").read_text().splitlines()[1:]]
    full = [(t[0], t[1], t[-2] if len(t) == 4 else t[0], t[-1]) for t in lines]
    rows = [[row[f"{a}_{int(i):04d}"], row[f"{b}_{int(j):04d}"]] for a, i, b, j in full]
    return np.array(rows), np.array([len(t) == 3 for t in lines])


def ten_fold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """Accuracy in percent: each fold of 600 with the threshold best on the nine others."""
    fold, correct = np.arange(len(same)) // 600, []
    for held in range(10):
        rest, candidates = fold != held, np.sort(scores[fold != held])
        hits = [((scores[rest] >= t) == same[rest]).mean() for t in candidates[::7]]
        threshold = candidates[::7][int(np.argmax(hits))]
        correct.append(((scores[~rest] >= threshold) == same[~rest]).mean())
    return 100 * float(np.mean(correct))


def rank_1(embeddings: Floats, people: NDArray[np.str_]) -> float:
    """Percent of all other pictures whose nearest first picture is of the same person."""
    _, first = np.unique(people, return_index=True)
    probes = np.setdiff1d(np.arange(len(people)), first)
    nearest = np.argmax(embeddings[probes] @ embeddings[first].T, axis=1)
    return 100 * float(np.mean(people[first][nearest] == people[probes]))


def acceptance(embeddings: Floats, people: NDArray[np.str_], far: float) -> float:
    """TAR in percent at a FAR over all pairs of pictures."""
    _, person = np.unique(people, return_inverse=True)
    genuine, impostors, pairs = [], np.empty(0, np.float32), 0
    keep = int(far * len(people) ** 2 / 2)
    for start in range(0, len(people) - 1, 500):
        block = embeddings[start : start + 500] @ embeddings[start:].T
        same = person[start : start + 500, None] == person[None, start:]
        later = np.arange(block.shape[1])[None] > np.arange(len(block))[:, None]
        genuine.append(block[same & later])
        other = block[~same & later]
        pairs += other.size
        pool = np.concatenate([impostors, other])
        impostors = np.partition(pool, max(0, pool.size - keep))[-keep:]
    threshold = np.sort(impostors)[-int(far * pairs)]
    return 100 * float(np.mean(np.concatenate(genuine) > threshold))


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["ms1m", "casia"])
def test_stored_embeddings_give_the_published_accuracies(
    root: Path, names: list[str], teacher: str
) -> None:
    plain, mirrored = stored(root, teacher)
    embeddings = unit(plain + mirrored)
    people = np.array([name.split("/")[0] for name in names])
    rows, same = view_2(root, names)
    scores = np.einsum("ij,ij->i", embeddings[rows[:, 0]], embeddings[rows[:, 1]])
    found = (ten_fold(scores, same), rank_1(embeddings, people))
    assert found == pytest.approx(PUBLISHED[teacher][:2], abs=0.2)
    assert acceptance(embeddings, people, 1e-4) == pytest.approx(PUBLISHED[teacher][2], abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["ms1m", "casia"])
def test_our_own_embeddings_give_the_published_accuracy(
    root: Path, names: list[str], teacher: str
) -> None:
    rows, same = view_2(root, names)
    wanted, place = np.unique(rows, return_inverse=True)
    faces = pictures(root, [names[i] for i in wanted])
    network = load_rgb_network(root / f"weights/mobilefacenet_{teacher}.npz")
    both = network.embed_pictures(faces) + network.embed_pictures(faces[:, :, ::-1])
    pairs = unit(both)[place.reshape(rows.shape)]
    scores = np.einsum("ij,ij->i", pairs[:, 0], pairs[:, 1])
    assert ten_fold(scores, same) == pytest.approx(PUBLISHED[teacher][0], abs=0.2)
