"""The scenario as typed values: one struct per section of the YAML file.

Field types and single-field limits live here; rules that tie several fields together live
in `scenarios.checks`. Defaults are the semi-honest dealer search over synthetic faces.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.features import FeatureSpec
from protocol.mapping.spec import MappingSpec

__all__ = [
    "DataSpec",
    "FeatureSpec",
    "LifeSpec",
    "MappingSpec",
    "NetworkSpec",
    "Scenario",
    "SearchSpec",
]

Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Fraction = Annotated[float, Meta(gt=0, lt=1)]
Cosine = Annotated[float, Meta(gt=-1, lt=1)]
Insecure = Literal[
    "crypten_first_party", "open_scores", "test_randomness", "trusted_dealer", "weak_generators"
]

SHIPPED_DIMENSION = 128
DEFAULT_SCALES = {16: 127, 32: 16384}


class DataSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which faces, and how many of them.

    Attributes:
        kind: synthetic (generated), lfw (needs BAUTA_DATA), folder (a folder or zip of
            `identity/picture`), templates (random unit vectors, no pictures).
        path: folder or zip file; only with kind folder.
        reverse: fit on LFW's DevTest people and test on its DevTrain people; only with kind lfw.
        people: test draws from people the adaptation never saw; all draws from everyone
            and is labelled so.
        entries: enrolled identities, one picture each.
        mated: probes of enrolled people, other pictures than the enrolled ones.
        unmated: probes of people who are not enrolled.
        per_person: most mated probes one person contributes; null for no limit.
        dimension: length of a template; only with kind templates.
        noise: angle-like spread of a mated template probe around its row; only templates.
        batch: probes per search batch.
        enrol_batch: pictures per enrolment batch.
    """

    kind: Literal["synthetic", "lfw", "folder", "templates"] = "synthetic"
    path: str | None = None
    reverse: bool = False
    people: Literal["test", "all"] = "test"
    entries: Positive = 300
    mated: Natural = 200
    unmated: Natural = 200
    per_person: Positive | None = None
    dimension: Annotated[int, Meta(ge=8, le=4096)] = 512
    noise: Annotated[float, Meta(ge=0, le=10)] = 0.5
    batch: Annotated[int, Meta(ge=1, le=4096)] = 32
    enrol_batch: Annotated[int, Meta(ge=1, le=4096)] = 64


class LifeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the gallery changes between searches; which rows change is drawn from the seed.

    Attributes:
        every: the gallery changes after this many searches; 0 for never.
        update: rows enrolled again, from another picture of their person where there is one.
        delete: rows removed.
        enrol: people added, who were not enrolled before.
        refresh: rows whose shares are randomised anew.
    """

    every: Natural = 0
    update: Natural = 0
    delete: Natural = 0
    enrol: Natural = 0
    refresh: Natural = 0


class NetworkSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The provider's network.

    Attributes:
        kind: shipped (ours, trained on synthetic faces), student (adapted from a third-party
            network on real faces), identity (templates pass through).
        teacher: which RGB network a student is adapted from and compared with.
        weights: student file to use instead of the one looked up or adapted.
        adapt_minutes: time budget of an adaptation on first use.
    """

    kind: Literal["shipped", "student", "identity"] = "shipped"
    teacher: Literal["ms1m", "casia"] = "ms1m"
    weights: str | None = None
    adapt_minutes: Annotated[float, Meta(gt=0, le=1440)] = 14


class SearchSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The secure search and its decision.

    Attributes:
        protocol: dealer is the fixed-gallery two-server protocol with a trusted dealer; replicated
            needs no dealer but a third server, and that at most one of the three is corrupt;
            crypten and crypten_ttp are CrypTen 0.4.1 as a baseline, with its own two providers.
        task: identify searches the whole gallery; verify compares with the claimed row only.
        ring_bits: ring Z_2^k of the shares.
        scale: norm of a quantised template; null for 127 (k = 16) or 16384 (k = 32).
        threshold: cosine at or above which two faces match; null calibrates it to `fpir`.
        fpir: false positive identification rate the threshold is calibrated to; in a
            verification the false acceptance rate of a single comparison.
        output: what the client learns of a probe; any is whether some row matches, count how
            many do, identity the best matching rows, bitmap one bit per enrolled row.
        top_k: most rows that output identity names.
        radix: bits per digit of the comparison; 2 costs least (docs/decisions/0010).
        check_inputs: prove inside the computation that rows and probes are no longer than scale.
        pool: searches whose material may be made ahead of time; null for what memory allows.
        low_water: make more when fewer are left; null for half the pool.
    """

    protocol: Literal["dealer", "replicated", "crypten", "crypten_ttp"] = "dealer"
    task: Literal["identify", "verify"] = "identify"
    ring_bits: Literal[16, 32] = 16
    scale: Positive | None = None
    threshold: Cosine | None = None
    fpir: Fraction = 0.01
    output: Literal["any", "count", "identity", "bitmap"] = "bitmap"
    top_k: Annotated[int, Meta(ge=1, le=64)] = 1
    radix: Literal[1, 2, 3, 4] = 2
    check_inputs: bool = False
    pool: Positive | None = None
    low_water: Positive | None = None

    @property
    def ring_scale(self) -> int:
        """Norm of a quantised template, with the default of the ring filled in."""
        return DEFAULT_SCALES[self.ring_bits] if self.scale is None else self.scale


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One runnable experiment: faces, gallery life, features, network, mapping, search, trust.

    Attributes:
        name: run directory name.
        description: what the run shows, for a reader of the report; empty once a field is
            overridden, because it may then be wrong.
        seed: fixes splits, synthetic faces and (with test_randomness) the masks.
        runtime: ray runs one actor per party, memory runs all in this process.
        insecure: shortcuts this scenario takes, each named in the report.
        report: write the HTML report after the run.
        budget: most probes the client may ask about; null for no limit. Held by the client and by
            every server, each for itself.
        ledger: counts the budget over all runs of the same runs folder that name it, so name it
            after the gallery; null counts each run for itself.
        enrolment_budget: most pictures whose embedding the provider returns, in enrolments and
            updates of one run; null for no limit. Held by the client and by every server.
        capture: payloads keeps every party's view (messages, randomness, inputs, outputs) in
            the run directory, for `bauta views` and `bauta audit`; none keeps digests only.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    description: str = ""
    seed: Annotated[int, Meta(ge=0, lt=2**62)] = 7
    runtime: Literal["ray", "memory"] = "ray"
    data: DataSpec = msgspec.field(default_factory=DataSpec)
    life: LifeSpec = msgspec.field(default_factory=LifeSpec)
    features: FeatureSpec = msgspec.field(default_factory=FeatureSpec)
    network: NetworkSpec = msgspec.field(default_factory=NetworkSpec)
    mapping: MappingSpec = msgspec.field(default_factory=MappingSpec)
    search: SearchSpec = msgspec.field(default_factory=SearchSpec)
    insecure: tuple[Insecure, ...] = ()
    report: bool = True
    budget: Positive | None = None
    ledger: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    enrolment_budget: Positive | None = None
    capture: Literal["none", "payloads"] = "none"

    @property
    def dimension(self) -> int:
        """Length of an embedding before any mapping."""
        return self.data.dimension if self.data.kind == "templates" else SHIPPED_DIMENSION

    @property
    def searches(self) -> int:
        """Search sessions: batches of probes."""
        return -(-(self.data.mated + self.data.unmated) // self.data.batch)

    @property
    def changes(self) -> int:
        """How many times the gallery changes: between searches, not after the last one."""
        return (self.searches - 1) // self.life.every if self.life.every else 0

    @property
    def enrolments(self) -> int:
        """Pictures that are enrolled, replacements of rows included."""
        return self.data.entries + self.changes * (self.life.enrol + self.life.update)

    @property
    def newcomers(self) -> int:
        """People who are enrolled while the gallery is searched."""
        return self.changes * self.life.enrol

    @property
    def row_length(self) -> int:
        """Ring elements per gallery row, mapped or not."""
        return self.mapping.row_length(self.dimension)
