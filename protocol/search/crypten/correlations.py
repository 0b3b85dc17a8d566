"""What CrypTen consumes: one correlation per secret product, and its requests to a third party.

Every step of CrypTen's that talks to the other party consumes one correlation and opens its masked
operands, so the list of correlations a search needs, `correlations`, fixes its messages too.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log, prod
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from protocol.errors import DecodeError, LocalProtocolError

__all__ = [
    "Answer", "Bits", "Conjunction", "Correlation", "Level", "Product", "SearchShape", "Size",
    "correlations", "decode_answer", "decode_request", "encode", "request_of",
]  # fmt: skip

Size: TypeAlias = tuple[int, ...]
Level: TypeAlias = Literal["any", "count", "bitmap", "identity"]

ELEMENT_BITS: Final = 64
_TREE_LAYERS: Final = 6
_TIE_BITS: Final = 16
_PRODUCT_LIMIT: Final = 2 * ELEMENT_BITS


class Product(
    msgspec.Struct, frozen=True, array_like=True, tag="additive", forbid_unknown_fields=True
):
    """Additive shares of a, b and a*b: a Beaver triple for a matrix or element-wise product."""

    left: Size
    right: Size
    operation: Literal["matmul", "mul"]

    @property
    def opened(self) -> int:
        """Ring elements each party opens to use it."""
        return prod(self.left) + prod(self.right)

    @property
    def answer(self) -> Size:
        """Size of what a third party sends: party 0's share of the product."""
        return (*self.left[:-1], *self.right[1:]) if self.operation == "matmul" else self.left


class Conjunction(
    msgspec.Struct, frozen=True, array_like=True, tag="binary", forbid_unknown_fields=True
):
    """XOR shares of 64-bit words a, b and a & b."""

    left: Size
    right: Size

    @property
    def opened(self) -> int:
        """Ring elements each party opens to use it."""
        return prod(self.left) + prod(self.right)

    @property
    def answer(self) -> Size:
        """Size of what a third party sends: party 0's share of the conjunction."""
        return self.left


class Bits(msgspec.Struct, frozen=True, array_like=True, tag="B2A", forbid_unknown_fields=True):
    """Random bits, both as XOR shares and as additive shares."""

    size: Size

    @property
    def opened(self) -> int:
        """Ring elements each party opens to use it."""
        return prod(self.size)

    @property
    def answer(self) -> Size:
        """Size of what a third party sends: party 0's additive shares."""
        return self.size


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="size", forbid_unknown_fields=True):
    """Announces the size of a third party's answer."""

    size: Size


Correlation: TypeAlias = Product | Conjunction | Bits


class SearchShape(NamedTuple):
    """Public sizes of one search, and what it tells.

    `bitmap` compares every score with the threshold, `count` adds up the decisions and `any`
    compares that sum with 1; `identity` finds the best row of each probe and compares only its
    score. In a search of `claimed` rows each probe meets one row, the one it claims.
    """

    rows: int
    probes: int
    dimension: int
    level: Level = "bitmap"
    claimed: bool = False


def correlations(shape: SearchShape) -> Iterator[Correlation]:
    """Yield what CrypTen consumes for one search, in its order."""
    probes, rows = shape.probes, shape.rows
    yield _scores(shape)
    if shape.level != "identity":
        yield from _less_than((probes, rows))
        if shape.level == "any":
            yield from _less_than((probes,))
        return
    yield from _best(probes, rows)
    yield from _less_than((probes,))
    yield _multiply((probes,))


def _scores(shape: SearchShape) -> Product:
    probes = (shape.probes, shape.dimension)
    if shape.claimed:
        return _multiply(probes)
    return Product(probes, (shape.dimension, shape.rows), "matmul")


def _less_than(size: Size) -> Iterator[Correlation]:
    """Sign of a difference: an adder over XOR-shared words, then its top bit as additive share."""
    yield Conjunction((1, *size), (1, *size))
    for _ in range(_TREE_LAYERS):
        yield Conjunction((2, 1, *size), (2, 1, *size))
    yield Bits(size)


def _equal(size: Size) -> Iterator[Correlation]:
    for _ in range(_TREE_LAYERS):
        yield Conjunction(size, size)
    yield Bits(size)


def _best(probes: int, rows: int) -> Iterator[Correlation]:
    """Argmax by log reduction: ln(rows) halvings, all pairs of the rest, then who equals the best.

    Both all pairs and equality mark every row that ties; ties are broken at random.
    """
    left = rows
    for _ in range(int(log(rows))):
        half = (probes, left // 2)
        yield from _less_than(half)
        yield _multiply(half)
        yield _multiply(half)
        left -= left // 2
    yield from _all_pairs(probes, left)
    yield from _pick((probes, left))
    yield _multiply((probes, left))
    yield from _equal((probes, rows))
    yield from _pick((probes, rows))


def _all_pairs(probes: int, entries: int) -> Iterator[Correlation]:
    rivals = max(entries, 2) - 1
    yield from _less_than((rivals, probes, entries))
    if rivals >= _PRODUCT_LIMIT:
        yield from _less_than((probes, entries))
        return
    while rivals > 1:
        yield _multiply((rivals // 2, probes, entries))
        rivals -= rivals // 2


def _pick(size: Size) -> Iterator[Correlation]:
    """Choose one marked entry per row at random."""
    row = (size[0], 1)
    yield Bits((_TIE_BITS, *row))
    yield _multiply(row)
    yield from _less_than(size)


def _multiply(size: Size) -> Product:
    return Product(size, size, "mul")


def request_of(message: Any) -> Correlation:  # noqa: ANN401 - CrypTen's own object
    """Return the correlation CrypTen asks a third party for.

    Raises:
        LocalProtocolError: anything but the three requests a search makes.
    """
    try:
        function, arguments = message["function"], message["args"]
        known = not message["kwargs"] and message["device"] in {None, "cpu"}
        fields = [tuple(a) if isinstance(a, tuple) else a for a in arguments]
        kind: Any = Correlation
        return msgspec.convert([function if known else None, *fields], kind)  # type: ignore[no-any-return]
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        text = "CrypTen wants to send an object that no search needs"
        raise LocalProtocolError(text) from error


def encode(message: Correlation | Answer) -> bytes:
    """Return a request or the announcement of an answer as bytes."""
    return msgspec.msgpack.encode(message)


def decode_request(data: bytes | memoryview) -> Correlation:
    """Return the request, or raise `DecodeError`."""
    return _decode(data, Correlation)  # type: ignore[no-any-return]


def decode_answer(data: bytes | memoryview) -> Answer:
    """Return the announcement, or raise `DecodeError`."""
    return _decode(data, Answer)  # type: ignore[no-any-return]


def _decode(data: bytes | memoryview, kind: Any) -> Any:  # noqa: ANN401 - a union is no type
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise DecodeError("the peer's bytes are not a request for correlations") from error
