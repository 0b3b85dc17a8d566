"""`bauta audit`: does anybody learn what the policy does not announce?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestration.cli.options import SEED

if TYPE_CHECKING:
    from orchestration.cli.auditing import SelfTest
    from reports.audit import AuditRecord, Verdict

__all__ = ["audit"]

NOT_JUDGED: Final = 3


@click.command(short_help="Test for leaks: a run, a scenario's protocol, or the audit itself.")
@click.argument("target", required=False)
@click.option("--self-test", "own", is_flag=True, help="Plant leaks; each must be caught.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Honest audits of each protocol in the self-test.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Chooses the secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def audit(
    context: click.Context,
    target: str | None,
    *,
    own: bool,
    seeds: int,
    seed: int,
    as_json: bool,
) -> None:
    """Judge what parties and coalitions see.

    Exit code 1 if somebody learns too much, 3 if nobody does as far as could be judged: a run
    without recorded views is judged by its policy, costs and protocol only.

    TARGET is a run directory or a scenario. Of a scenario, its search protocol is played many
    times at small sizes in this process. Of a run, its recorded views are judged too
    (--set capture=payloads); the verdicts are kept in its audit.json and shown in its report,
    which is built anew.
    """
    if own:
        result = _self_test(seeds)
        click.echo(_json(result) if as_json else _told(result))
        context.exit(0 if result.passed else 1)
    if target is None:
        raise click.UsageError("name a run directory or a scenario, or give --self-test")
    folder = Path(target)
    verdicts = _of_run(folder, seed) if folder.is_dir() else _of_scenario(target, seed)
    click.echo(_json(verdicts) if as_json else "\n".join([*map(_line, verdicts), _tally(verdicts)]))
    if folder.is_dir() and not as_json:
        _point_to_report(folder)
    context.exit(_exit_code(verdicts))


def _exit_code(verdicts: Sequence[Verdict]) -> int:
    if any(verdict.failed for verdict in verdicts):
        return 1
    return NOT_JUDGED if any(verdict.passed is None for verdict in verdicts) else 0


def _self_test(seeds: int) -> SelfTest:
    from orchestration.cli.auditing import self_test
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view

    with progress_view(errors()) as on_progress:
        return self_test(seeds, on_progress)


def _of_scenario(target: str, seed: int) -> list[Verdict]:
    from orchestration.cli.auditing import audit_protocol
    from scenarios.schema import load_scenario

    return audit_protocol(load_scenario(target), seed)


def _of_run(folder: Path, seed: int) -> list[Verdict]:
    """Judge a run and its protocol, keep the verdicts beside it and build its report anew.

    A run that was aborted has no report; it is judged by what it left.
    """
    from reports import build
    from reports.audit import judge_aborted, keep_audit
    from reports.records import was_aborted

    if was_aborted(folder):
        return list(judge_aborted(folder))
    record = _audited(folder, seed)
    keep_audit(folder, record)
    build(folder)
    return record.verdicts


def _audited(folder: Path, seed: int) -> AuditRecord:
    from orchestration.cli.auditing import audit_protocol
    from reports.audit import AuditRecord, judge_run
    from reports.records import read_record
    from scenarios.schema import load_scenario

    recorded = list(judge_run(folder))
    return AuditRecord(
        run=read_record(folder / "run.json").run,
        audited_utc=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seed=seed,
        recorded=recorded,
        played=audit_protocol(load_scenario(folder / "scenario.yaml"), seed),
    )


def _point_to_report(folder: Path) -> None:
    report = folder / "report.html"
    if report.exists():
        click.echo(f"report: {report}")


def _line(verdict: Verdict) -> str:
    from reports.audit import MARKS

    said = "" if verdict.state in {"good", "failed", "stated"} else f"{verdict.state}: "
    subject = verdict.subject.replace("_", " ")
    return f"{MARKS[verdict.state]} {verdict.check}, {subject}: {said}{verdict.detail}"


def _tally(verdicts: Sequence[Verdict]) -> str:
    """Return how many verdicts there are of each state, those that matter most first."""
    from reports.audit import ORDER

    states = Counter(verdict.state for verdict in verdicts)
    counts = ", ".join(f"{states[name]:,} {name}" for name in ORDER if states[name])
    return f"{len(verdicts):,} verdicts: {counts or 'nothing was judged'}"


def _told(result: SelfTest) -> str:
    lines = [
        f"{'✓' if row['caught'] else '✗'} {row['protocol']}, {row['leak']}: {row['what']} "
        f"[{row['check']}; noticed by {_listed(row['checks'])}]"
        for row in result.leaks
    ]
    for row in result.honest:
        mark = "✓" if row["passed"] else "✗"
        text = f"{mark} honest {row['protocol']}, output {row['output']}, seed {row['seed']}"
        lines.append(": ".join([text, *row["failed"]]))
    caught = sum(row["caught"] for row in result.leaks)
    honest = sum(row["passed"] for row in result.honest)
    lines.append(f"{caught} of {len(result.leaks)} leaks caught by the named check")
    lines.append(f"{honest} of {len(result.honest)} honest audits passed")
    spent = f"{result.wall_s:.0f} s, {result.processor_s:.0f} s of processor time"
    lines.append(
        f"false alarms: {result.false_alarms}, expected at most {_expected(result)}; {spent}"
    )
    return "\n".join(lines)


def _expected(result: SelfTest) -> str:
    return f"{result.alpha * len(result.honest):.0e}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _json(value: SelfTest | Sequence[Verdict]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
