from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import DataError
from reports.protocols import protocol_of

GOLDEN = Path(__file__).parent.parent / "golden"


def test_the_protocol_is_what_the_scenario_says() -> None:
    assert protocol_of(GOLDEN / "replicated-any") == "replicated"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "no scenario can be read"),
        ("search: [", "no scenario can be read"),
        ("name: x", "names no search protocol"),
        ("search: {protocol: magic}", "names no search protocol"),
        ("[]", "names no search protocol"),
    ],
)
def test_a_scenario_that_names_none_is_refused(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    if text is not None:
        (tmp_path / "scenario.yaml").write_text(text)
    with pytest.raises(DataError, match=problem):
        protocol_of(tmp_path)
