"""Generated parts of the documentation are what the code says today.

`BAUTA_DOCS=write pytest tests/test_docs.py` writes them anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.audit.leaks.table import leaks_markdown
from protocol.search.policies import policy_named, policy_names
from reports.policy_text import policy_markdown

DOCS = Path(__file__).parent.parent / "docs"


def policies() -> str:
    return "\n".join(policy_markdown(policy_named(name)) for name in policy_names())


@pytest.mark.parametrize(
    ("page", "name", "made"),
    [("audit.md", "leaks", leaks_markdown), ("policy.md", "policy", policies)],
)
def test_generated_parts_have_not_drifted(page: str, name: str, made: Callable[[], str]) -> None:
    path = DOCS / page
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
    assert pattern.search(text), f"{page} has no place for {name}"
    current = pattern.sub(lambda found: f"{found[1]}{made()}{found[2]}", text)
    if os.environ.get("BAUTA_DOCS") == "write":
        path.write_text(current, encoding="utf-8")
        text = current
    assert text == current
