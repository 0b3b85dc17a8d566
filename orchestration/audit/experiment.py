"""The runs an audit needs: worlds with equal and different secrets, random ones, wide ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from orchestration.audit.leaks.plant import Leak
from orchestration.audit.stage import PEOPLE, Secrets, Stage
from orchestration.evaluation import ANSWERS
from protocol.errors import ScenarioError
from protocol.parties import CLIENT
from protocol.views import Trial
from scenarios.specs import DataSpec, FeatureSpec, MappingSpec, NetworkSpec, Scenario

__all__ = ["Pair", "Runs", "Sizes", "play_all"]

Differs = frozenset[Literal["rows", "probes", "answers"]]

THRESHOLD: Final = 0.5
TRIES: Final = 200


class Sizes(NamedTuple):
    """How many runs of which size an audit plays.

    Attributes:
        runs: runs of each world.
        held_out: runs with random secrets beyond what the unknowns of a coalition's view need.
        wide_elements: elements of masked probes over all wide runs, for tests of every value.
    """

    runs: int = 32
    held_out: int = 48
    wide_elements: int = 2_300_000


class Pair(NamedTuple):
    """Two worlds: name, runs of both, and what differs between them."""

    name: str
    one: Sequence[Trial]
    two: Sequence[Trial]
    differ: Differs


class Runs(NamedTuple):
    """All runs of an audit."""

    worlds: Sequence[Pair]
    random: Sequence[Trial]
    wide: Sequence[Trial]


def play_all(
    scenario: Scenario, sizes: Sizes, seed: int, leak: Leak | None = None, protocol: str = ""
) -> Runs:
    """Play a scenario's search protocol, at small sizes and with templates.

    Args:
        scenario: gives protocol, ring, radix, output and trust.
        sizes: how many runs.
        seed: chooses all secrets.
        leak: planted in all runs.
        protocol: a registered protocol to play in place of the scenario's.
    """
    small = Stage(_sized(scenario, entries=4, probes=4, batch=2, dimension=16), leak, protocol)
    worlds = _worlds(small, sizes.runs, seed)
    if any(trial.failure for pair in worlds for trial in pair.one):
        return Runs(worlds, (), ())
    tiny = Stage(_sized(scenario, entries=2, probes=2, batch=2, dimension=8), leak, protocol)
    return Runs(worlds, _random(tiny, sizes, seed), _wide(scenario, sizes, seed, leak, protocol))


def _worlds(stage: Stage, runs: int, seed: int) -> list[Pair]:
    """Play four worlds: a base, other rows, other probes, and other people with equal answers."""
    rows = stage.plan.rows
    base = Secrets(seed, tuple(range(rows)), tuple(range(stage.plan.probes)))
    strangers = tuple(range(rows, rows + stage.plan.probes))
    first = stage.play(base)
    if first.failure:
        return [Pair("other rows", [first], [first], frozenset())]
    twins = _found(stage, first, seed, equal=True)
    unlike = {
        "other rows": base._replace(enrolled=tuple(range(rows + 100, 2 * rows + 100))),
        "other probes": base._replace(probed=strangers),
        "same answers": twins,
    }
    differs: dict[str, Differs] = {
        "other rows": frozenset({"rows", "answers"}),
        "other probes": frozenset({"probes", "answers"}),
        "same answers": frozenset({"rows", "probes"}),
    }
    one = [first, *(stage.play(base) for _ in range(runs - 1))]
    return [
        Pair(name, one, [stage.play(secrets) for _ in range(runs)], differs[name])
        for name, secrets in unlike.items()
    ]


def _found(stage: Stage, like: Trial, seed: int, *, equal: bool) -> Secrets:
    """Return other people for whom the answers are the same."""
    rows, probes = stage.plan.rows, stage.plan.probes
    for attempt in range(1, TRIES):
        start = 2 * rows * attempt
        people = tuple(range(start, start + rows))
        secrets = Secrets(seed + attempt, people, tuple(start + i for i in range(probes)))
        trial = stage.play(secrets)
        same = _answers(trial) == _answers(like)
        if same == equal:
            return secrets
    text = "no other people with the same answers were found"
    raise ScenarioError(text, where="search.threshold", hint="audit with another threshold")


def _answers(trial: Trial) -> dict[str, list[object]]:
    """Return what the client learned."""
    outputs = trial.views[CLIENT].outputs
    return {name: outputs[name].tolist() for name in ANSWERS if name in outputs}


def _random(stage: Stage, sizes: Sizes, seed: int) -> list[Trial]:
    """Play random secrets, more often than there are ring elements in all views together."""
    if not sizes.held_out:
        return []
    people = _people(stage, seed)
    first = stage.play(next(people))
    more = _ring_elements(first) + sizes.held_out
    return [first, *(stage.play(next(people)) for _ in range(more))]


def _ring_elements(trial: Trial) -> int:
    """Count distinct ring elements of all views, which bounds what any coalition sees."""
    dtype = trial.secrets["rows"].dtype
    arrays: dict[bytes, int] = {}
    for view in trial.views.values():
        seen = [array for message in view.messages for array in message.arrays.values()]
        for array in (*seen, *(expansion.array for expansion in view.expansions)):
            if array.dtype == dtype:
                arrays[array.tobytes()] = array.size
    return sum(arrays.values())


def _people(stage: Stage, seed: int) -> Iterator[Secrets]:
    """Yield fresh people for every run; each probe is of an enrolled person or a stranger."""
    chooser = np.random.default_rng([seed, 1])
    for number in count():
        people = chooser.permutation(PEOPLE)[: stage.plan.rows + stage.plan.probes]
        probed = chooser.choice(people, stage.plan.probes)
        enrolled = tuple(int(person) for person in people[: stage.plan.rows])
        yield Secrets(seed * 100_003 + number, enrolled, tuple(int(p) for p in probed))


def _wide(
    scenario: Scenario, sizes: Sizes, seed: int, leak: Leak | None, protocol: str
) -> list[Trial]:
    """Play searches with long rows, until enough probe elements were masked."""
    if not sizes.wide_elements:
        return []
    stage = Stage(_sized(scenario, entries=4, probes=64, batch=64, dimension=4096), leak, protocol)
    per_run = stage.plan.probes * stage.plan.dimension
    secrets = Secrets(seed, tuple(range(4)), tuple(range(64)))
    return [stage.play(secrets) for _ in range(-(-sizes.wide_elements // per_run))]


def _sized(
    scenario: Scenario, *, entries: int, probes: int, batch: int, dimension: int
) -> Scenario:
    data = DataSpec(
        kind="templates", entries=entries, mated=min(entries, probes),
        unmated=max(0, probes - entries), batch=batch, enrol_batch=entries, dimension=dimension,
    )  # fmt: skip
    search = msgspec.structs.replace(scenario.search, threshold=THRESHOLD)
    insecure = tuple(name for name in scenario.insecure if name == "trusted_dealer")
    return msgspec.structs.replace(
        scenario,
        data=data,
        search=search,
        insecure=insecure,
        network=NetworkSpec(kind="identity"),
        features=FeatureSpec(),
        mapping=MappingSpec(),
        runtime="memory",
        budget=None,
        capture="none",
    )
