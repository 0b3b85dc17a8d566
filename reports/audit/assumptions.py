"""What an audit takes on trust: stated in its verdicts, because no check tests it."""

from __future__ import annotations

from typing import Final

from reports.audit.rules import Rules
from reports.audit.verdicts import Verdict, verdict

__all__ = ["assumptions"]

_ALWAYS: Final = "AES-256-CTR under a secret key cannot be told from random"
_TRUSTED: Final = {
    "trusted_dealer": "the dealer colludes with neither server",
    "crypten_first_party": "nothing more: the model provider is judged like every other party",
    "weak_generators": (
        "Mersenne Twisters with 64-bit seeds hide what they have not yet given; they do not from "
        "whoever tries the seeds or sees some 20,000 bits of their output"
    ),
}


def assumptions(rules: Rules) -> Verdict:
    """Say what is assumed, by shortcut of the policy; never fails."""
    shortcuts = (f"by {name}, {_TRUSTED.get(name, 'what it says')}" for name in rules.assumed)
    detail = "; ".join([f"taken on trust: {_ALWAYS}", *shortcuts])
    return verdict("assumptions", "run", [], detail, note="stated")
