"""Audits as the command line runs them: of a protocol, of planted leaks, of both many times."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import monotonic
from typing import Any, Final, NamedTuple

import msgspec

from orchestration.audit.experiment import Sizes, play_all
from orchestration.audit.leaks import LEAKS, Leak
from orchestration.environment import environment
from orchestration.machine import cores
from orchestration.progress import OnProgress, Progress
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from reports.audit import ALPHA, Experiment, Rules, Verdict, Worlds, judge
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

__all__ = ["NEEDS", "OUTPUTS", "QUICK", "SelfTest", "audit_protocol", "audited", "self_test"]

OUTPUTS: Final = ("bitmap", "any", "count", "identity")
QUICK: Final = Sizes(held_out=0, wide_elements=0)
# What a check needs more than the worlds of few runs.
NEEDS: Final = {
    "coalition algebra": Sizes(runs=4, wide_elements=0),
    "reachable values": Sizes(runs=4, held_out=0),
}


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the audit's own test.

    Attributes:
        passed: every leak was caught by its check and every honest protocol passed.
        seeds: honest audits of each protocol.
        alpha: bound of the probability that an honest audit fails by chance.
        false_alarms: honest audits that failed.
        wall_s: how long it took.
        processor_s: how long it kept processors busy, over all cores.
        leaks: per leak: name, protocol, what it does, the named check, whether it caught it, all
            checks that noticed.
        honest: per protocol and seed: output level, whether it passed, what failed.
        environment: machine and versions.
    """

    passed: bool
    seeds: int
    alpha: float
    false_alarms: int
    wall_s: float
    processor_s: float
    leaks: list[dict[str, Any]]
    honest: list[dict[str, Any]]
    environment: dict[str, Any]


class _Job(NamedTuple):
    """One audit of the self-test: of a leak by its place, or of an honest protocol under a seed."""

    leak: int | None
    protocol: str
    seed: int


def audit_protocol(
    scenario: Scenario, seed: int, leak: Leak | None = None, sizes: Sizes | None = None
) -> list[Verdict]:
    """Play a scenario's protocol at small sizes and judge what everybody saw.

    Raises:
        ScenarioError: the protocol cannot be run with these settings.
    """
    protocol = scenario.search.protocol
    runs = play_all(scenario, sizes or Sizes(), seed, leak)
    worlds = [Worlds(pair.name, pair.one, pair.two, pair.differ) for pair in runs.worlds]
    experiment = Experiment(worlds, runs.random, runs.wide, runs.mapped)
    rules = Rules(policy_named(protocol))
    return list(judge(experiment, rules))


def self_test(seeds: int, on_progress: OnProgress) -> SelfTest:
    """Audit every planted leak, and every honest protocol under many seeds."""
    jobs = [_Job(place, leak.protocol, 1) for place, leak in enumerate(LEAKS)]
    jobs += [_Job(None, name, seed) for name in audited() for seed in range(1, seeds + 1)]
    began, busy = monotonic(), _processor_s()
    found = _done(jobs, on_progress)
    leaks = [row for row in found if "leak" in row]
    honest = [row for row in found if "leak" not in row]
    alarms = sum(not row["passed"] for row in honest)
    return SelfTest(
        passed=all(row["caught"] for row in leaks) and not alarms,
        seeds=seeds,
        alpha=ALPHA,
        false_alarms=alarms,
        wall_s=round(monotonic() - began, 1),
        processor_s=round(_processor_s() - busy, 1),
        leaks=leaks,
        honest=honest,
        environment=environment(),
    )


def audited() -> tuple[str, ...]:
    """Return the protocols that must pass: all but those that leak by design."""
    leaking = {leak.protocol for leak in LEAKS if leak.by_design}
    return tuple(name for name in protocol_names() if name not in leaking)


def _done(jobs: Sequence[_Job], on_progress: OnProgress) -> list[dict[str, Any]]:
    """Do the longest jobs first, on all cores; return what they found in the order given."""
    order = sorted(range(len(jobs)), key=lambda place: _longest_first(jobs[place]))
    found: dict[int, dict[str, Any]] = {}
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        rows = pool.map(_work, [jobs[place] for place in order])
        for place, row in zip(order, rows, strict=True):
            found[place] = row
            on_progress(Progress("audit", len(found), len(jobs), note=jobs[place].protocol))
    return [found[place] for place in range(len(jobs))]


def _processor_s() -> float:
    """Return what this process and its ended children have used of all processors."""
    return sum(os.times()[:4])


def _longest_first(job: _Job) -> tuple[bool, bool, bool]:
    wide = policy_named(job.protocol).ring_bits is not None
    return not wide, job.leak is not None, _output(job) != "identity"


def _output(job: _Job) -> str:
    return OUTPUTS[(job.seed - 1) % len(OUTPUTS)]


def _work(job: _Job) -> dict[str, Any]:
    if job.leak is not None:
        return _caught(LEAKS[job.leak], job.seed)
    # Every value of a ring is waited for once per output level; that takes the longest runs.
    sizes = Sizes() if job.seed <= len(OUTPUTS) else Sizes(wide_elements=0)
    scenario = _template(job.protocol, 16, _output(job))
    verdicts = audit_protocol(scenario, job.seed, sizes=sizes)
    failed = [f"{v.check}, {v.subject}: {v.detail}" for v in verdicts if v.failed]
    return {
        "protocol": job.protocol, "seed": job.seed, "output": _output(job),
        "passed": not failed, "failed": failed,
    }  # fmt: skip


def _caught(leak: Leak, seed: int) -> dict[str, Any]:
    """Audit a leak on as many runs as its check needs."""
    scenario = _template(leak.protocol, leak.ring_bits, "bitmap")
    verdicts = audit_protocol(scenario, seed, leak, NEEDS.get(leak.check, QUICK))
    noticed = [v for v in verdicts if v.failed]
    return {
        "leak": leak.name, "protocol": leak.protocol, "what": leak.what, "check": leak.check,
        "caught": any(leak.noticed_by(v.check, v.subject) for v in noticed),
        "checks": sorted({v.check.partition(":")[0] for v in noticed}),
    }  # fmt: skip


def _template(protocol: str, ring_bits: int, output: str) -> Scenario:
    """Return a scenario that names a protocol, with every shortcut its policy asks for."""
    shortcuts = ", ".join(policy_named(protocol).shortcuts)
    return parse_scenario(
        f"""
        name: audit
        data: {{kind: templates}}
        network: {{kind: identity}}
        search: {{protocol: {protocol}, ring_bits: {ring_bits}, output: {output}, threshold: 0.5}}
        insecure: [{shortcuts}]
        """
    )
