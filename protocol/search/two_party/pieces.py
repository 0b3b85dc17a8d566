"""What every step has in common: a public piece, its material and its cost.

Everything uniform comes from the evaluators' seeds. What depends on both (bits of a mask, products
of masks, lifted bits) is shipped by the helper, to the second evaluator alone. The helper knows all
masks and sees nothing that they hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from protocol.errors import ReusedMaterialError
from protocol.sharing.kernels import Planes
from protocol.sharing.prg import CorrelationSource
from protocol.sharing.ring import Ring, RingArray

__all__ = [
    "WORD_BYTES",
    "Drawer",
    "Material",
    "Opening",
    "Part",
    "PartShape",
    "Piece",
    "corrections",
    "first_material",
    "part_shapes",
    "second_material",
    "shipped_bytes",
]

WORD_BYTES = 8
WORD_TYPE = np.dtype("<u8")

Part: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]


class PartShape(NamedTuple):
    """Shape and type of one array the helper ships."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Opening(NamedTuple):
    """What one evaluator sends the other in one round."""

    kind: str
    payload_bytes: int


class Drawer:
    """Draws the labelled parts of one piece from one seed, each once."""

    def __init__(self, source: CorrelationSource, session: str, piece: str) -> None:
        self._source = source
        self._prefix = f"{session}/{piece}"

    def ring(self, name: str, shape: tuple[int, ...], ring: Ring) -> RingArray:
        """Draw uniform ring elements."""
        return self._source.draw(f"{self._prefix}/{name}", shape, ring.dtype)

    def planes(self, name: str, planes: int, words: int) -> Planes:
        """Draw uniform bit planes [planes, words]."""
        return self._source.draw(f"{self._prefix}/{name}", (planes, words), WORD_TYPE)


class Piece(Protocol):
    """One step's public size: from it alone follow material, shipped arrays and openings."""

    @property
    def name(self) -> str:
        """Unique within a session."""
        ...

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The arrays the helper ships, in order."""
        ...

    @property
    def openings(self) -> tuple[Opening, ...]:
        """One evaluator's messages, a round each; both evaluators send the same."""
        ...

    def first(self, draw: Drawer) -> Any:  # noqa: ANN401 - each piece has its own material
        """Return the first evaluator's material, all of it uniform."""
        ...

    def second(self, draw: Drawer, parts: Sequence[Part]) -> Any:  # noqa: ANN401
        """Return the second evaluator's material: its own masks and what was shipped."""
        ...

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return what to ship: each dependent value minus the first evaluator's uniform share."""
        ...


class Material:
    """One evaluator's material of one session, each piece of which can be taken once."""

    def __init__(self, session: str, pieces: dict[str, Any]) -> None:
        self._session = session
        self._pieces = pieces

    def take(self, name: str) -> Any:  # noqa: ANN401 - the piece's own type
        """Return a piece's material for the first and only time.

        Raises:
            ReusedMaterialError: it was taken before, or never made.
        """
        if name not in self._pieces:
            text = f"material {name} of {self._session} was already used"
            raise ReusedMaterialError(text, hint="never reuse it")
        return self._pieces.pop(name)

    def __len__(self) -> int:
        """Return how many pieces were not taken."""
        return len(self._pieces)


def first_material(source: CorrelationSource, session: str, pieces: Sequence[Piece]) -> Material:
    """Expand everything of the first evaluator from its seed: no communication at all."""
    drawn = {piece.name: piece.first(Drawer(source, session, piece.name)) for piece in pieces}
    return Material(session, drawn)


def second_material(
    source: CorrelationSource, session: str, pieces: Sequence[Piece], parts: Sequence[Part]
) -> Material:
    """Expand the second evaluator's masks and complete them with the shipped parts."""
    made, used = {}, 0
    for piece in pieces:
        own = parts[used : used + len(piece.part_shapes)]
        made[piece.name] = piece.second(Drawer(source, session, piece.name), own)
        used += len(own)
    return Material(session, made)


def corrections(
    first: CorrelationSource, second: CorrelationSource, session: str, pieces: Sequence[Piece]
) -> tuple[Part, ...]:
    """Helper: return what to ship to the second evaluator, piece by piece."""
    return tuple(
        part
        for piece in pieces
        for part in piece.corrections(
            Drawer(first, session, piece.name), Drawer(second, session, piece.name)
        )
    )


def part_shapes(pieces: Sequence[Piece]) -> tuple[PartShape, ...]:
    """Return shape and type of every shipped array, in order."""
    return tuple(shape for piece in pieces for shape in piece.part_shapes)


def shipped_bytes(pieces: Sequence[Piece]) -> int:
    """Return the bytes the helper ships."""
    return sum(shape.nbytes for shape in part_shapes(pieces))
