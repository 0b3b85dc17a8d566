"""The registry of checks, and the audit that runs them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from reports.audit.assumptions import assumptions
from reports.audit.canaries import canary_scan
from reports.audit.coalitions import Pool, alike_in_size, coalition
from reports.audit.derived import derived_answers
from reports.audit.discipline import declared_costs, flow_policy
from reports.audit.metadata import same_metadata
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.uniformity import reachable, uniformity
from reports.audit.verdicts import ALPHA, Experiment, Verdict, verdict
from reports.audit.worlds import indistinguishable

__all__ = ["CHECKS", "Check", "judge"]

DERIVED_FROM: Final = 16
Run: TypeAlias = Callable[[Experiment, Rules, float], Iterator[Verdict]]


class Check(NamedTuple):
    """A check of the audit: its name and what it asks; only a statistical one can be mistaken."""

    name: str
    question: str
    kind: Literal["exact", "statistical"]
    run: Run


def judge(
    experiment: Experiment,
    rules: Rules,
    *,
    alpha: float = ALPHA,
    until_caught: bool = False,
) -> Iterator[Verdict]:
    """Yield the verdicts of all checks; an honest protocol fails any with probability alpha.

    Args:
        experiment: the runs.
        rules: the policy.
        alpha: false-alarm probability of the whole audit, shared by the statistical checks.
        until_caught: leave the costlier checks out once one has failed.
    """
    yield assumptions(rules)
    share = alpha / sum(check.kind == "statistical" for check in CHECKS)
    ended = any(trial.failure for trial in experiment.trials())
    caught = False
    for check in CHECKS:
        if ended and check.name not in _AFTER_A_FAILURE:
            continue
        if caught and until_caught and check.name in _COSTLY:
            return
        for found in check.run(experiment, rules, share):
            caught |= found.failed
            yield found


def _flow_policy(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    yield flow_policy(experiment.trials(), rules)


def _costs(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del rules, alpha
    yield declared_costs(experiment.trials())


def _canaries(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    samples = [trial for pair in experiment.worlds for trial in (*pair.one[:1], *pair.two[:1])]
    yield canary_scan(samples or experiment.trials()[:1], rules)


def _single_use(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    yield single_use(experiment.trials(), rules)


def _metadata(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    for party in rules.parties:
        yield same_metadata(experiment.worlds, party)


def _uniformity(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    parties = rules.parties
    for party in parties:
        yield uniformity(experiment.trials(), party, rules, alpha / len(parties))


def _reachable(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    parties = rules.parties
    for party in parties if experiment.wide else ():
        yield reachable(experiment.wide, party, rules, alpha / len(parties))


def _worlds(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    parties = rules.parties
    for pair in experiment.worlds:
        for party in parties:
            share = alpha / len(parties) / len(experiment.worlds)
            yield indistinguishable(pair, party, rules, share)


def _coalitions(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    if not experiment.random:
        return
    if not alike_in_size(experiment.random):
        yield verdict("coalition algebra", "run", ["views differ in size from run to run"], "")
        return
    named, pool = rules.minimal_excluded(), Pool(experiment.random, rules)
    for members in rules.coalitions():
        yield coalition(pool, members, must_learn=frozenset(members) in named)


def _derived(experiment: Experiment, rules: Rules, alpha: float) -> Iterator[Verdict]:
    del alpha
    worlds = [trial for pair in experiment.worlds for trial in (pair.one[0], pair.two[0])]
    distinct = {id(trial): trial for trial in (*worlds, *experiment.random[:DERIVED_FROM])}
    samples = list(distinct.values())
    for trials in (samples, experiment.mapped):
        for members in rules.coalitions() if trials else ():
            yield derived_answers(trials, members, rules)


CHECKS: Final[tuple[Check, ...]] = (
    Check("flow policy", "is every message declared?", "exact", _flow_policy),
    Check("declared costs", "does every message cost what is declared?", "exact", _costs),
    Check("canaries", "does a recognisable secret turn up elsewhere?", "exact", _canaries),
    Check("single use", "is every mask, seed and masked payload used once?", "exact", _single_use),
    Check("metadata", "do sizes, order and logical times depend on secrets?", "exact", _metadata),
    Check("uniformity", "are shares, masked values and masks uniform?", "statistical", _uniformity),
    Check("reachable values", "does every ring value occur?", "statistical", _reachable),
    Check("two worlds", "does a view tell which secrets were used?", "statistical", _worlds),
    Check("coalition algebra", "does a coalition's view determine a secret?", "exact", _coalitions),
    Check("derived answers", "what follows from values in the clear?", "exact", _derived),
)
_AFTER_A_FAILURE: Final = frozenset({"flow policy", "canaries"})
_COSTLY: Final = frozenset({"reachable values", "two worlds", "coalition algebra"})
