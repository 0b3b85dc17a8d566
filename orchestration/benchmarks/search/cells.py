"""What is compared: contenders on galleries, the scenario and the plan behind each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec

from orchestration.benchmarks.search.workload import BLOCK_ROWS, Search
from protocol.errors import ScenarioError
from protocol.plan import RunPlan, Step, steps
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from scenarios.specs import DEFAULT_SCALES, Scenario

__all__ = [
    "PEERS",
    "RINGS",
    "Cell",
    "Gallery",
    "Options",
    "Peer",
    "Runtime",
    "is_crypten",
    "plan_of",
    "protocol_cells",
    "refuse_unknown",
    "rounds_of",
    "scenario_of",
    "skip_reason",
]

Runtime: TypeAlias = Literal["memory", "ray", "plain"]
Peer: TypeAlias = Literal["faiss", "crypten", "plaintext"]
PEERS: Final[tuple[Peer, ...]] = ("faiss", "crypten", "plaintext")
RINGS: Final = tuple(DEFAULT_SCALES)

CRYPTEN_MOST_ENTRIES: Final = 100_000
SLOW_PAIRS: Final = 20_000
SLOW_REPEATS: Final = 2


class Options(NamedTuple):
    """What a benchmark is asked for.

    Attributes:
        entries: sizes of galleries.
        dimensions: lengths of templates.
        rings: rings of the protocols' scores.
        batches: probes per search.
        protocols: registered protocols.
        peers: what they are compared with.
        runtimes: where the protocols' parties live.
        threads: threads each contender may compute with.
        repeats: timed searches of each cell and batch size.
        warmups: searches before them.
        seed: fixes templates and probes; masks are always random.
    """

    entries: tuple[int, ...]
    dimensions: tuple[int, ...]
    rings: tuple[int, ...]
    batches: tuple[int, ...]
    protocols: tuple[str, ...]
    peers: tuple[Peer, ...]
    runtimes: tuple[Runtime, ...]
    threads: int
    repeats: int
    warmups: int
    seed: int

    @property
    def galleries(self) -> tuple[Gallery, ...]:
        """Every gallery that is searched, small ones first."""
        return tuple(
            Gallery(entries, dimension, ring)
            for entries in sorted(self.entries)
            for dimension in sorted(self.dimensions)
            for ring in sorted(self.rings)
        )


class Gallery(NamedTuple):
    """How many rows of which length in which ring."""

    entries: int
    dimension: int
    ring: int

    @property
    def elements(self) -> int:
        """Numbers in the gallery."""
        return self.entries * self.dimension


class Cell(NamedTuple):
    """A contender on a gallery; it answers searches of every batch size."""

    name: str
    runtime: Runtime
    gallery: Gallery


def refuse_unknown(options: Options) -> None:
    """Refuse protocols and rings that do not exist.

    Raises:
        ScenarioError: names what there is.
    """
    for name in options.protocols:
        if name not in protocol_names():
            hint = f"known: {', '.join(protocol_names())}"
            raise ScenarioError(f"there is no protocol {name}", where="--protocol", hint=hint)
    for ring in options.rings:
        if ring not in RINGS:
            hint = f"known: {', '.join(map(str, RINGS))}"
            raise ScenarioError(f"there is no ring of {ring} bits", where="--ring", hint=hint)


def protocol_cells(options: Options, gallery: Gallery) -> list[Cell]:
    """Return the protocol cells of one gallery."""
    return [
        Cell(name, runtime, gallery) for runtime in options.runtimes for name in options.protocols
    ]


def is_crypten(name: str) -> bool:
    """Return whether a contender is CrypTen, by itself or as one of our protocols."""
    return name.startswith("crypten")


def skip_reason(name: str, gallery: Gallery) -> str:
    """Return why a contender is left out on a gallery; empty where it is not."""
    if is_crypten(name) and gallery.entries > CRYPTEN_MOST_ENTRIES:
        return f"CrypTen is measured up to {CRYPTEN_MOST_ENTRIES:,} entries: time and memory"
    return ""


def rounds_of(options: Options, name: str, gallery: Gallery, batch: int) -> int:
    """Return how many searches of a batch size a contender answers, warm-ups included.

    CrypTen's large searches take seconds each, so they are repeated less often.
    """
    if is_crypten(name) and gallery.entries * batch >= SLOW_PAIRS:
        return min(1, options.warmups) + min(SLOW_REPEATS, options.repeats)
    return options.warmups + options.repeats


def scenario_of(cell: Cell, options: Options) -> Scenario:
    """Return the scenario a protocol cell plays: templates, no network, matches as a bitmap."""
    gallery = cell.gallery
    fields = {
        "name": "bench-search",
        "seed": options.seed,
        "data": {
            "kind": "templates",
            "entries": gallery.entries,
            "dimension": gallery.dimension,
            "mated": max(options.batches),
            "unmated": 0,
            "batch": max(options.batches),
        },
        "network": {"kind": "identity"},
        "search": {"protocol": cell.name, "ring_bits": gallery.ring, "threshold": 0.5},
        "insecure": policy_named(cell.name).shortcuts,
    }
    return msgspec.convert(fields, Scenario)


def plan_of(scenario: Scenario, threshold: int, turns: Sequence[Search]) -> RunPlan:
    """Return the plan: enrol everyone, then one session per turn, each with material of its own."""
    search = scenario.search
    return RunPlan(
        run=uuid4().hex[:16],
        protocol=search.protocol,
        ring_bits=search.ring_bits,
        dimension=scenario.dimension,
        threshold=threshold,
        radix=search.radix,
        steps=(
            *steps("enrol", scenario.data.entries, BLOCK_ROWS),
            *(Step(turn.session, turn.batch) for turn in turns),
        ),
        open_scores=False,
        scale=search.ring_scale,
    )
