"""Read scenario text: strict YAML, `--set` overrides, and where scenario files are found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from protocol.errors import ScenarioError
from scenarios.validation import suggestion

__all__ = ["apply_override", "find_scenario", "parse_yaml", "scenario_files"]

_HERE = Path(__file__).parent
MAX_FILE_BYTES = 1 << 20
_UNREADABLE = (
    yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    RecursionError,
)  # fmt: skip
"""What constructors of explicit tags raise, such as `!!timestamp x`."""
_EXAMPLE = "`bauta show embedded` prints a whole scenario"
_FLOAT = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys and aliases, and reads 1e-3 as a number."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
        if self.check_event(yaml.events.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            problem = "aliases (*name) are not supported in scenarios"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        return super().compose_node(parent, index)

    def construct_unique(self, node: yaml.MappingNode) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                twice = isinstance(key, str)
                problem = f"key {key!r} appears twice" if twice else f"key {key!r} is not text"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _StrictLoader.construct_unique)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def parse_yaml(text: str, where: str) -> Any:  # noqa: ANN401
    """Parse one YAML document into plain values.

    Raises:
        ScenarioError: not YAML, a duplicate key, an alias; `where` gets the line appended.
    """
    try:
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
        msgspec.json.encode(document)  # refuses half a surrogate pair, which no file can hold
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{where}:{mark.line + 1}" if mark else where
        message = error.problem or "not a YAML document"
        raise ScenarioError(message, where=line, hint=_EXAMPLE) from error
    except _UNREADABLE as error:
        message = "not a YAML document"
        raise ScenarioError(message, where=where, hint=_EXAMPLE) from error
    else:
        return document


def apply_override(document: Any, override: str) -> None:  # noqa: ANN401
    """Apply one `a.b=value` in place; the value is read as YAML.

    Raises:
        ScenarioError: no `=`, an empty path segment, or a path through something without keys.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        message = f"override {override!r} is not of the form section.key=value"
        raise ScenarioError(message, where="--set", hint="for example --set data.entries=100")
    where, node = "", document
    for key in keys[:-1]:
        where = f"{where}.{key}" if where else key
        node = node.setdefault(key, {}) if isinstance(node, dict) else node
        if not isinstance(node, dict):
            message = f"override {path!r} goes through a value that has no keys"
            raise ScenarioError(message, where=where, hint="write --set section.key=value")
    if not isinstance(node, dict):
        message = "the scenario is not a section of keys"
        raise ScenarioError(message, where="scenario", hint=_EXAMPLE)
    node[keys[-1]] = parse_yaml(text, f"--set {path}")


def scenario_files(folder: Path | None = None) -> dict[str, Path]:
    """Return the shipped scenario files by name, sorted."""
    return {path.stem: path for path in sorted((folder or _HERE).glob("*.yaml"))}


def find_scenario(path_or_name: str | Path) -> Path:
    """Return the file of a scenario given as a path or as a shipped name.

    Raises:
        ScenarioError: neither a readable file nor a shipped name.
    """
    path = Path(path_or_name)
    if path.exists() and not path.is_dir():
        return path
    shipped = scenario_files()
    if str(path_or_name) in shipped:
        return shipped[str(path_or_name)]
    message = "no such scenario file or shipped scenario"
    raise ScenarioError(message, where=str(path_or_name), hint=suggestion(path.stem, shipped))
