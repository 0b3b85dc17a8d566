"""Which slot of the servers' share matrices holds which row: public, equal at every party.

Row numbers are stable: a row keeps the number it was enrolled under until it is deleted, and no
number is given out twice. Slots are dense: a deleted row's slot is filled by the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocol.errors import LocalProtocolError
from protocol.plan import Step

__all__ = ["Move", "SlotTable"]

Slots = npt.NDArray[np.int64]
Move = tuple[int, int]


class SlotTable:
    """The live rows of a gallery, slot by slot."""

    def __init__(self) -> None:
        self._row_of: list[int] = []
        self._slot_of: dict[int, int] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return the number of live rows."""
        return len(self._row_of)

    @property
    def rows(self) -> Slots:
        """Row numbers by slot."""
        return np.array(self._row_of, dtype=np.int64)

    def apply(self, step: Step) -> Slots:
        """Enrol new rows or look up the rows of an update; return their slots.

        Raises:
            LocalProtocolError: a row to update is not in the gallery.
        """
        if step.kind == "enrol":
            return self._enrol(step.size)
        return self.slots(step.rows)

    def slots(self, rows: Sequence[int]) -> Slots:
        """Return the slots of live rows.

        Raises:
            LocalProtocolError: a row is not in the gallery.
        """
        try:
            return np.array([self._slot_of[row] for row in rows], dtype=np.int64)
        except KeyError as error:
            raise LocalProtocolError(f"row {error.args[0]} is not in the gallery") from error

    def delete(self, rows: Sequence[int]) -> list[Move]:
        """Remove rows; return which slots are copied where, in order, to keep slots dense.

        Raises:
            LocalProtocolError: a row is not in the gallery.
        """
        return [self._delete(row) for row in rows]

    def _enrol(self, count: int) -> Slots:
        first = len(self._row_of)
        for row in range(self._next, self._next + count):
            self._slot_of[row] = len(self._row_of)
            self._row_of.append(row)
        self._next += count
        return np.arange(first, first + count)

    def _delete(self, row: int) -> Move:
        hole = int(self.slots([row])[0])
        last = len(self._row_of) - 1
        moved = self._row_of[last]
        self._row_of[hole] = moved
        self._slot_of[moved] = hole
        del self._slot_of[row]
        self._row_of.pop()
        return last, hole
