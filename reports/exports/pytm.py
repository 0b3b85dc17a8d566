"""A policy as a model of OWASP pytm: a Python script that pytm runs, written and never run here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocol.flows import Flow, Policy
from reports.records import Event
from reports.wording import party_name

__all__ = ["pytm_model"]

_HEAD = '''"""Threat model of one run. Run with OWASP pytm: `python3 model.py --dfd` or `--seq`."""

from pytm import TM, Actor, Boundary, Data, Dataflow, Server

'''


def pytm_model(events: Sequence[Event], policy: Policy) -> str:
    """Return a pytm script with a boundary per party and a flow per kind that was sent."""
    lines = [
        _HEAD,
        f"tm = TM({policy.title!r})",
        f"tm.description = {policy.trust_model!r}",
        "tm.isOrdered = True",
        "",
    ]
    for party in policy.parties:
        kind = "Actor" if party == "client" else "Server"
        lines += [
            f"{party}_boundary = Boundary({party_name(party)!r})",
            f"{party} = {kind}({party_name(party)!r})",
            f"{party}.inBoundary = {party}_boundary",
        ]
    for number, flow in enumerate(_sent(events, policy)):
        lines += _flow(number, flow)
    return "\n".join([*lines, "", 'if __name__ == "__main__":', "    tm.process()", ""])


def _sent(events: Sequence[Event], policy: Policy) -> Iterator[Flow]:
    """Yield the flows of a run in the order they were first used."""
    first: dict[tuple[str, ...], int] = {}
    for event in events:
        label = (event.kind, event.sender, event.receiver, event.phase)
        first[label] = min(event.lamport, first.get(label, event.lamport))
    used = [flow for flow in policy.flows if flow[:4] in first]
    yield from sorted(used, key=lambda flow: first[flow[:4]])


def _flow(number: int, flow: Flow) -> Iterator[str]:
    personal = flow.form in {"plain", "protected"}
    data = f"data_{number}"
    yield ""
    yield f"{data} = Data({flow.carries!r}, isPII={personal}, isCredentials=False)"
    yield f"flow_{number} = Dataflow({flow.sender}, {flow.receiver}, {flow.kind!r})"
    yield f"flow_{number}.order = {number + 1}"
    yield f"flow_{number}.data = {data}"
    yield f"flow_{number}.note = {f'{flow.phase}, {flow.form}: {flow.why}'!r}"
