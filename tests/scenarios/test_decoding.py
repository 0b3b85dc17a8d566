"""Pictures as people have them arrive as a viewer shows them, or are named with what is wrong."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from protocol.errors import DataError
from scenarios.datasets import FolderFaces
from scenarios.datasets.decode import KINDS, blank, decode, kind_of

RAMP = np.repeat(np.arange(112, dtype=np.float64)[:, None] / 111, 112, axis=1)  # dark at the top
FACE = np.stack([RAMP, RAMP * 0.5, RAMP.T], axis=2)


def colour(face: np.ndarray = FACE) -> Image.Image:
    return Image.fromarray(np.round(face * 255).astype(np.uint8))


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(form: str) -> None:
    wide = Image.fromarray(np.round(RAMP * 65535).astype(np.uint16))
    found = decode(saved(wide, form), "x")
    assert np.abs(found.pixels[..., 1] - RAMP * 255).max() <= 1
    assert found.changes == {"grey", "16-bit"}


def test_sixteen_bits_of_colour_are_scaled_and_counted() -> None:
    levels = np.round(FACE * 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    found = decode(png(rows, bits=16, colour=2), "x")
    assert np.abs(found.pixels - FACE * 255).max() <= 1
    assert found.changes == {"16-bit"}


def png(rows: bytes, *, bits: int, colour: int) -> bytes:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 112, 112, bits, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_a_viewer_shows_upright_arrives_upright(form: str, orientation: int) -> None:
    turns = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = colour()
    for turn in turns[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if form == "WEBP" else {}
    quality = {"quality": 98, "subsampling": 0} if form == "JPEG" else {}
    found = decode(saved(stored, form, exif=exif, **lossless, **quality), "x")
    assert np.abs(found.pixels - FACE * 255).max() <= 6
    assert ("rotated" in found.changes) == (orientation > 1)


@pytest.mark.parametrize(
    ("mode", "form", "changes"),
    [
        ("RGB", "PNG", set()),
        ("RGB", "BMP", set()),
        ("RGB", "JPEG", set()),
        ("RGB", "WEBP", set()),
        ("RGB", "PPM", set()),
        ("L", "PNG", {"grey"}),
        ("L", "JPEG", {"grey"}),
        ("L", "PPM", {"grey"}),
        ("L", "TIFF", {"grey"}),
        ("LA", "PNG", {"grey", "alpha"}),
        ("RGBA", "PNG", {"alpha"}),
        ("RGBA", "TIFF", {"alpha"}),
        ("CMYK", "JPEG", {"CMYK"}),
        ("CMYK", "TIFF", {"CMYK"}),
        ("P", "PNG", {"palette"}),
        ("P", "GIF", {"palette"}),
    ],
)
def test_every_kind_becomes_rgb_and_is_counted(mode: str, form: str, changes: set[str]) -> None:
    found = decode(saved(colour().convert(mode), form), "x")
    assert found.changes == changes
    expected = colour().convert(mode).convert("RGB") if mode not in {"LA", "RGBA"} else None
    if expected is not None and form not in {"JPEG", "WEBP"}:
        assert (found.pixels == np.asarray(expected)).all()
    assert np.corrcoef(found.pixels[..., 0].ravel(), FACE[..., 0].ravel())[0, 1] > 0.7


def test_transparent_pixels_are_white_whatever_hides_below() -> None:
    front = colour().convert("RGBA")
    front.putalpha(Image.new("L", (112, 112), 0))
    front.paste((10, 20, 30, 255), (0, 0, 56, 112))
    found = decode(saved(front, "PNG"), "x").pixels
    assert (found[:, :56] == (10, 20, 30)).all()
    assert (found[:, 56:] == 255).all()


@pytest.mark.parametrize(("value", "says"), [(np.float32, "fractions"), (np.int32, "whole number")])
def test_values_without_a_known_white_are_refused(value: type, says: str) -> None:
    data = saved(Image.fromarray((RAMP * 900).astype(value)), "TIFF")
    with pytest.raises(DataError, match=says) as caught:
        decode(data, "people/1.tif")
    assert caught.value.where == "people/1.tif"


def test_of_several_frames_the_first_is_taken_and_counted() -> None:
    other = Image.new("L", (112, 112), 9)
    data = saved(colour().convert("L"), "GIF", save_all=True, append_images=[other])
    found = decode(data, "x")
    assert "first of several" in found.changes
    assert np.abs(found.pixels[..., 0] - np.asarray(colour().convert("L"))).max() <= 1


def test_blank_pictures_are_told_from_faces() -> None:
    plain = np.full((112, 112, 3), (200, 10, 10), np.uint8)
    assert blank(np.stack([plain, np.asarray(colour())])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a/b.JPG", ".jpg"), ("a.b/c", ""), ("x.tar.gz", ".gz"), (".hidden", ""), ("a/.x", "")],
)
def test_kinds_are_the_ends_of_names(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir(exist_ok=True)
    with zipfile.ZipFile(root / "faces.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return root / "faces.zip"


@pytest.mark.parametrize("pack", [folder, zipped])
def test_one_folder_around_everybody_is_looked_through(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    face = saved(colour(), "PNG")
    files = {f"export/p{n}/{k}.png": face for n in range(4) for k in range(2)}
    faces = FolderFaces(pack(tmp_path / "x", {**files, "export/README.txt": b"hello"}))
    assert faces.identities == ["p0", "p1", "p2", "p3"]
    assert faces.pictures_of("p1") == ["p1/0.png", "p1/1.png"]
    assert faces.load(["p1/0.png"]).shape == (1, 112, 112, 3)


@pytest.mark.parametrize("pack", [folder, zipped])
def test_every_kind_of_picture_is_found(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    files = {f"a/{index}{kind.upper()}": saved(colour(), form)
             for index, (kind, form) in enumerate(KINDS.items())}  # fmt: skip
    faces = FolderFaces(pack(tmp_path / "x", files))
    assert len(faces.pictures_of("a")) == len(KINDS)
    assert faces.load(faces.pictures_of("a")).shape[0] == len(KINDS)


@pytest.mark.parametrize("pack", [folder, zipped])
def test_what_lies_there_instead_of_pictures_is_said(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    with pytest.raises(DataError, match=r"2 files of kind \.xyz, 1 file with") as caught:
        FolderFaces(pack(tmp_path / "x", {"1.xyz": b"", "2.xyz": b"", "README": b""}))
    assert ".pgm" in caught.value.hint
    files = {f"p{n}/{k}.xyz": b"" for n in range(3) for k in range(5)}
    files["p9/1.png"] = saved(colour(), "PNG")
    with pytest.raises(DataError) as caught:
        FolderFaces(pack(tmp_path / "y", files))
    assert caught.value.message == (
        "identity with no pictures: 5 files of kind .xyz; so are 2 more of 4 identities, "
        "all together 15 files of kind .xyz"
    )
    assert caught.value.where.endswith("/p0")


def test_all_bad_pictures_are_counted_and_named(tmp_path: Path) -> None:
    good = saved(colour(), "PNG")
    files = {f"p{n}/{k}.png": good for n in range(6) for k in range(4)}
    files["p1/0.png"] = b"no picture"
    files["p2/1.png"] = saved(colour().resize((64, 64)), "PNG")
    files["p3/2.png"] = saved(Image.new("RGB", (112, 112), (5, 5, 5)), "PNG")
    faces = FolderFaces(folder(tmp_path, files))
    ids = [name for person in faces.identities for name in faces.pictures_of(person)]
    found = faces.inspect(ids)
    assert len(found.problems) == 3
    with pytest.raises(DataError) as caught:
        found.refuse()
    error = caught.value
    assert error.where.endswith("p1/0.png")
    assert "3 of 24 pictures cannot be used" in error.message
    assert "p2/1.png: expected 112x112 pixels, got 64x64" in error.message
    assert "p3/2.png: the picture shows nothing" in error.message


def test_conversions_are_told_in_one_sentence(tmp_path: Path) -> None:
    grey = saved(colour().convert("L"), "PNG")
    faces = FolderFaces(folder(tmp_path, {"a/1.png": grey, "a/2.png": grey, "a/notes.txt": b""}))
    (note,) = faces.inspect(faces.pictures_of("a")).notes()
    assert note == "of 2 pictures were converted to upright 8-bit RGB: 2 grey"
    assert list(faces.ignored()) == ["1 file of kind .txt beside the pictures were not read"]


@given(st.integers(0, 2**32), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "PPM", "BMP", "WEBP"]))
def test_damaged_pictures_are_data_errors(seed: int, form: str) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(saved(colour(), form))
    for place in rng.integers(0, min(len(data), 300), 4):
        data[place] = int(rng.integers(256))
    with contextlib.suppress(DataError):
        found = decode(bytes(data[: int(rng.integers(1, len(data) + 1))]), "x")
        assert found.pixels.shape == (112, 112, 3)


def test_only_regular_files_of_a_pictures_size_are_read(tmp_path: Path) -> None:
    folder(tmp_path, {"a/0.png": saved(colour(), "PNG")})
    (tmp_path / "a/1.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "a/2.png")
    with (tmp_path / "a/3.png").open("wb") as file:
        file.truncate(20 << 30)
    (tmp_path / "a/4.png").symlink_to(tmp_path / "gone")
    faces = FolderFaces(tmp_path)
    problems = faces.inspect(faces.pictures_of("a")).problems
    assert [error.message for error in problems] == [
        "picture is no regular file",
        "picture is no regular file",
        "picture of 21,474,836,480 bytes is too large, 4,194,304 are the most",
        "picture cannot be read",
    ]


def test_a_member_that_unpacks_to_gigabytes_is_never_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", b"\0" * (64 << 20))
    small = bytearray(path.read_bytes())
    with pytest.raises(DataError, match="67,108,864 bytes is too large"):
        FolderFaces(path).load(["a/1.png"])
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # the sizes may lie
        at = small.index(mark) + place
        small[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(bytes(small))
    with pytest.raises(DataError):
        FolderFaces(path).load(["a/1.png"])


@pytest.mark.parametrize("path", ["/dev/zero", "fifo"])
def test_what_never_ends_is_no_zip_file(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match="neither a folder nor"):
        FolderFaces(tmp_path / path)
