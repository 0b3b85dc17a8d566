"""The repository keeps its own rules: imports, dependencies, decisions, sizes, errors."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from itertools import takewhile
from pathlib import Path

import pytest

from protocol import errors

ROOT = Path(__file__).parent.parent
ROOMS = ("parties", "protocol", "orchestration", "scenarios", "reports")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

# What protocol may import at all; files, clocks and sockets are refused by import-linter.
PROTOCOL_NEEDS = {"cryptography", "crypten", "msgspec", "numba", "numpy", "torch"}
# Declared and never imported: tools and what CrypTen, numba or mypy need.
NOT_IMPORTED = {"omegaconf", "onnx"}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def third_party(path: Path) -> Iterator[str]:
    """Yield the names of packages that are neither ours nor Python's."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        tops = {name.partition(".")[0] for name in names}
        yield from tops - set(ROOMS) - set(sys.stdlib_module_names)


def requirement_name(requirement: str) -> str:
    name = "".join(takewhile(lambda c: c.isalnum() or c in "-_.", requirement))
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {requirement_name(line) for line in lines}


INSTALLED = packages_distributions()


def distributions(imported: str) -> set[str]:
    return {requirement_name(name) for name in INSTALLED.get(imported, [imported])}


IMPORTED = {name for path in modules(*ROOMS) for name in third_party(path)}


@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_every_import_is_a_declared_dependency(name: str) -> None:
    # CrypTen cannot be declared: its own requirements do not resolve.
    assert name == "crypten" or distributions(name) & declared("bench")


def test_every_dependency_is_imported() -> None:
    used = set[str]().union(*map(distributions, IMPORTED))
    assert declared("bench", "crypten") - used - NOT_IMPORTED == set()


def test_protocol_imports_only_what_computing_needs() -> None:
    found = {name for path in modules("protocol") for name in third_party(path)}
    assert found <= PROTOCOL_NEEDS


@pytest.mark.parametrize("name", sorted(declared("bench", "crypten", "dev") | {"crypten"}))
def test_every_dependency_is_pinned_and_explained(name: str) -> None:
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert name in {requirement_name(line) for line in pinned if "==" in line}
    records = "\n".join(path.read_text() for path in DECISIONS).lower()
    assert re.search(rf"`{re.escape(name)}`", records), f"no decision names `{name}`"


def test_decisions_are_numbered_indexed_and_complete() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    index = DECISIONS[0].read_text()
    for path in DECISIONS:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert f"({path.name})" in index or path is DECISIONS[0], f"{path.name} is not indexed"
        for heading in ("**Status:**", "## Context", "## Decision", "## Consequences"):
            assert heading in text, f"{path.name} lacks {heading}"


@pytest.mark.parametrize("folder", [*ROOMS, "tests"])
def test_modules_stay_short(folder: str) -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in modules(folder)}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


@pytest.mark.parametrize("path", modules(*ROOMS), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"pickle", "cloudpickle", "marshal", "shelve", "dill"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle":
                assert isinstance(keyword.value, ast.Constant)
                assert keyword.value.value is False
            if keyword.arg == "weights_only":
                assert isinstance(keyword.value, ast.Constant)
                assert keyword.value.value is True


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_typed_packages_with_a_docstring(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()
    assert import_module(room).__doc__


def test_no_two_test_files_share_a_name() -> None:
    """Test folders are no packages: pytest cannot collect two modules of one name at once."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_only_intended_files_are_tracked() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    present = [ROOT / name for name in listed.stdout.split("\0") if name]
    heavy = [path.name for path in present if path.exists() and path.stat().st_size > 2**21]
    assert heavy == []
    assert {path.suffix for path in present} & {".jpg", ".jpeg", ".pt", ".pkl", ".so"} == set()


def catalogue() -> list[type[errors.BautaError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in found if kind is not errors.BautaError]


def test_the_error_catalogue_is_complete() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)
    assert all(issubclass(kind, errors.BautaError) for kind in catalogue())
    assert errors.__all__ == sorted(errors.__all__)


def test_the_base_error_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        errors.BautaError("anything")


@pytest.mark.parametrize("kind", catalogue(), ids=lambda kind: kind.__name__)
def test_errors_survive_pickling_and_read_as_one_line(kind: type[errors.BautaError]) -> None:
    error = kind("what was wrong", where="search.ring_bits", hint="use 32")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, as Ray would do
    assert type(copy) is kind
    assert (copy.message, copy.where, copy.hint) == (error.message, error.where, error.hint)
    assert str(copy) == str(error) == "search.ring_bits: what was wrong (use 32)"
    assert kind.__doc__
    assert kind.exit_code in {1, 2}


def test_errors_are_raised_by_someone() -> None:
    code = "\n".join(path.read_text() for path in modules(*ROOMS) if path.name != "errors.py")
    assert [kind.__name__ for kind in catalogue() if kind.__name__ not in code] == []
