"""The main job: prepare a scenario, run its parties, write the run directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

from orchestration.assembly import brief_with, build_program
from orchestration.capture import VIEWS
from orchestration.evaluation import observe
from orchestration.journal import Event
from orchestration.ledger import QueryLedger
from orchestration.prepare import Preparation, journal_key, prepare
from orchestration.progress import OnProgress, Progress, with_totals
from orchestration.record import run_record
from orchestration.runs import RunDirectory
from orchestration.runtime.memory import run_in_memory
from orchestration.runtime.outcome import OnAbort, PartyOutcome
from orchestration.scratch import LEFT, scratch
from orchestration.stages import Stages
from orchestration.stopping import Stopped, meant
from protocol.errors import BautaError, InfrastructureError, LocalProtocolError, ScenarioError
from protocol.parties import Party
from scenarios.resources import check_runnable
from scenarios.schema import resolved_yaml
from scenarios.specs import Scenario

__all__ = ["run_job"]

PATIENCE_S: Final = 120.0
PATIENCE_PER_PICTURE_S: Final = 0.5

Outcomes = Mapping[Party, PartyOutcome]


def run_job(
    scenario: Scenario, *, data_root: Path | None, out_root: Path, on_progress: OnProgress
) -> Path:
    """Run a scenario from pictures to decisions and return its finished run directory.

    Raises:
        ScenarioError: the scenario cannot be run here; nothing was started or written.
        BautaError: the run was aborted; its directory holds `failed.json` and the journal so far.
    """
    check_runnable(scenario, data_root)
    _refuse_unaffordable(scenario, out_root)
    directory = RunDirectory.create(out_root, scenario.name)
    directory.reserve()
    directory.write_scenario(resolved_yaml(scenario))
    aborted: dict[Party, list[Event]] = {}
    try:
        with scratch(directory.path / LEFT if scenario.capture == "payloads" else None):
            return _run(scenario, data_root, out_root, directory, on_progress, aborted.update)
    except BautaError as error:
        directory.fail(error, chain.from_iterable(aborted.values()))
        raise
    except OSError as error:
        failure = _refused_by_system(error)
        directory.fail(failure, chain.from_iterable(aborted.values()))
        raise failure from error
    except Exception as error:
        bug = LocalProtocolError(f"unexpected {type(error).__name__}", hint="this is a bug")
        directory.fail(bug, chain.from_iterable(aborted.values()))
        raise
    except KeyboardInterrupt as wish:
        asked = meant(wish)
        text = f"stopped by {asked}" if isinstance(asked, Stopped) else "interrupted"
        directory.fail(InfrastructureError(text), chain.from_iterable(aborted.values()))
        raise


def _run(
    scenario: Scenario,
    data_root: Path | None,
    out_root: Path,
    directory: RunDirectory,
    on_progress: OnProgress,
    on_abort: OnAbort,
) -> Path:
    started, clock = datetime.now(UTC), Stages()
    views = directory.path / VIEWS if scenario.capture == "payloads" else None
    preparation = prepare(scenario, data_root, on_progress, views, clock)
    plan = preparation.plan
    preparation, spent = _counted(scenario, preparation, out_root)
    sessions = Counter(str(step.kind) for step in plan.steps)
    outcomes = _play(scenario, preparation, with_totals(on_progress, sessions), on_abort)
    clock.ended("parties")
    on_progress(Progress("check", 0, 1))
    arrays = observe(
        outcomes,
        preparation.plan,
        preparation.gallery,
        preparation.probes,
        preparation.baseline,
    )
    clock.ended("check")
    events = list(chain.from_iterable(outcome.events for outcome in outcomes.values()))
    record = run_record(
        scenario,
        preparation,
        outcomes,
        runtime=scenario.runtime,
        started=started,
        stages=clock,
        spent=spent,
    )
    directory.write_journal(events)
    directory.write_observations(arrays)
    directory.write_record(record)
    return directory.finish()


def _refused_by_system(error: OSError) -> InfrastructureError:
    """Return what a full disk or a file that may not be read means for a run."""
    text = f"the run was stopped by the system: {error.strerror or type(error).__name__}"
    hint = "is there space left, and may the files be read and written?"
    return InfrastructureError(text, where=str(error.filename or ""), hint=hint)


def _refuse_unaffordable(scenario: Scenario, out_root: Path) -> None:
    """Refuse a scenario that asks about more probes than its budget has left.

    Raises:
        ScenarioError: it does.
        DataError: the ledger cannot be read.
    """
    if scenario.budget is None:
        return
    left, asked = scenario.budget, scenario.data.mated + scenario.data.unmated
    where = ""
    if scenario.ledger is not None:
        left = QueryLedger(out_root, scenario.ledger).left(scenario.budget)
        where = f" left in ledger {scenario.ledger}"
    if asked <= left:
        return
    text = f"the scenario asks about {asked:,} probes, the budget has {left:,}{where}"
    hint = "ask about fewer (data.mated, data.unmated), or raise budget"
    raise ScenarioError(text, where="budget", hint=hint)


def _counted(
    scenario: Scenario, preparation: Preparation, out_root: Path
) -> tuple[Preparation, int]:
    """Take this run's probes from its ledger, and tell every party what was spent before."""
    if scenario.ledger is None or scenario.budget is None:
        return preparation, 0
    plan = preparation.plan
    ledger = QueryLedger(out_root, scenario.ledger)
    spent = ledger.take(plan.run, scenario.name, plan.probes, scenario.budget)
    briefs = {party: brief_with(brief, spent=spent) for party, brief in preparation.briefs.items()}
    return preparation._replace(briefs=briefs), spent


def _play(
    scenario: Scenario, preparation: Preparation, on_progress: OnProgress, on_abort: OnAbort
) -> Outcomes:
    """Run the parties on the scenario's runtime."""
    insecure = frozenset(scenario.insecure)
    if scenario.runtime == "memory":
        programs = {party: build_program(brief) for party, brief in preparation.briefs.items()}
        return run_in_memory(
            programs,
            run=preparation.plan.run,
            insecure=insecure,
            protocol=preparation.plan.protocol,
            seed=scenario.seed,
            on_progress=on_progress,
            on_abort=on_abort,
            digest_key=journal_key(scenario),
        )
    from orchestration.runtime.ray import run_on_ray

    return run_on_ray(
        preparation.briefs,
        run=preparation.plan.run,
        insecure=insecure,
        protocol=preparation.plan.protocol,
        on_progress=on_progress,
        on_abort=on_abort,
        receive_timeout_s=_patience_s(scenario),
        digest_key=journal_key(scenario),
    )


def _patience_s(scenario: Scenario) -> float:
    """Return how long a party may wait for one message.

    The dealer waits for its first one until all are enrolled, however slow the network is here.
    """
    pictures = 0 if scenario.network.kind == "identity" else scenario.data.entries
    return PATIENCE_S + PATIENCE_PER_PICTURE_S * pictures
