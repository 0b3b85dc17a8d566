"""Output on terminals that know only ASCII: a good run must not end in an encoding error."""

from __future__ import annotations

import codecs
import sys
from typing import Final

__all__ = ["speak_plainly"]

_HANDLER: Final = "bauta-plain"
_PLAIN: Final = {
    "✓": "ok", "✗": "FAILED", "–": "-", "—": "-", "−": "-", "…": "...", "≤": "<=", "≥": ">=",
    "×": "x", "·": "*", "ε": "epsilon", "δ": "delta", "µ": "u", "√": "sqrt", "→": "->", "±": "+/-",
    "\u00a0": " ", "²": "^2", "³": "^3", "“": '"', "”": '"', "‘": "'", "’": "'", "•": "*",
}  # fmt: skip


def speak_plainly() -> None:
    """Have standard output and error spell what their encoding lacks, instead of failing."""
    codecs.register_error(_HANDLER, _spelled)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_HANDLER)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in wrong), error.end
