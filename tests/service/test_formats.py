"""The formats beside CSV, NPY and Parquet, and how damage in any of them is named."""

import gzip
import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.errors import InvalidInput, ServiceError, TooLarge
from service.ingest import images as image_archives
from service.ingest.archive import open_archive
from tests.points import npy
from tests.service.files import (
    arrow_file,
    arrow_stream,
    idx,
    image,
    npz,
    palette,
    parquet_file,
    zipped,
)
from tests.service.test_ingest import read

PIXELS = np.random.default_rng(0).integers(0, 255, (5, 4, 6)).astype(np.uint8)
COLOURS = np.random.default_rng(0).integers(0, 255, (3, 4, 6, 3)).astype(np.uint8)
WIDE = np.zeros((600, 600), np.uint8)  # as RGB of too many values
ROWS = np.arange(6.0).reshape(3, 2)
TABLE = {"a": [1, 3], "b": [2.0, 4.5]}


@pytest.mark.parametrize(
    ("content", "found"),
    [(arrow_stream(**TABLE), "arrow"), (arrow_file(**TABLE), "arrow")],
    ids=["stream", "file"],
)
def test_arrow(content: bytes, found: str, tmp_path: Path) -> None:
    points, array = read(content, tmp_path)
    np.testing.assert_array_equal(array, [[1, 2], [3, 4.5]])
    assert [(c.name, c.type) for c in points.columns] == [("a", "integer"), ("b", "number")]
    assert points.format == found


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (npz(only=ROWS), {}, ROWS),
        (npz(compressed=True, x=PIXELS, y=ROWS), {"array": "x"}, PIXELS),
        (npz(fortran=np.asfortranarray(ROWS)), {"columns": ["x1", "x0"]}, ROWS[:, ::-1]),
        (idx(PIXELS), {}, PIXELS),
        (gzip.compress(idx(PIXELS)), {}, PIXELS),
        (idx(ROWS.astype("f4")), {"columns": ["x1"]}, ROWS[:, 1:]),
        (idx(ROWS.astype("i2")), {}, ROWS),
    ],
)
def test_arrays(
    content: bytes, options: dict[str, Any], expected: NDArray[Any], tmp_path: Path
) -> None:
    points, array = read(content, tmp_path, **options)
    np.testing.assert_array_equal(array, expected)
    assert points.shape == expected.shape[1:]


def test_images_in_folders(tmp_path: Path) -> None:
    files = {f"{i % 2}/{i}.png": image(array) for i, array in enumerate(PIXELS)}
    files |= {"0/": b"", "__MACOSX/._0.png": b"x", "0/.DS_Store": b"x"}
    points, array = read(zipped(files), tmp_path)
    np.testing.assert_array_equal(array, PIXELS)
    assert (points.shape, points.dtype, points.format) == ((4, 6), "uint8", "zip")
    assert points.columns[0].mean == pytest.approx(PIXELS.mean())
    assert {path.name for path in tmp_path.iterdir()} == {"upload", "points.npy"}


def test_images_of_colour(tmp_path: Path) -> None:
    files = {f"{i}.png": image(array) for i, array in enumerate(COLOURS)}
    np.testing.assert_array_equal(read(zipped(files), tmp_path)[1], COLOURS.transpose(0, 3, 1, 2))
    files = {f"{i}.jpg": image(array, "JPEG") for i, array in enumerate(COLOURS)}
    assert read(zipped(files), tmp_path)[0].shape == (3, 4, 6)


def changed(content: bytes, at: int, to: bytes) -> bytes:
    return content[:at] + to + content[at + len(to) :]


def sixteen_bit() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


ONE = image(PIXELS[0])
STREAM, FILE = arrow_stream(a=range(999)), arrow_file(a=range(999))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (STREAM[:500], {}, "not a usable Arrow file"),
        (STREAM[:20], {}, "not a usable Arrow file"),
        (FILE[:-20], {}, "not a usable Arrow file"),
        (changed(parquet_file(a=range(999)), 40, b"\xff" * 40), {}, "not a usable Parquet file"),
        (arrow_stream(abc=[1]).replace(b"abc", b"ab\xff"), {}, "not a usable Arrow file: 'utf-8'"),
        (
            parquet_file(a=["xyz"] * 9).replace(b"xyz", b"xy\xff"),
            {"categories": "onehot"},
            "not a usable Parquet file: In column 0: Invalid: Invalid UTF8",
        ),
        (arrow_stream(a=["x"]), {}, "column 'a' holds string, not numbers; leave the column out"),
        (arrow_stream(a=[[1]]), {}, "column 'a' holds list<item: int64>, not numbers"),
        (arrow_stream(a=pa.array([0], pa.date32())), {}, "column 'a' holds date32[day]"),
        (npz(a=ROWS, b=ROWS), {}, "several arrays, 'a', 'b'; choose one with 'array'"),
        (npz(a=ROWS), {"array": "c"}, "array: the file has no array 'c'; it has 'a'"),
        (npy(ROWS), {"array": "c"}, "array: only NPZ files have named arrays; this is npy"),
        (npz(a=np.array([{}])), {}, "pickled Python objects, which are never loaded"),
        (npz(a=ROWS)[:-9], {}, "the archive can't be read"),
        (changed(npz(a=np.zeros((99, 99))), 200, b"\1"), {}, "'a.npy' in the archive can't be"),
        (idx(PIXELS)[:-1], {}, "it is shorter than its header says"),
        (idx(PIXELS) + b"\0", {}, "it is longer than its header says"),
        (idx(PIXELS)[:9], {}, "not a usable IDX file"),
        (gzip.compress(idx(PIXELS))[:-20], {}, "not a usable IDX file"),
        (idx(PIXELS[:, 0, 0].copy()), {}, "points must have shape"),
        (npy(PIXELS), {"columns": ["x0"]}, "columns: images have no columns"),
        (npy(ROWS), {"columns": ["x2"]}, "columns: the file has no column 'x2'; it has 'x0'"),
        (npy(ROWS), {"columns": ["x0", "x0"]}, "columns: column 'x0' is chosen twice"),
        (zipped({}), {}, "the archive holds neither"),
        (zipped({"a.png": ONE, "b.png": image(PIXELS[0, :3])}), {}, "'b.png' has shape (3, 6)"),
        (zipped({"a.png": ONE, "b.png": image(COLOURS[0])}), {}, "'b.png' has shape (3, 4, 6)"),
        (zipped({"a.png": ONE, "notes.txt": b"x"}), {}, "'notes.txt' can't be read: it is neither"),
        (zipped({"a.png": ONE[:-30]}), {}, "image 'a.png' can't be read"),
        (zipped({"a.png": sixteen_bit()}), {}, "its mode I;16 is not taken"),
        (zipped({"a.png": image(np.zeros((1100, 1000), np.uint8))}), {}, "over 1,048,576 values"),
        (zipped({"a.png": bytes(9 << 20)}), {}, "image 'a.png' is larger than 8,388,608 bytes"),
        (zipped({"a.png": ONE, "../../b.png": ONE}), {}, "'../../b.png' leads out of the archive"),
        (zipped({"/tmp/a.png": ONE}), {}, "'/tmp/a.png' leads out of the archive"),  # noqa: S108
        (zipped({"a.png": ONE})[:-9], {}, "the archive can't be read"),
        (
            zipped({"a.png": palette(WIDE)}),
            {},
            "image 'a.png' can't be read: it has over 1,048,576 val",
        ),
        (
            zipped({"a.png": ONE}, zipfile.ZIP_BZIP2),
            {},
            "'a.png' in the archive is packed by other than deflate",
        ),
    ],
)
def test_bad_files_are_named(
    content: bytes, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content, tmp_path, **options)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    "content",
    [
        zipped({f"{i}.png": bytes(1 << 20) for i in range(9)}),
        npz(compressed=True, a=np.zeros((1 << 17, 9))),
        parquet_file(a=np.zeros(1 << 20)),
        gzip.compress(idx(np.zeros((1 << 17, 9)))),
    ],
    ids=["images", "npz", "parquet", "gzip"],
)
def test_bombs(content: bytes, tmp_path: Path) -> None:
    assert len(content) < 1 << 20
    with pytest.raises(TooLarge, match="over 8,000,000 bytes"):
        read(content, tmp_path, max_bytes=8_000_000)


def test_a_picture_that_declares_a_huge_size(tmp_path: Path) -> None:
    huge = changed(ONE, 16, b"\0\1\0\0\0\1\0\0")  # 65,536 x 65,536, and a wrong checksum
    with pytest.raises(InvalidInput, match=r"image 'a\.png' can't be read"):
        read(zipped({"a.png": huge}), tmp_path)


def test_archives_of_very_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = zipped({f"{i}.png": ONE for i in range(9)})
    monkeypatch.setattr(image_archives, "MAX_IMAGES", 8)
    with pytest.raises(InvalidInput, match="9 images; at most 8 are taken"):
        read(content, tmp_path)
    path = tmp_path / "archive"
    path.write_bytes(content)
    with (
        pytest.raises(InvalidInput, match="its list of members is over 100 bytes"),
        open_archive(path, 100),
    ):
        pass


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,y\n",
        npy(ROWS),
        npz(a=ROWS),
        parquet_file(a=[1, 2], b=["x", "y"]),
        arrow_stream(a=[1, 2], b=["x", "y"]),
        arrow_file(a=[1, 2]),
        gzip.compress(idx(PIXELS)),
        zipped({"a.png": ONE}),
    ],
    ids=["csv", "npy", "npz", "parquet", "stream", "file", "idx", "zip"],
)
def test_damage_is_a_problem_or_harmless(content: bytes, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        damaged = bytearray(content)
        for at in random.integers(0, len(content), 3).tolist():
            damaged[at] = int(random.integers(256))
        with suppress(ServiceError):
            read(bytes(damaged[: random.integers(1, 2 * len(content))]), tmp_path)
