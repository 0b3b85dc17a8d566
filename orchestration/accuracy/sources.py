"""Where the embeddings of an evaluation come from: an RGB network, a student, or a file of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestration.progress import OnProgress, Progress
from orchestration.training import load_teacher
from protocol.errors import DataError, ScenarioError
from scenarios.datasets import Pictures

__all__ = [
    "Embedder",
    "Source",
    "embed_all",
    "open_source",
    "stored_embeddings",
    "with_pixel_noise",
]

Embeddings = NDArray[np.float32]
Embedder = Callable[[Pictures], Embeddings]

BATCH = 64
RGB = {
    "ms1m": "MobileFaceNet trained on MS1M, which very likely contains LFW people",
    "casia": "MobileFaceNet trained on CASIA-WebFace, whose overlap with LFW is not known here",
}
_STORED = "stored:"
_WEIGHTS = "weights/mobilefacenet_{}.npz"


class Source(NamedTuple):
    """One network to be judged.

    Attributes:
        name: how the command called it; of a file its name without folders.
        says: what is known about the people it saw, for the reader of the result.
        trained_on: name of the data set whose training people it was adapted on; None if none.
        embed: pictures to embeddings; None where embeddings are stored.
        record: how a student was trained.
        path: its file; None where the name says it all.
        sha256: of the file of weights or stored embeddings, so that a result names exactly what
            was judged; None where there is no such file.
    """

    name: str
    says: str
    trained_on: str | None
    embed: Embedder | None
    record: dict[str, Any]
    path: Path | None = None
    sha256: str | None = None


def with_pixel_noise(source: Source, epsilon: float) -> Source:
    """Add noise to pictures before a network that knows nothing of it.

    Raises:
        ScenarioError: embeddings are stored, so there is no picture to add noise to, or epsilon is
            out of range.
    """
    from protocol.features import FeatureSpec
    from protocol.features.noise import NoiseSource
    from protocol.features.pixels import noisy_pictures

    FeatureSpec(pixel_epsilon=epsilon)
    if source.embed is None:
        raise ScenarioError("stored embeddings take no noise", where="--pixel-epsilon")
    embed, noise = source.embed, NoiseSource(os.urandom)
    return source._replace(
        says=f"{source.says}; pictures carry noise of epsilon {epsilon:g} per pixel value",
        embed=lambda pictures: embed(noisy_pictures(pictures, epsilon, noise)),
    )


def open_source(name: str, root: Path | None) -> Source:
    """Open `ms1m`, `casia`, `shipped`, `stored:ms1m`, `stored:casia` or a student file.

    Raises:
        DataError: a file is missing or malformed.
        ScenarioError: no such network.
    """
    if name in RGB:
        network = load_teacher(name, root)
        digest = None if root is None else _sha256(root / _WEIGHTS.format(name))
        return Source(name, RGB[name], None, network.embed_pictures, {}, sha256=digest)
    if name.startswith(_STORED) and name[len(_STORED) :] in RGB:
        digest = None if root is None else _sha256(_stored_file(name, root))
        return Source(name, RGB[name[len(_STORED) :]], None, None, {}, sha256=digest)
    path = Path(name).expanduser()
    if name == "shipped":
        from parties.model_provider.shipped import SHIPPED_STUDENT

        path = SHIPPED_STUDENT
    if not path.is_file():
        hint = f"one of {', '.join([*RGB, *(_STORED + rgb for rgb in RGB), 'shipped'])}, or a file"
        raise ScenarioError("no such network", where=name, hint=hint)
    return _student(path)


def _student(path: Path) -> Source:
    from parties.model_provider import load_student
    from protocol.features import FeatureExtractor

    student = load_student(path)
    extractor = FeatureExtractor(student.spec, student.calibration, os.urandom)
    data = str(student.record.get("data", "unknown"))
    people = student.record.get("people", "an unknown number of")
    return Source(
        path.name,
        f"student adapted on the {people} training people of {data}",
        data,
        lambda pictures: student.embed(extractor.protect(pictures)),
        dict(student.record),
        path,
        _sha256(path),
    )


def _sha256(path: Path) -> str | None:
    """Return the digest of a file; None where there is none, which its reader then reports."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _stored_file(name: str, root: Path) -> Path:
    return root / "data" / "lfw" / f"embeddings_mobilefacenet_{name.removeprefix(_STORED)}.npz"


def embed_all(
    embed: Embedder,
    load: Callable[[int, int], Pictures],
    count: int,
    on_progress: OnProgress,
    *,
    mirror: bool,
) -> Embeddings:
    """Embed `count` pictures that `load(start, stop)` returns; float32 [count, d].

    With `mirror`, the embedding of the mirrored picture is added, which costs a second upload.
    """
    parts = []
    for start in range(0, count, BATCH):
        on_progress(Progress("embed", start, count, "pictures"))
        pictures = load(start, min(count, start + BATCH))
        found = embed(pictures)
        if mirror:
            found = found + embed(np.ascontiguousarray(pictures[:, :, ::-1]))
        parts.append(found)
    on_progress(Progress("embed", count, count, "pictures"))
    return np.concatenate(parts)


def stored_embeddings(name: str, root: Path | None, *, mirror: bool) -> dict[str, Embeddings]:
    """Return the embeddings beside LFW's pictures by picture id.

    Raises:
        DataError: BAUTA_DATA is not set, or the files are missing or do not fit each other.
    """
    if root is None:
        raise DataError("stored embeddings need BAUTA_DATA, which is not set", where=name)
    folder = root / "data" / "lfw"
    path = _stored_file(name, root)
    try:
        pictures = (folder / "names.txt").read_text(encoding="utf-8").split()
        with np.load(path, allow_pickle=False) as arrays:
            values = arrays["plain"] + arrays["mirrored"] if mirror else arrays["plain"]
    except (OSError, KeyError, ValueError, UnicodeDecodeError) as error:
        text = "stored embeddings cannot be read"
        raise DataError(text, where=str(path), hint="expected plain and mirrored") from error
    if len(pictures) != len(values):
        raise DataError(f"{len(values)} embeddings, {len(pictures)} names", where=str(path))
    return dict(zip(pictures, values.astype(np.float32), strict=True))
