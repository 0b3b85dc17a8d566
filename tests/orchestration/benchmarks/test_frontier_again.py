"""A finished table is attacked anew; its networks are neither needed nor judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.benchmarks.frontier.again import attacked_again
from orchestration.benchmarks.inputs.judges import attack_faces
from orchestration.benchmarks.inputs.kept import KeptAttacks
from orchestration.benchmarks.inputs.measure import AttackPoint, Campaign, linear_attack
from orchestration.cli import training as cli_training
from orchestration.cli.main import main
from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.errors import DataError
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.schema import load_scenario

FACES = SyntheticFaces(3, training_people=10, test_people=6, pictures=2)
OLD = {
    "mechanism": "4x4 means",
    "correlation": 0.4,
    "same_picture": 0,
    "other_picture": 1,
    "other_picture_strict": 0,
    "faces": 100,
}


@pytest.fixture(scope="module")
def network() -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


def row(epsilon: float | None, *, learned: bool = False) -> dict[str, Any]:
    value = None if epsilon is None else epsilon / 784
    title = "4x4 means, learned" if learned else "4x4 means"
    return {
        "ladder": "means4",
        "title": title,
        "epsilon": epsilon,
        "element_epsilon": value,
        "learned": learned,
        "rates": {"pairs": 0.9, "tar": 0.5},
        "linked": 50,
        "attack": {**OLD, "epsilon": epsilon, "element_epsilon": value},
    }


def test_equal_shares_are_attacked_and_learned_ones_keep_a_lower_bound(
    network: RgbEmbedder,
) -> None:
    campaign = Campaign(
        attack_faces(FACES, {"ms1m": network, "casia": network}, 4), linear_attack(FACES, 10), 7
    )
    pictures = FACES.load([FACES.pictures_of(name)[0] for name in FACES.training_identities()])
    rows = [row(None), row(6e3), row(6e3), row(6e3, learned=True)]
    found = list(attacked_again(rows, "ms1m", pictures, KeptAttacks(None, campaign)))
    points = [msgspec.convert(each["attack"], AttackPoint) for each in found]
    assert [point.attack for point in points] == ["face", "face", "face", "smooth"]
    assert points[0].correlation > 0.95 > points[1].correlation
    assert points[1] == points[2]
    old = points[3].judged
    assert [(one.judge, one.other_picture, one.false_matches) for one in old] == [("ms1m", 1, None)]
    assert points[3].faces == 100
    assert [each["linked_faces"] for each in found] == [100] * 4
    assert [each["rates"] for each in found] == [each["rates"] for each in rows]
    once_more = list(attacked_again(found, "ms1m", pictures, KeptAttacks(None, campaign)))
    assert once_more == found
    unknown = {**row(None), "title": "magic"}
    with pytest.raises(DataError, match="no mechanism is called 'magic'"):
        list(attacked_again([unknown], "ms1m", pictures, KeptAttacks(None, campaign)))


def test_the_command_rewrites_a_file_and_its_figure(
    network: RgbEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = cli_training.Faces(load_scenario("accuracy-inputs"), FACES, network)
    monkeypatch.setattr(cli_training, "open_faces", lambda _: faces)
    monkeypatch.setattr(cli_training, "judges_of", lambda *_: {"ms1m": network})
    content = {
        "command": "evaluate frontier",
        "date": "2020-01-01",
        "network": "ms1m",
        "calibrating": 4,
        "points": [row(6e3), row(6e3, learned=True)],
    }
    path = tmp_path / "frontier.json"
    path.write_text(json.dumps(content))
    asked = ["evaluate", "again", str(path), "--faces", "4", "--work", str(tmp_path / "work")]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    written = json.loads(path.read_bytes())
    assert written["date"] == "2020-01-01"  # of the networks; the attack has its own
    assert written["attacked_again"]["faces"] == 4
    assert written["points"][0]["attack"]["judged"][0]["comparisons"] == 4 * 5
    assert "hollow: at least" in path.with_suffix(".svg").read_text()
    again = CliRunner().invoke(main, asked)
    assert again.exit_code == 0, again.output
    assert np.all(json.loads(path.read_bytes())["points"] == written["points"])


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"command": "evaluate inputs"}', '{"command": "evaluate frontier"}', "{"]
)
def test_other_files_are_refused_before_anything_is_attacked(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    found = CliRunner().invoke(main, ["evaluate", "again", str(path)])
    assert found.exit_code == 2
    assert "no result of evaluate frontier or ablations" in found.stderr
    assert "Traceback" not in found.output
