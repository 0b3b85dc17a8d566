"""Did every run stay within its policy and its declared cost?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from protocol.views import Trial
from reports.audit.rules import Rules
from reports.audit.verdicts import Verdict, verdict

__all__ = ["declared_costs", "flow_policy"]


def flow_policy(trials: Sequence[Trial], rules: Rules) -> Verdict:
    """Require that no run was ended by an error and that every message is declared."""
    found = [trial.failure for trial in trials if trial.failure]
    messages = [m for trial in trials for view in trial.views.values() for m in view.messages]
    found += [
        f"{seen.kind} from {seen.sender} to {seen.receiver} in {seen.phase} is not declared"
        for seen in messages
        if rules.form(seen) is None
    ]
    good = f"{len(trials)} runs ended well; {len(messages):,} messages, all declared"
    return verdict("flow policy", "run", list(dict.fromkeys(found)), good)


def declared_costs(trials: Sequence[Trial]) -> Verdict:
    """Require the declared messages and bytes, and that all that was sent was received."""
    found = [line for trial in trials for line in trial.costs_differ]
    balance: Counter[str] = Counter()
    total = 0
    for seen in (m for t in trials for view in t.views.values() for m in view.messages):
        sign = 1 if seen.event == "sent" else -1
        total += seen.wire_bytes if sign > 0 else 0
        balance[f"{seen.kind} from {seen.sender} to {seen.receiver}"] += sign * seen.wire_bytes
    found += [f"{link}: sent and received bytes differ" for link, rest in balance.items() if rest]
    good = f"costs as declared; {total:,} bytes sent = received"
    return verdict("declared costs", "run", list(dict.fromkeys(found)), good)
