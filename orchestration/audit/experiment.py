"""The runs an audit needs: worlds with equal and different secrets, random ones, wide ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from orchestration.audit.leaks.plant import Leak
from orchestration.audit.stage import PEOPLE, Secrets, Stage
from protocol.errors import ScenarioError
from protocol.flows import Policy
from protocol.search.policies import policy_named
from protocol.views import Array, Seen, Trial
from scenarios.specs import DataSpec, FeatureSpec, MappingSpec, NetworkSpec, Scenario

__all__ = ["Pair", "Runs", "Sizes", "play_all"]

Differs = frozenset[Literal["rows", "probes", "answers"]]

THRESHOLD: Final = 0.5
TRIES: Final = 200
STRANGERS: Final = 2_000
MAPPED_DIMENSION: Final = 64


class Sizes(NamedTuple):
    """How many runs of which size an audit plays.

    Attributes:
        runs: runs of each world.
        held_out: runs with random secrets beyond what the unknowns of a coalition's view need.
        wide_elements: elements of masked probes over all wide runs, for tests of every value.
        mapped: runs under the scenario's identity-specific mapping, where it has one.
    """

    runs: int = 32
    held_out: int = 48
    wide_elements: int = 2_300_000
    mapped: int = 4


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
    mapped: Sequence[Trial] = ()


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
    return Runs(
        worlds,
        _random(tiny, sizes, seed),
        _wide(scenario, sizes, seed, leak, protocol),
        _mapped(scenario, sizes, seed, leak, protocol),
    )


def _worlds(stage: Stage, runs: int, seed: int) -> list[Pair]:
    """Play four worlds: a base, other rows, other probes, and other people with equal answers."""
    size = stage.plan.rows + stage.plan.probes
    clean = _clean(stage, seed)
    base, first = next(clean)
    if first.failure:
        return [Pair("other rows", [first], [first], frozenset())]
    twins, _ = next(clean)
    strangers = tuple(range(STRANGERS, STRANGERS + size))
    unlike = {
        "other rows": base._replace(enrolled=strangers[: stage.plan.rows]),
        "other probes": base._replace(probed=strangers[stage.plan.rows :]),
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


def _clean(stage: Stage, seed: int) -> Iterator[tuple[Secrets, Trial]]:
    """Yield groups of people of whom each probe matches its own row alone, and a run of each.

    So all of them give the client equal answers, at every output level. Four fifths of all groups
    of four people are so (measured over 600).

    Raises:
        ScenarioError: too few of the groups are so.
    """
    rows, probes = stage.plan.rows, stage.plan.probes
    for attempt in range(TRIES):
        people = tuple(range(attempt * rows, (attempt + 1) * rows))
        secrets = Secrets(seed, people, people[:probes])
        trial = stage.play(secrets)
        if trial.failure or np.array_equal(trial.secrets["decisions"], np.eye(probes, rows)):
            yield secrets, trial
    text = f"fewer than two of {TRIES} groups of people match themselves alone"
    raise ScenarioError(text, where="data", hint="the templates of the audit do not fit its size")


def _random(stage: Stage, sizes: Sizes, seed: int) -> list[Trial]:
    """Play random secrets, more often than there are ring elements in all views together."""
    if not sizes.held_out:
        return []
    people = _people(stage, seed)
    first = stage.play(next(people))
    more = _ring_elements(first, policy_named(stage.plan.protocol)) + sizes.held_out
    return [first, *(stage.play(next(people)) for _ in range(more))]


def _ring_elements(trial: Trial, policy: Policy) -> int:
    """Count distinct ring elements of all views, which bounds what any coalition sees."""
    dtype = trial.secrets["rows"].dtype
    arrays: dict[bytes, int] = {}
    for view in trial.views.values():
        seen = [array for message in view.messages for array in _added(message, policy)]
        for array in (*seen, *(expansion.array for expansion in view.expansions)):
            if array.dtype == dtype:
                arrays[array.tobytes()] = array.size
    return sum(arrays.values())


def _added(seen: Seen, policy: Policy) -> Iterator[Array]:
    flow = policy.find(seen.kind, seen.sender, seen.receiver, seen.phase)
    return (array for array in seen.arrays.values() if policy.adds(flow, array.itemsize))


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
    # The limbs of a 64-bit word are judged together.
    limbs = 4 if policy_named(stage.plan.protocol).ring_bits == 64 else 1
    per_run = stage.plan.probes * stage.plan.dimension * limbs
    secrets = Secrets(seed, tuple(range(4)), tuple(range(64)))
    return [stage.play(secrets) for _ in range(-(-sizes.wide_elements // per_run))]


def _mapped(
    scenario: Scenario, sizes: Sizes, seed: int, leak: Leak | None, protocol: str
) -> list[Trial]:
    """Play the scenario's identity-specific mapping, half of the probes being of strangers."""
    if scenario.mapping.kind == "none" or not sizes.mapped:
        return []
    small = _sized(scenario, entries=8, probes=16, batch=8, dimension=MAPPED_DIMENSION)
    stage = Stage(msgspec.structs.replace(small, mapping=scenario.mapping), leak, protocol)
    people = [tuple(range(start, start + 16)) for start in range(0, 16 * sizes.mapped, 16)]
    return [stage.play(Secrets(seed, some[:8], some)) for some in people]


def _sized(
    scenario: Scenario, *, entries: int, probes: int, batch: int, dimension: int
) -> Scenario:
    data = DataSpec(
        kind="templates", entries=entries, mated=min(entries, probes),
        unmated=max(0, probes - entries), batch=batch, enrol_batch=entries, dimension=dimension,
    )  # fmt: skip
    search = msgspec.structs.replace(scenario.search, threshold=THRESHOLD)
    shortcuts = policy_named(scenario.search.protocol).shortcuts
    insecure = tuple(name for name in scenario.insecure if name in shortcuts)
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
