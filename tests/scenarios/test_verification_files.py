from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from protocol.errors import DataError
from scenarios.datasets.pairs import draw_pairs, read_lfw_pairs, read_verification_bin
from scenarios.datasets.plain_pickle import read_plain_pickle
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.datasets.template_lists import read_template_list

PLAIN = st.recursive(
    st.binary(max_size=300) | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_come_back_in_every_binary_pickle_protocol(value: Any, version: int) -> None:
    assert read_plain_pickle(pickle.dumps(value, protocol=version), "file") == value


@pytest.mark.parametrize("version", [2, 3, 4])
def test_numpy_booleans_become_booleans(version: int) -> None:
    data = pickle.dumps([np.True_, np.False_, True], protocol=version)
    found = read_plain_pickle(data, "file")
    assert found == [True, False, True]
    assert {type(item) for item in found} == {bool}


def test_byte_strings_of_python_2_are_bytes() -> None:
    python_2 = b"\x80\x02]q\x00U\x03\xff\xd8\xffq\x01a."
    assert read_plain_pickle(python_2, "file") == [b"\xff\xd8\xff"]


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("version", [0, 2, 4])
def test_a_file_that_runs_code_is_refused_and_runs_none(tmp_path: Path, version: int) -> None:
    target, path = tmp_path / "owned", tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([Malicious(target)], [True]), protocol=version))
    with pytest.raises(DataError, match=r"refused|not a verification file"):
        read_verification_bin(path)
    assert not target.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle at all",
        pickle.dumps([b"x"] * 50)[:-20],
        pickle.dumps(np.zeros(3)),
        pickle.dumps({"a": 1}),
        pickle.dumps(bytearray(b"x")),
        b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.",
        b"\x80\x02h\x05.",
    ],
)
def test_anything_but_plain_values_is_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError):
        read_plain_pickle(data, "file")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_value_or_a_data_error(data: bytes) -> None:
    try:
        read_plain_pickle(b"\x80\x02" + data, "file")
    except DataError:
        return


def jpeg(shade: int, side: int = 112) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (shade, shade, shade)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_verification_file_gives_pictures_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    bins = [jpeg(shade) for shade in (10, 20, 30, 40)]
    path.write_bytes(pickle.dumps((bins, [True, np.False_]), protocol=2))
    pictures, same = read_verification_bin(path)
    assert pictures[:, 0, 0, 0].tolist() == [10, 20, 30, 40]
    assert same == [True, False]


@pytest.mark.parametrize(
    "value",
    [
        [b"x"],
        ([b"x"], [True]),
        ([b"x", b"y"], [2]),
        ([b"x", "y"], [True]),
        ([], []),
        (7, [True]),
        ([jpeg(1), jpeg(1, side=96)], [True]),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match=r"odd\.bin"):
        read_verification_bin(path)


def test_lfw_pair_lists_are_read_in_fold_order(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("2\t1\nA_B\t1\t4\nA_B\t2\tC\t13\nC\t1\t2\nC\t1\tA_B\t2\n")
    pairs = read_lfw_pairs(path, folds=2, name="View 2")
    assert pairs.first == ["A_B/A_B_0001.jpg", "A_B/A_B_0002.jpg", "C/C_0001.jpg", "C/C_0001.jpg"]
    assert pairs.second[:2] == ["A_B/A_B_0004.jpg", "C/C_0013.jpg"]
    assert pairs.same == [True, False, True, False]


def test_lists_without_folds_alternate_between_same_and_different(tmp_path: Path) -> None:
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("2\nA\t1\t2\nB\t1\t2\nA\t1\tB\t1\nA\t2\tB\t2\n")
    assert read_lfw_pairs(path, folds=2, name="dev").same == [True, False, True, False]


@pytest.mark.parametrize("line", ["A\t1", "A\tone\t2", "A\t1\tB\ttwo"])
def test_a_broken_pair_list_names_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"1\t1\nA\t1\t2\n{line}\n")
    with pytest.raises(DataError, match=r"pairs\.txt:3"):
        read_lfw_pairs(path, folds=2, name="View 2")


def test_drawn_pairs_share_no_person_between_folds() -> None:
    faces = SyntheticFaces(7, training_people=0, test_people=23, pictures=3)
    people = faces.test_identities()
    pairs = draw_pairs(faces, people, folds=5, seed=1)
    assert sum(pairs.same) == len(people) == len(pairs.same) - sum(pairs.same)
    owner = [{a.partition("/")[0], b.partition("/")[0]} for a, b in zip(*pairs[1:3], strict=True)]
    assert all((len(named) == 1) == same for named, same in zip(owner, pairs.same, strict=True))
    assert all(a != b for a, b in zip(pairs.first, pairs.second, strict=True))
    assert pairs == draw_pairs(faces, people, folds=5, seed=1)
    with pytest.raises(DataError, match="folds need"):
        draw_pairs(faces, people[:5], folds=5, seed=1)


def test_template_lists_number_their_templates(tmp_path: Path) -> None:
    members, pairs = tmp_path / "templates.csv", tmp_path / "pairs.csv"
    members.write_text("template_id,media_id,path\n7,a,x.jpg\n7,b,y.jpg\n9,a,z.jpg\n")
    pairs.write_text("template_a,template_b,same\n7,9,0\n9,9,1\n")
    found = read_template_list(members, pairs)
    assert found.names == ["7", "9"]
    assert (found.template, found.media) == ([0, 0, 1], ["a", "b", "a"])
    assert (found.first, found.second, found.same) == ([0, 1], [1, 1], [False, True])


@pytest.mark.parametrize(
    ("members", "pairs", "place"),
    [
        ("template,media,path\n1,a,x\n", "template_a,template_b,same\n1,1,1\n", "templates"),
        ("template_id,media_id,path\n1,a\n", "template_a,template_b,same\n1,1,1\n", "templates"),
        ("template_id,media_id,path\n", "template_a,template_b,same\n1,1,1\n", "templates"),
        ("template_id,media_id,path\n1,a,x\n", "template_a,template_b,same\n1,2,1\n", "pairs"),
        ("template_id,media_id,path\n1,a,x\n", "template_a,template_b,same\n1,1,yes\n", "pairs"),
    ],
)
def test_a_broken_template_list_is_named(
    tmp_path: Path, members: str, pairs: str, place: str
) -> None:
    (tmp_path / "templates.csv").write_text(members)
    (tmp_path / "pairs.csv").write_text(pairs)
    with pytest.raises(DataError, match=place):
        read_template_list(tmp_path / "templates.csv", tmp_path / "pairs.csv")


def test_one_picture_a_million_times_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "many.bin"
    path.write_bytes(pickle.dumps(([b"x"] * 400_000, [True] * 200_000)))
    with pytest.raises(DataError, match="400,000 pictures are too many"):
        read_verification_bin(path)
    with pytest.raises(DataError, match="no regular file"):
        read_verification_bin(Path("/dev/zero"))
