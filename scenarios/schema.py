"""Load scenarios: YAML file plus overrides in, one checked `Scenario` out.

Every refusal is a ScenarioError (exit code 2) whose `where` is the dotted field path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from protocol.errors import DataError, ScenarioError
from scenarios.checks import check_fields
from scenarios.datasets.files import read_text
from scenarios.loading import (
    MAX_FILE_BYTES,
    apply_override,
    find_scenario,
    parse_yaml,
    scenario_files,
)
from scenarios.specs import (
    DataSpec,
    FeatureSpec,
    LifeSpec,
    MappingSpec,
    NetworkSpec,
    Scenario,
    SearchSpec,
)
from scenarios.validation import convert, raise_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "DataSpec",
    "FeatureSpec",
    "LifeSpec",
    "ListedScenario",
    "MappingSpec",
    "NetworkSpec",
    "Scenario",
    "SearchSpec",
    "json_schema",
    "list_scenarios",
    "load_scenario",
    "parse_scenario",
    "resolved_yaml",
]

UNDESCRIBED = frozenset({"runtime", "report", "capture"})
"""Fields that change where a scenario runs and what is kept, not what it shows."""


class _Dumper(yaml.SafeDumper):
    """SafeDumper that writes texts of several lines as blocks."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


class ListedScenario(NamedTuple):
    """A shipped scenario: name, file and first line of its description."""

    name: str
    path: Path
    summary: str


def load_scenario(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Load a scenario file (or a shipped scenario by name) and check all its fields.

    What depends on this machine (memory, data sets present) is checked by
    `scenarios.resources.check_runnable`.

    Raises:
        ScenarioError: file not found, not YAML, unknown key, wrong type, impossible combination.
    """
    path = find_scenario(path_or_name)
    try:
        text = read_text(path, MAX_FILE_BYTES, "scenario file")
    except DataError as error:
        raise ScenarioError(error.message, where=error.where) from error
    return parse_scenario(text, overrides, where=str(path), default_name=path.stem)


def parse_scenario(
    text: str, overrides: Sequence[str] = (), *, where: str = "scenario", default_name: str = ""
) -> Scenario:
    """Check scenario text; `default_name` is used when the text has no name.

    Raises:
        ScenarioError: as `load_scenario`.
    """
    document = parse_yaml(text, where)
    document = {} if document is None else document
    for override in overrides:
        apply_override(document, override)
    _drop_description(document, overrides)
    if default_name and isinstance(document, dict):
        document.setdefault("name", default_name)
    scenario = convert(document, Scenario)
    raise_problems(check_fields(scenario))
    return _resolve(scenario)


def _drop_description(document: object, overrides: Sequence[str]) -> None:
    """Drop what the author says of a scenario that is no longer the author's."""
    keys = {override.partition("=")[0].strip() for override in overrides}
    if isinstance(document, dict) and "description" not in keys and not keys <= UNDESCRIBED:
        document.pop("description", None)


def _resolve(scenario: Scenario) -> Scenario:
    """Fill in defaults that depend on other fields, so a stored scenario stands alone."""
    search = msgspec.structs.replace(scenario.search, scale=scenario.search.ring_scale)
    return msgspec.structs.replace(scenario, search=search)


def resolved_yaml(scenario: Scenario) -> str:
    """Return the scenario with every default written out; loading it gives it back."""
    return yaml.dump(
        msgspec.to_builtins(scenario), Dumper=_Dumper, sort_keys=False, allow_unicode=True
    )


def list_scenarios() -> list[ListedScenario]:
    """Return the shipped scenarios, sorted by name.

    Raises:
        ScenarioError: one of the shipped files is not valid.
    """
    listed = []
    for name, path in scenario_files().items():
        description = load_scenario(path).description.strip()
        listed.append(ListedScenario(name, path, description.partition("\n")[0]))
    return listed


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors."""
    return msgspec.json.schema(Scenario)
