"""Views: what is recorded is what was said, in every runtime, and nothing without being asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.errors import DataError
from protocol.views import Seen
from reports.records import read_events
from reports.views import MAPPED_BYTES, StoredArrays, open_views
from scenarios.schema import parse_scenario

SCENARIO = """
name: seen
runtime: memory
data: {kind: templates, dimension: 8, entries: 4, mated: 3, unmated: 1, batch: 2, enrol_batch: 3}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
"""


def ignore(_: Progress) -> None:
    pass


def play(folder: Path, *overrides: str) -> Path:
    scenario = parse_scenario(SCENARIO, overrides)
    return run_job(scenario, data_root=None, out_root=folder, on_progress=ignore)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(tmp_path_factory.mktemp("runs"), "capture=payloads")


def test_nothing_is_recorded_unless_asked_for(tmp_path: Path) -> None:
    path = play(tmp_path)
    assert not (path / "views").exists()
    with pytest.raises(DataError, match="recorded no views") as error:
        open_views(path)
    assert "capture=payloads" in error.value.hint


def test_messages_stand_in_the_order_of_the_journal(run_dir: Path) -> None:
    views = open_views(run_dir)
    for party in views.parties:
        seen = views.party(party).messages
        events = [event for event in read_events(run_dir) if event.party == party]
        assert [(m.event, m.kind, m.session) for m in seen] == [
            (e.event, e.kind, e.session) for e in events
        ]
        sizes = [sum(array.nbytes for array in m.arrays.values()) for m in seen]
        assert sizes == [event.payload_bytes for event in events]


def test_both_ends_saw_the_same_arrays(run_dir: Path) -> None:
    views = open_views(run_dir)

    def of(event: str) -> dict[tuple[object, ...], Seen]:
        found = [m for p in views.parties for m in views.party(p).messages if m.event == event]
        return {(m.sender, m.receiver, m.sequence): m for m in found}

    sent, received = of("sent"), of("received")
    assert sent.keys() == received.keys()
    for key, message in sent.items():
        for field, array in message.arrays.items():
            assert np.array_equal(array, received[key].arrays[field])


def test_a_view_holds_randomness_inputs_and_outputs(run_dir: Path) -> None:
    views = open_views(run_dir)
    client, dealer = views.party("client"), views.party("dealer")
    assert [array.shape for array in dealer.draws] == [(32,), (32,)]
    grants = [m.arrays["seed"] for m in dealer.messages if m.kind == "SeedGrant"]
    assert np.array_equal(np.stack(grants), np.stack(dealer.draws))
    assert [loaded.name for loaded in client.inputs] == ["gallery", "gallery", "probes", "probes"]
    assert client.outputs["match"].shape == (4, 4)
    provider = views.party("model_provider")
    own = {(e.seed, e.label) for e in provider.expansions if e.label != "gallery-rows"}
    known = {(e.seed, e.label) for e in dealer.expansions}
    zeros = {(e.seed, e.label) for e in views.party("gallery_holder").expansions} & own - known
    assert {label for _, label in zeros} == {"search-0000/answer", "search-0001/answer"}
    assert own - zeros < known


def test_dealer_and_provider_together_hold_the_gallery(run_dir: Path) -> None:
    views = open_views(run_dir)
    pooled = views.coalition(["dealer", "model_provider"])
    expansions = {(e.seed, e.label): e.array for view in pooled.members for e in view.expansions}
    (mask,) = (a for (_, label), a in expansions.items() if label == "enrol-0000/gallery-mask")
    rows = next(a for (_, label), a in expansions.items() if label == "gallery-rows")
    half = next(m.arrays["values"] for m in pooled.messages() if m.kind == "MaskedGallery")
    gallery = rows + half + mask
    assert np.array_equal(gallery.view(np.int16), views.party("client").outputs["rows"][:3])


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_actors_record_the_same_views(run_dir: Path, tmp_path: Path) -> None:
    views = open_views(play(tmp_path, "capture=payloads", "runtime=ray"))
    for party in views.parties:
        one, two = views.party(party), open_views(run_dir).party(party)
        assert [(m.kind, m.session, m.event) for m in one.messages] == [
            (m.kind, m.session, m.event) for m in two.messages
        ]
        assert [e.label for e in one.expansions] == [e.label for e in two.expansions]


def test_the_command_writes_a_pooled_view(run_dir: Path, tmp_path: Path) -> None:
    options = ["--coalition", "dealer,model_provider", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, ["views", str(run_dir), *options])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "dealer+model_provider"
    lines = (folder / "arrays.jsonl").read_text().splitlines()
    assert len(lines) == len(list(folder.glob("*.npy")))
    assert len((folder / "messages.jsonl").read_text().splitlines()) > 10


def test_an_unknown_party_and_a_name_out_of_the_folder_are_refused(
    run_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no view of 'nobody'"):
        open_views(run_dir).party("nobody")
    path = play(tmp_path, "capture=payloads")
    lines = path / "views" / "client" / "messages.jsonl"
    lines.write_text(lines.read_text().replace("messages/000000", "../../000000"))
    with pytest.raises(DataError, match="not a record of a view"):
        open_views(path).party("client")


def test_large_arrays_are_mapped_not_held(tmp_path: Path) -> None:
    large = np.arange(MAPPED_BYTES, dtype=np.uint16)
    np.save(tmp_path / "large.npy", large)
    np.save(tmp_path / "small.npy", large[:8])
    stored = StoredArrays(tmp_path.resolve(), {"a": "large.npy", "b": "small.npy"})
    assert {name: array.shape for name, array in stored.items()} == {"a": large.shape, "b": (8,)}
    assert np.array_equal(stored["a"], large)
    assert isinstance(stored["a"].base, np.memmap)
    assert not isinstance(stored["b"].base, np.memmap)
    assert type(stored["a"]) is np.ndarray


def test_a_large_file_that_is_no_array_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "large.npy").write_bytes(bytes(2 * MAPPED_BYTES))
    with pytest.raises(ValueError, match="allow_pickle"):
        StoredArrays(tmp_path.resolve(), {"a": "large.npy"})


@pytest.mark.parametrize(
    "text", ["dealer,model_provider", "dealer, model_provider", "dealer + model provider"]
)
def test_a_coalition_is_written_as_people_write_it(run_dir: Path, text: str) -> None:
    result = CliRunner().invoke(main, ["views", str(run_dir), "--coalition", text])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("dealer+model_provider: ")


@pytest.mark.parametrize("text", ["", " , "])
def test_a_coalition_of_nobody_is_a_usage_error(run_dir: Path, text: str) -> None:
    result = CliRunner().invoke(main, ["views", str(run_dir), "--coalition", text])
    assert result.exit_code == 2
    assert "names no party" in result.output
