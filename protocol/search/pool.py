"""How far ahead searches get their material: a pool with a low-water mark, equal at all parties."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from protocol.errors import LocalProtocolError, ReusedMaterialError
from protocol.plan import RunPlan, Step

__all__ = ["Ledger", "Pool", "material_session"]

T = TypeVar("T")


def material_session(due: Sequence[Step]) -> str:
    """Return the session in which the material of some searches is asked for."""
    return f"material-{due[0].session.partition('-')[2]}"


class Ledger(NamedTuple):
    """Searches whose material was issued, and what became of it."""

    issued: int
    consumed: int

    @property
    def burnt(self) -> int:
        """Material that was issued and will never be used."""
        return self.issued - self.consumed


class Pool(Generic[T]):
    """The material of the next searches, first in, first out; each taken once."""

    def __init__(self, plan: RunPlan) -> None:
        self._size = max(1, plan.pool)
        self._low_water = min(max(1, plan.low_water), self._size)
        self._ready: deque[tuple[str, T]] = deque()
        self._issued = self._consumed = 0
        self._taken: set[str] = set()

    @property
    def ledger(self) -> Ledger:
        """What was issued and consumed so far."""
        return Ledger(self._issued, self._consumed)

    def due(self, upcoming: Sequence[Step]) -> Sequence[Step]:
        """Return the searches to prepare now: none while the pool is above its low-water mark."""
        ready = len(self._ready)
        return () if ready >= min(self._low_water, len(upcoming)) else upcoming[ready : self._size]

    def put(self, session: str, material: T) -> None:
        """Add the material of one search."""
        self._issued += 1
        self._ready.append((session, material))

    def take(self, session: str) -> T:
        """Return the material of the next search, for the first and only time.

        Raises:
            ReusedMaterialError: it was taken before.
            LocalProtocolError: it is not the next one, or was never prepared.
        """
        if session in self._taken:
            raise ReusedMaterialError(f"the material of {session} was already used")
        if not self._ready or self._ready[0][0] != session:
            raise LocalProtocolError(f"there is no material for {session}")
        self._taken.add(session)
        self._consumed += 1
        return self._ready.popleft()[1]
