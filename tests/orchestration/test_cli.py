from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from orchestration import doctor, job, training
from orchestration.cli import training as cli_training
from orchestration.cli import verdict
from orchestration.cli.main import main
from orchestration.cli.progress import PlainView, duration, progress_view
from orchestration.doctor import Check
from orchestration.progress import Progress
from protocol.errors import InfrastructureError, ScenarioError
from scenarios.schema import load_scenario
from scenarios.specs import Scenario


def bauta(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class FakeJob:
    """Stands for the main job: remembers what was asked and reports some progress."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.scenario: Scenario | None = None
        self.asked: dict[str, Any] = {}

    def __call__(self, scenario: Scenario, **asked: Any) -> Path:
        self.scenario, self.asked = scenario, asked
        asked["on_progress"](Progress("search", 1, 4))
        if self.error is not None:
            raise self.error
        return Path(asked["out_root"]) / "done"


@pytest.fixture
def fake_job(monkeypatch: pytest.MonkeyPatch) -> FakeJob:
    fake = FakeJob()
    monkeypatch.setattr(job, "run_job", fake)
    monkeypatch.setattr(verdict, "judge", lambda _: 0)
    return fake


def test_help_loads_neither_torch_nor_ray() -> None:
    code = (
        "import sys\n"
        "from orchestration.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'ray', 'numba', 'numpy', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("run", "scenarios", "show", "report", "train", "bench", "doctor"):
        assert command in done.stdout


def test_the_command_line_runs_as_a_module() -> None:
    asked = [sys.executable, "-m", "orchestration.cli.main", "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bauta ")


def test_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert bauta("--version").output == f"bauta {version('bauta')}\n"


def test_scenarios_lists_the_shipped_ones() -> None:
    result = bauta("scenarios")
    assert result.exit_code == 0
    assert "embedded" in result.output


def test_show_prints_the_resolved_scenario_with_overrides() -> None:
    result = bauta("show", "embedded", "--set", "data.entries=12")
    assert result.exit_code == 0
    assert "entries: 12" in result.output
    assert "ring_bits: 16" in result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("show", "embeded"), "did you mean 'embedded'"),
        (("show", "embedded", "--set", "data.entires=4"), "data.entires: unknown key"),
        (("run", "embedded", "--runtime", "moon"), "'moon' is not one of"),
        (("report", "/nowhere"), "does not exist"),
        (("train", "embedded"), "network.kind: a shipped network is not adapted"),
        (("train", "lfw", "--minutes", "0"), "0.0 is not in the range x>0"),
        (("dance",), "No such command"),
    ],
)
def test_requests_that_cannot_be_run_exit_2_with_a_hint(
    arguments: tuple[str, ...], text: str
) -> None:
    result = bauta(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("ablations", "--steps", "0"),
        ("ablations", "--noisy-steps", "0"),
        ("ablations", "--epsilon", "0"),
        ("frontier", "--epsilon", "-1"),
        ("frontier", "--faces", "1"),
        ("recovery", "--steps", "0"),
        ("inputs", "--training", "99"),
        ("mapping", "--enrolled", "0"),
        ("mapping", "--targets", "-1"),
        ("mixing", "--uploads", "0"),
        ("network", "--pixel-epsilon", "0"),
    ],
)
def test_numbers_that_no_evaluation_can_use_exit_2(command: str, option: str, value: str) -> None:
    result = bauta("evaluate", command, option, value)
    assert result.exit_code == 2
    assert option in result.stderr
    assert "is not in the range" in result.stderr


def test_run_passes_scenario_runtime_and_place_to_the_job(
    fake_job: FakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAUTA_DATA", str(tmp_path / "data"))
    result = bauta(
        "run", "embedded", "--runtime", "memory", "--out", str(tmp_path), "--set", "seed=9"
    )
    assert result.exit_code == 0, result.output
    assert fake_job.scenario is not None
    assert (fake_job.scenario.runtime, fake_job.scenario.seed) == ("memory", 9)
    assert fake_job.asked["out_root"] == tmp_path
    assert fake_job.asked["data_root"] == tmp_path / "data"
    assert "search 1/4" in result.stderr
    assert result.stdout == ""


def test_a_failed_run_is_one_message_and_exit_code_1(fake_job: FakeJob) -> None:
    fake_job.error = InfrastructureError("gone", where="dealer", hint="[try] again")
    result = bauta("run", "embedded")
    assert result.exit_code == 1
    assert "error: dealer: gone\nhint: [try] again\n" in result.stderr
    assert "Traceback" not in result.output


def test_debug_lets_the_error_through(fake_job: FakeJob) -> None:
    fake_job.error = ScenarioError("nonsense")
    result = bauta("--debug", "run", "embedded")
    assert result.exception is fake_job.error


def test_an_interrupt_exits_130(fake_job: FakeJob) -> None:
    fake_job.error = KeyboardInterrupt()  # type: ignore[assignment]
    result = bauta("run", "embedded")
    assert result.exit_code == 130
    assert "Traceback" not in result.output


@pytest.mark.parametrize("fresh", [True, False])
def test_train_hands_the_opened_training_on(
    fresh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    discarded: list[Path] = []

    def train(*_: object, **options: Any) -> Path:
        asked.update(options)
        return Path(options["out"])

    opened = SimpleNamespace(
        scenario=load_scenario("lfw"), dataset=None, teacher=None, config="config"
    )
    monkeypatch.setattr(cli_training, "open_training", lambda *_, **__: opened)
    monkeypatch.setattr(training, "train_student", train)
    monkeypatch.setattr(training, "discard_checkpoint", discarded.append)
    out = tmp_path / "student.npz"
    result = bauta("train", "--out", str(out), *(["--fresh"] if fresh else []))
    assert result.output == f"{out}\n"
    assert asked["out"] == out
    assert discarded == ([out] if fresh else [])


def test_doctor_exits_1_only_when_something_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Check("cores", "warn", "1", "buy one"), Check("ray", "ok", "fine", "not shown")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(found))
    result = bauta("doctor")
    assert result.exit_code == 0
    assert "warn cores" in result.output
    assert "buy one" in result.output
    assert "not shown" not in result.output
    found.append(Check("torch", "fail", "absent"))
    assert bauta("doctor").exit_code == 1


def test_plain_progress_prints_stages_and_then_every_ten_seconds() -> None:
    lines: list[str] = []
    times = iter([0.0, 1.0, 12.0, 13.0, 14.0])
    view = PlainView(lines.append, clock=lambda: next(times))
    view.show(Progress("enrol", 0, 4))
    view.show(Progress("enrol", 1, 4))
    view.show(Progress("enrol", 3, 4))
    view.show(Progress("search", 0, note="warming up"))
    view.show(Progress("adapt", 2, left_s=125.0))
    assert lines == [
        "enrol 0/4",
        "enrol 3/4, 4 s left",
        "search warming up",
        "adapt 2, 2 min 05 s left",
    ]


def test_live_progress_ends_with_every_stage_full() -> None:
    screen = Console(force_terminal=True, width=100, file=StringIO(), record=True)
    with progress_view(screen) as on_progress:
        on_progress(Progress("enrol", 1, 2))
        on_progress(Progress("search", 3, 5))
    last = screen.export_text().splitlines()[-2:]
    assert ["enrol" in last[0], "2/2" in last[0]] == [True, True]
    assert ["search" in last[1], "5/5" in last[1]] == [True, True]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s")]
)
def test_durations_are_rounded_once(seconds: float, text: str) -> None:
    assert duration(seconds) == text
