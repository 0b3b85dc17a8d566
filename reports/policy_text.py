"""A protocol's policy as Markdown tables: what documentation and reviewers read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from protocol.flows import Knowledge, Policy
from reports.wording import listed, party_name, party_names

__all__ = ["policy_markdown"]


def policy_markdown(policy: Policy) -> str:
    """Return flows, openings, knowledge and coalitions of a policy, as Markdown."""
    blocks = [
        f"## `{policy.name}`: {policy.title}",
        f"Trust model: {policy.trust_model}.",
        f"Parties: {party_names(policy.parties)}.",
        _table(
            ("message", "from", "to", "phase", "form", "carries", "why", "needs"),
            _flows(policy),
        ),
        _table(("opened value", "to", "messages", "why that is safe", "needs"), _openings(policy)),
        _table(("party", "learns", "how", "where"), _learns(policy)),
        _table(("coalition", "yields", "trust model"), _coalitions(policy)),
    ]
    return "\n\n".join(blocks) + "\n"


def _flows(policy: Policy) -> Iterator[Sequence[str]]:
    for flow in policy.flows:
        yield (
            f"`{flow.kind}`", party_name(flow.sender), party_name(flow.receiver), flow.phase,
            flow.form, flow.carries, flow.why, _needs(flow.needs_insecure),
        )  # fmt: skip


def _openings(policy: Policy) -> Iterator[Sequence[str]]:
    for opening in policy.openings:
        kinds = ", ".join(f"`{kind}`" for kind in opening.kinds)
        audience = party_names(opening.audience)
        yield opening.value, audience, kinds, opening.reason, _needs(opening.needs_insecure)


def _learns(policy: Policy) -> Iterator[Sequence[str]]:
    for party, known in policy.learns.items():
        for knowledge in known:
            yield party_name(party), knowledge.what, knowledge.how, _where(knowledge)


def _coalitions(policy: Policy) -> Iterator[Sequence[str]]:
    for coalition in policy.coalitions:
        excluded = "excluded" if coalition.excluded_by_trust_model else "allowed"
        yield party_names(coalition.members), coalition.yields, excluded


def _where(knowledge: Knowledge) -> str:
    """Return the circumstances under which something is learned; empty for all."""
    rows = {"any": "", "unmapped": "mapping `none`", "mapped": "any other mapping"}[knowledge.rows]
    answers = listed([f"`{answer}`" for answer in knowledge.answers])
    level = f"answer {answers}" if answers else ""
    return ", ".join(filter(None, (level, rows, _needs(knowledge.needs_insecure))))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _needs(shortcut: str | None) -> str:
    return f"`insecure: [{shortcut}]`" if shortcut else ""
