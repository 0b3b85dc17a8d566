"""What CrypTen's ranks say to each other: ring elements in their order, and small requests.

A transfer of CrypTen's is one message, or several where it is longer than a frame may be. Each
carries the next part of every array, `values`, and the whole lengths of all, `sizes`.
"""

from __future__ import annotations

from typing import TypeAlias

from protocol.messages import Count, Message
from protocol.tensors import Tensor

__all__ = [
    "CryptenAnswer",
    "CryptenBits",
    "CryptenFactors",
    "CryptenMessage",
    "CryptenOperands",
    "CryptenRequest",
    "CryptenSeed",
    "CryptenSize",
    "CryptenWords",
]


class CryptenSeed(Message, frozen=True):
    """A 64-bit seed of one of CrypTen's generators."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenRequest(Message, frozen=True):
    """Sizes of one correlation that party 0 asks the third party for."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenSize(Message, frozen=True):
    """The size of the third party's next answer."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenAnswer(Message, frozen=True):
    """Party 0's share of a product of masks, or of lifted bits."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenOperands(Message, frozen=True):
    """One party's half of the masked probes and of the masked gallery, or of the claimed rows."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenFactors(Message, frozen=True):
    """One party's half of the masked factors of a later product."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenWords(Message, frozen=True):
    """One party's half of masked 64-bit words, operands of a layer of the adder."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


class CryptenBits(Message, frozen=True):
    """One party's half of masked bits that are to be lifted, one in each 64-bit word."""

    values: tuple[Tensor, ...]
    sizes: tuple[Count, ...]


CryptenMessage: TypeAlias = (
    CryptenSeed | CryptenRequest | CryptenSize | CryptenAnswer
    | CryptenOperands | CryptenFactors | CryptenWords | CryptenBits
)  # fmt: skip
