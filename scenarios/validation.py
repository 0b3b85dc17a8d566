"""Turn plain YAML values into structs, and name every problem by its field path.

msgspec stops at the first problem of a document; a person editing a scenario wants all of
them, so each field is converted on its own and the problems are gathered.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from protocol.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Problem", "convert", "raise_problems", "suggestion"]

_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a scenario: where, what was expected, what to do."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `path: message (hint)`."""
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise one ScenarioError that names all problems; return when there are none.

    Raises:
        ScenarioError: `where` is the first problem's field path; the others follow in the text.
    """
    if not problems:
        return
    first, *others = problems
    if not others:
        raise ScenarioError(first.message, where=first.where, hint=first.hint)
    own = first.message + (f" ({first.hint})" if first.hint else "")
    text = "\n  ".join([own, *(f"also {other}" for other in others)])
    raise ScenarioError(text, where=first.where)


def suggestion(word: object, known: Iterable[str]) -> str:
    """Return a did-you-mean hint, or the list of known words when none is near."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)


def convert(raw: object, kind: type[_StructT]) -> _StructT:
    """Convert a parsed YAML document into a struct.

    Raises:
        ScenarioError: with every unknown key, wrong type and missing key of the document.
    """
    problems: list[Problem] = []
    value = _struct(raw, kind, "", problems)
    raise_problems(problems)
    return msgspec.convert(value, kind)


def _struct(
    raw: object, kind: type[msgspec.Struct], where: str, problems: list[Problem]
) -> dict[str, Any]:
    if not isinstance(raw, dict):
        expected = f"expected a section of keys, got {_type_name(raw)}"
        problems.append(Problem(where or "scenario", expected, _keys_hint(kind)))
        return {}
    before = len(problems)
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if field.required and name not in raw:
            problems.append(Problem(_join(where, name), "required key is missing"))
    for key in raw:
        path = _join(where, key)
        if key not in fields:
            hint = _elsewhere(key, kind) or suggestion(key, fields)
            problems.append(Problem(path, "unknown key", hint))
        else:
            _field(raw[key], hints[fields[key].name], path, problems)
    if len(problems) == before:
        _whole(raw, kind, problems)
    return raw


def _elsewhere(key: object, kind: type[msgspec.Struct]) -> str:
    """Return a hint at the sections of a document that do have a key; empty where none has."""
    hints = get_type_hints(kind, include_extras=True)
    sections = {
        field.encode_name: hints[field.name]
        for field in msgspec.structs.fields(kind)
        if isinstance(hints[field.name], type) and issubclass(hints[field.name], msgspec.Struct)
    }
    found = [
        f"{name}.{key}"
        for name, section in sections.items()
        if key in {field.encode_name for field in msgspec.structs.fields(section)}
    ]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def _whole(raw: dict[str, Any], kind: type[msgspec.Struct], problems: list[Problem]) -> None:
    """Gather what a struct's own construction refuses (ranges that are its own business)."""
    try:
        msgspec.convert(raw, kind)
    except ScenarioError as error:
        problems.append(Problem(error.where, error.message, error.hint))


def _field(raw: object, kind: Any, where: str, problems: list[Problem]) -> None:  # noqa: ANN401
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        _struct(raw, kind, where, problems)
        return
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problems.append(Problem(where, _expected(error, raw), _choices_hint(raw, kind)))


def _expected(error: msgspec.ValidationError, raw: object) -> str:
    """Reword msgspec's text: its own path is dropped, the refused value is shown."""
    text = str(error).split(" - at `", 1)[0]
    text = text[0].lower() + text[1:]
    if isinstance(raw, (str, int, float)) and "got" not in text and "enum" not in text:
        text += f", got {raw!r}"
    return text.replace("invalid enum value", "not a known choice:").replace("`", "'")


def _choices_hint(raw: object, kind: object) -> str:
    choices = _choices(kind)
    if not choices:
        return ""
    if isinstance(raw, (list, tuple)):
        unknown = [item for item in raw if item not in choices]
        raw = unknown[0] if unknown else raw
    return suggestion(raw, map(str, choices))


def _choices(kind: object) -> list[object]:
    """Return the literal choices anywhere inside a type, in order."""
    found: list[object] = []
    for argument in get_args(kind):
        if get_origin(kind) is not None and not get_args(argument):
            found += [argument] if isinstance(argument, (str, int)) else []
        else:
            found += _choices(argument)
    return found


def _keys_hint(kind: type[msgspec.Struct]) -> str:
    return "known: " + ", ".join(field.encode_name for field in msgspec.structs.fields(kind))


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _type_name(raw: object) -> str:
    names: Mapping[type, str] = {type(None): "nothing", dict: "keys", list: "a list", str: "text"}
    return names.get(type(raw), type(raw).__name__)
