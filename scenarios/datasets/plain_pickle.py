"""Read plain values out of a pickle without unpickling it.

The field's verification files are pickles of lists, byte strings and booleans. Python's own
unpickler can be made to run code by whoever wrote the file; here the opcodes are read as data and
interpreted by a small table that builds lists, tuples, byte strings, texts, integers and booleans,
and knows a few names: those by which older protocols write bytes, and NumPy's boolean scalar.
Whatever else a file asks for is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, Final

from protocol.errors import DataError

__all__ = ["read_plain_pickle"]

MAX_OPCODES: Final = 5_000_000
_SCALARS: Final = {
    "numpy.core.multiarray scalar",
    "numpy._core.multiarray scalar",
}
_RECODE: Final = "_codecs encode"
_EMPTY: Final = "__builtin__ bytes"
_DTYPE: Final = "numpy dtype"
_NAMES: Final = {*_SCALARS, _RECODE, _EMPTY, _DTYPE}
_LITERALS: Final = {
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BININT", "BININT1", "BININT2", "INT", "LONG1",
}  # fmt: skip
_CONSTANTS: Final[dict[str, Any]] = {"NEWTRUE": True, "NEWFALSE": False, "NONE": None}
_SILENT: Final = {"PROTO", "FRAME", "STOP"}
_KEEP: Final = {"PUT", "BINPUT", "LONG_BINPUT"}
_RECALL: Final = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Mark:
    """Where a group of values on the stack begins."""


class _Name:
    """A named object a file may ask for; it stands for itself and is never imported."""

    def __init__(self, text: str) -> None:
        self.text = text


class _BoolType:
    """NumPy's boolean type as the file describes it."""


def read_plain_pickle(data: bytes, where: str) -> Any:  # noqa: ANN401 - plain values of any kind
    """Return the lists, tuples, bytes, texts, integers and booleans that `data` describes.

    Raises:
        DataError: not a pickle, cut short, or it asks for anything but plain values; nothing in
            it has been run.
    """
    machine = _Machine(where)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MAX_OPCODES:
                raise _refused("it is too long", where)
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError) as error:
        text = "not a verification file: it cannot be read as plain lists of bytes and booleans"
        raise DataError(text, where=where, hint="expected a pickled (bins, issame_list)") from error


class _Machine:
    """A stack of plain values and a memo, nothing else."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._actions: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._push(_Mark()),
            "EMPTY_LIST": lambda: self._push([]),
            "LIST": lambda: self._push(self._group()),
            "TUPLE": lambda: self._push(tuple(self._group())),
            "APPEND": lambda: self._append([self._stack.pop()]),
            "APPENDS": lambda: self._append(self._group()),
            "MEMOIZE": lambda: self._keep(len(self._memo)),
            "REDUCE": self._reduce,
            "BUILD": self._build,
            "STACK_GLOBAL": self._stack_global,
        }

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - as pickletools says
        """Interpret one opcode."""
        if name in _LITERALS:
            self._push(argument.encode("latin-1") if name.endswith("BINSTRING") else argument)
        elif name in _CONSTANTS:
            self._push(_CONSTANTS[name])
        elif name in _TUPLES:
            self._push(self._tuple(_TUPLES[name]))
        elif name in _KEEP:
            self._keep(argument)
        elif name in _RECALL:
            self._push(self._memo[argument])
        elif name == "GLOBAL":
            self._push(self._name(argument))
        elif name in self._actions:
            self._actions[name]()
        elif name not in _SILENT:
            raise _refused(f"it uses the operation {name}", self._where)

    def result(self) -> Any:  # noqa: ANN401 - plain values of any kind
        """Return the one value left; ValueError when there is not exactly one plain value."""
        (value,) = self._stack
        if isinstance(value, (_Mark, _Name, _BoolType)):
            raise TypeError
        return value

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _keep(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _tuple(self, size: int) -> tuple[Any, ...]:
        if size > len(self._stack):
            raise IndexError
        items = self._stack[len(self._stack) - size :]
        del self._stack[len(self._stack) - size :]
        return tuple(items)

    def _group(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self._stack[-1], _Mark):
            items.append(self._stack.pop())
        self._stack.pop()
        return items[::-1]

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise TypeError
        self._stack[-1].extend(items)

    def _name(self, text: str) -> _Name:
        if text not in _NAMES:
            raise _refused(f"it asks for {text.replace(' ', '.')[:80]!r}", self._where)
        return _Name(text)

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push(self._name(f"{module} {name}"))

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, _Name):
            raise TypeError
        self._push(self._built(function.text, arguments))

    def _built(self, name: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401
        if name == _RECODE and len(arguments) == 2 and arguments[1] == "latin1":
            return arguments[0].encode("latin-1")
        if name == _EMPTY and not arguments:
            return b""
        if name == _DTYPE and arguments[0] in {"b1", b"b1", "?"}:
            return _BoolType()
        if name in _SCALARS and isinstance(arguments[0], _BoolType) and len(arguments[1]) == 1:
            return arguments[1] != b"\0"
        raise _refused("it builds something other than bytes or booleans", self._where)

    def _build(self) -> None:
        """Drop the state of a boolean type: byte order and flags that say nothing about a bool."""
        self._stack.pop()
        if not isinstance(self._stack[-1], _BoolType):
            raise _refused("it sets the state of an object", self._where)


def _refused(reason: str, where: str) -> DataError:
    return DataError(
        f"refused without reading further: {reason}",
        where=where,
        hint="a verification file holds two lists, of picture bytes and of booleans",
    )
