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
ABSENT = -1


class SlotTable:
    """The live rows of a gallery, slot by slot; 16 to 32 bytes per row number given out."""

    def __init__(self) -> None:
        self._row_of = np.empty(0, dtype=np.int64)
        self._slot_of = np.empty(0, dtype=np.int64)
        self._live = self._next = 0
        self._in_order = True

    def __len__(self) -> int:
        """Return the number of live rows."""
        return self._live

    @property
    def rows(self) -> Slots:
        """Row numbers by slot."""
        return self._row_of[: self._live].copy()

    @property
    def in_order(self) -> bool:
        """Whether every row number ever given out is the slot of its row: nothing was deleted."""
        return self._in_order

    @property
    def nbytes(self) -> int:
        """Bytes the table takes."""
        return self._row_of.nbytes + self._slot_of.nbytes

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
        numbers = np.asarray(rows, dtype=np.int64)
        known = (numbers >= 0) & (numbers < self._next)
        slots = np.full(numbers.shape, ABSENT)
        slots[known] = self._slot_of[numbers[known]]
        if (slots == ABSENT).any():
            row = int(numbers[slots == ABSENT][0])
            raise LocalProtocolError(f"row {row} is not in the gallery")
        return slots

    def delete(self, rows: Sequence[int]) -> list[Move]:
        """Remove rows; return which slots are copied where, in order, to keep slots dense.

        Raises:
            LocalProtocolError: a row is not in the gallery.
        """
        return [self._delete(row) for row in rows]

    def _enrol(self, count: int) -> Slots:
        slots = np.arange(self._live, self._live + count)
        numbers = np.arange(self._next, self._next + count)
        self._row_of = _grown(self._row_of, self._live + count)
        self._slot_of = _grown(self._slot_of, self._next + count)
        self._row_of[slots] = numbers
        self._slot_of[numbers] = slots
        self._live += count
        self._next += count
        return slots

    def _delete(self, row: int) -> Move:
        hole, last = int(self.slots([row])[0]), self._live - 1
        self._in_order = False
        moved = self._row_of[last]
        self._row_of[hole] = moved
        self._slot_of[moved] = hole
        self._slot_of[row] = ABSENT
        self._live = last
        return last, hole


def _grown(array: Slots, length: int) -> Slots:
    """Return an array with room for `length` entries; doubling keeps copying rare."""
    if length <= len(array):
        return array
    larger = np.full(max(length, 2 * len(array)), ABSENT)
    larger[: len(array)] = array
    return larger
