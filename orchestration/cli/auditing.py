"""Audits as the command line runs them: of a protocol, of planted leaks, of both many times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, NamedTuple

import msgspec

from orchestration.audit.experiment import Sizes, play_all
from orchestration.audit.leaks import LEAKS, Leak
from orchestration.machine import cores
from protocol.errors import ScenarioError
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from reports.audit import Experiment, Rules, Verdict, Worlds, judge
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

__all__ = ["OUTPUTS", "SelfTest", "audit_protocol", "audited", "self_test"]

OUTPUTS: Final = ("bitmap", "any", "count", "identity")
WEAK: Final = "weak_generators"
QUICK: Final = Sizes(held_out=0, wide_elements=0)


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the audit's own test.

    Attributes:
        passed: every leak was caught by its check and every honest protocol passed.
        leaks: per leak: name, what it does, the named check, whether it caught it, all that did.
        honest: per protocol and seed: output level, whether it passed, what failed.
    """

    passed: bool
    leaks: list[dict[str, Any]]
    honest: list[dict[str, Any]]


class _Job(NamedTuple):
    """One audit of the self-test: of a leak, or of an honest protocol under a seed."""

    leak: str
    protocol: str
    seed: int


def audit_protocol(
    scenario: Scenario, seed: int, leak: Leak | None = None, sizes: Sizes | None = None
) -> list[Verdict]:
    """Play a scenario's protocol at small sizes and judge what everybody saw.

    Raises:
        ScenarioError: the protocol cannot be run with these settings, or is none to be audited.
    """
    protocol = scenario.search.protocol
    if protocol not in audited():
        message = f"protocol {protocol} rests on {WEAK}: it does not promise what an audit judges"
        raise ScenarioError(message, where="search.protocol", hint="use search.protocol: dealer")
    runs = play_all(scenario, sizes or Sizes(), seed, leak)
    worlds = [Worlds(pair.name, pair.one, pair.two, pair.differ) for pair in runs.worlds]
    experiment = Experiment(worlds, runs.random, runs.wide)
    rules = Rules(policy_named(protocol))
    return list(judge(experiment, rules))


def self_test(seeds: int) -> SelfTest:
    """Audit every planted leak, and every honest protocol under many seeds."""
    jobs = [_Job(leak.name, "dealer", 1) for leak in LEAKS]
    jobs += [_Job("", name, seed) for name in audited() for seed in range(1, seeds + 1)]
    found = list(_done(jobs))
    leaks = [row for row in found if "leak" in row]
    honest = [row for row in found if "leak" not in row]
    passed = all(row["caught"] for row in leaks) and all(row["passed"] for row in honest)
    return SelfTest(passed=passed, leaks=leaks, honest=honest)


def audited() -> tuple[str, ...]:
    """Return the protocols that promise uniform masks of single use."""
    return tuple(name for name in protocol_names() if WEAK not in policy_named(name).shortcuts)


def _done(jobs: Iterable[_Job]) -> Iterator[dict[str, Any]]:
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_work, jobs)


def _work(job: _Job) -> dict[str, Any]:
    leak = next((leak for leak in LEAKS if leak.name == job.leak), None)
    if leak is not None:
        return _caught(leak, job)
    output = OUTPUTS[(job.seed - 1) % len(OUTPUTS)]
    # Every value of a ring is waited for once per output level; that takes the longest runs.
    sizes = Sizes() if job.seed <= len(OUTPUTS) else Sizes(wide_elements=0)
    verdicts = audit_protocol(_template(job.protocol, 16, output), job.seed, sizes=sizes)
    failed = [f"{v.check}, {v.subject}: {v.detail}" for v in verdicts if not v.passed]
    return {
        "protocol": job.protocol, "seed": job.seed, "output": output,
        "passed": not failed, "failed": failed,
    }  # fmt: skip


def _caught(leak: Leak, job: _Job) -> dict[str, Any]:
    """Audit a leak on few runs, and on many if its check has not noticed it by then."""
    scenario = _template(job.protocol, leak.ring_bits, "bitmap")
    for sizes in (QUICK, Sizes()):
        verdicts = audit_protocol(scenario, job.seed, leak, sizes)
        noticed = sorted({v.check.partition(":")[0] for v in verdicts if not v.passed})
        if leak.check in noticed:
            break
    return {
        "leak": leak.name, "what": leak.what, "check": leak.check,
        "caught": leak.check in noticed, "checks": noticed,
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
