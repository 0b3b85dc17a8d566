"""Do sizes, counts, order and logical times of messages depend on secrets?"""

from __future__ import annotations

from collections.abc import Sequence

from protocol.parties import Party
from protocol.views import Seen
from reports.audit.verdicts import Verdict, Worlds, verdict

__all__ = ["same_metadata"]


def same_metadata(pairs: Sequence[Worlds], party: Party) -> Verdict:
    """Require that a party's messages look alike in every run of every world.

    Compared: direction, kind, ends, session, phase, round, sequence and logical time, sizes of
    payload and frame, shapes, and all plain numbers. The schedule is the same in all runs.
    """
    trials = {id(t): (pair.name, t) for pair in pairs for t in (*pair.one, *pair.two)}
    if not trials:
        return verdict("metadata", party, [], "no worlds to compare")
    (_, first), *others = trials.values()
    expected = [_outside(seen) for seen in first.views[party].messages]
    found = []
    for name, trial in others:
        told = [_outside(seen) for seen in trial.views[party].messages]
        if told != expected:
            found.append(f"{name}: {_difference(expected, told)}")
    good = f"{len(expected)} messages equal in size, order and number in {len(trials)} runs"
    return verdict("metadata", party, list(dict.fromkeys(found)), good)


def _outside(seen: Seen) -> tuple[object, ...]:
    shapes = tuple((name, array.shape, str(array.dtype)) for name, array in seen.arrays.items())
    return (
        seen.event, seen.kind, seen.sender, seen.receiver, seen.session, seen.phase, seen.round,
        seen.sequence, seen.lamport, seen.payload_bytes, seen.wire_bytes, shapes,
        tuple(sorted(seen.numbers.items())),
    )  # fmt: skip


def _difference(expected: list[tuple[object, ...]], told: list[tuple[object, ...]]) -> str:
    if len(expected) != len(told):
        return f"{len(told)} messages where another run has {len(expected)}"
    pairs = enumerate(zip(expected, told, strict=True))
    index = next(i for i, (one, two) in pairs if one != two)
    return f"message {index} is {_outline(told[index])}, elsewhere {_outline(expected[index])}"


def _outline(outside: tuple[object, ...]) -> str:
    return f"{outside[1]} of {outside[9]} bytes at time {outside[8]}"
