"""Reveal: bits that both evaluators may know are opened without a mask. One round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from protocol.search.two_party.pieces import WORD_BYTES, Drawer, Opening, Part, PartShape

__all__ = ["Reveal"]


class Reveal(NamedTuple):
    """`words` words of bits; needs no material."""

    name: str
    words: int

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """Nothing is shipped."""
        return ()

    @property
    def openings(self) -> tuple[Opening, ...]:
        """The bits."""
        return (Opening("RevealedBits", WORD_BYTES * self.words),)

    def first(self, draw: Drawer) -> None:
        """Return no material."""
        del draw

    def second(self, draw: Drawer, parts: Sequence[Part]) -> None:
        """Return no material."""
        del draw, parts

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Ship nothing."""
        del first, second
        return ()
