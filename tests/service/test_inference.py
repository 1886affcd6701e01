"""/assign and /sample: every type of body and answer, in the data's own columns and units."""

import io
import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import csv, ipc, parquet

from api_schemas.datasets import Column, FileOptions
from service import answers, media, oip, uploads
from service.batches import PointSpec, batch, files
from service.encoding import Encoding
from tests.points import digits, npy, three_blobs
from tests.service.api import Served, homes, picture, written, zipped
from tests.service.files import npz

POINTS = three_blobs()[0]
FIELDS = ["log_densities", "posterior", "confidence", "outlier_score"]


def read_table(body: bytes, media_type: str) -> pa.Table:
    source = pa.BufferReader(body)
    if media_type == media.CSV:
        return csv.read_csv(source)
    return (
        parquet.read_table(source)
        if media_type == media.PARQUET
        else ipc.open_stream(source).read_all()
    )


def from_npy(body: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(body))
    return array


def lines(*columns: NDArray[Any]) -> str:
    return "".join(",".join(map(repr, row)) + "\n" for row in np.column_stack(columns).tolist())


X, Y = POINTS.T
NAMED = pa.table({"y": Y, "id": [f"row {i}" for i in range(300)], "x": X})
BODIES: dict[str, tuple[str, bytes]] = {
    "lists": (media.JSON, httpx.Request("", "", json={"points": POINTS.tolist()}).content),
    "records": (media.JSON, httpx.Request("", "", json={"points": NAMED.to_pylist()}).content),
    "csv": (media.CSV, lines(X, Y).encode()),
    "csv with a header": (media.CSV, ("y;x\r\n" + lines(Y, X)).replace(",", ";").encode()),
    "csv with decimal commas": (
        media.CSV,
        ("y;x\n" + lines(Y, X).replace(",", ";").replace(".", ",")).encode(),
    ),
    "csv with more columns": (media.CSV, written(NAMED, media.CSV)),
    "npy": (media.NPY, npy(POINTS)),
    "npy by column": (media.NPY, npy(np.asfortranarray(POINTS))),
    "npz": (media.NPZ, npz(components=np.arange(9), points=POINTS)),
    "npz as a zip": (media.ZIP, npz(compressed=True, only=POINTS)),
    "csv without a type": (media.OCTETS, lines(X, Y).encode()),
    "npy without a type": ("application/x-www-form-urlencoded", npy(POINTS)),
    "parquet": (media.PARQUET, written(NAMED, media.PARQUET)),
    "arrow": (media.ARROW, written(NAMED, media.ARROW)),
}

WITH_MORE = {"records", "csv with more columns", "parquet", "arrow"}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("held", [True, False], ids=["held", "through the disk"])
def test_every_way_in(
    served: Served, name: str, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not held:
        monkeypatch.setattr(uploads, "HELD_BYTES", 100)
        monkeypatch.setattr(answers, "HELD_BYTES", 100)
        monkeypatch.setattr(batch, "PIECE_ROWS", 7)
    content_type, body = BODIES[name]
    response = served.assign("blobs", body, content_type)
    np.testing.assert_array_equal(from_npy(response.content), served.fits["blobs"].partition)
    assert response.headers.get("Kvae-Ignored-Columns") == ("id" if name in WITH_MORE else None)


@pytest.mark.parametrize("name", ["csv", "npy", "npz", "parquet"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_file_of_a_form(served: Served, name: str, declared: bool) -> None:
    media_type, body = BODIES[name]
    file = ("points", body, media_type if declared else "application/vnd.ms-excel")
    query = {"model": served.ids["blobs"], "format": "npy"}
    answer = served.http.post("/assign", params=query, files={"file": file})
    found = from_npy(answer.raise_for_status().content)
    np.testing.assert_array_equal(found, served.fits["blobs"].partition)


def test_everything_as_arrays(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = served.assign("blobs", npy(POINTS), media.NPY, media.JSON, include=FIELDS).json()
    monkeypatch.setattr(answers, "HELD_BYTES", 100)
    monkeypatch.setattr(batch, "PIECE_ROWS", 7)
    answer = served.assign("blobs", npy(POINTS), media.NPY, media.NPZ, include=FIELDS)
    found = np.load(io.BytesIO(answer.content))
    assert set(found) == {"components", *FIELDS}
    for name, values in found.items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("path", "formats"),
    [
        ("/sample?n=5", ["json", "csv", "parquet", "arrow", "npy", "npz", "png"]),
        ("/models/{}/assignments?component=1", ["json", "csv", "parquet", "arrow", "npy"]),
    ],
)
def test_the_format_goes_before_the_accept_header(
    served: Served, path: str, formats: list[str]
) -> None:
    path = path.format(served.ids["blobs"]) + f"&model={served.ids['blobs']}" * ("sample" in path)
    for name in formats:
        answer = served.http.get(f"{path}&format={name}", headers={"Accept": "text/html"})
        assert answer.headers["content-type"].split(";")[0] == media.FORMATS[name], answer.text


@pytest.mark.parametrize(
    ("content", "media_type", "options"),
    [
        (lines(X, Y).replace(",", ";").replace(".", ","), media.CSV, {"decimal": ","}),
        (lines(X, Y).replace(",", ":"), media.CSV, {"delimiter": ":"}),
        ("x,y\n" + lines(X, Y), media.CSV, {"header": "true"}),
        ("y,x,größe\n" + lines(Y, X, X), media.CSV, {"encoding": "utf-16"}),
        (npz(other=POINTS[::-1], wanted=POINTS), media.NPZ, {"array": "wanted"}),
        (npz(other=POINTS[::-1], wanted=POINTS), media.ZIP, {"array": "wanted"}),
    ],
)
def test_what_is_told_of_a_file(
    served: Served, content: str | bytes, media_type: str, options: dict[str, str]
) -> None:
    body = content.encode(options.get("encoding", "utf-8")) if isinstance(content, str) else content
    expected = from_npy(served.assign("blobs", npy(POINTS), media.NPY).content)
    query = {"model": served.ids["blobs"], "format": "npy", **options}
    headers = {"Content-Type": media_type}
    answer = served.http.post("/assign", params=query, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(from_npy(answer.content), expected)


def test_a_charset_is_the_encoding(served: Served) -> None:
    body = "x,y,größe\n0,0,0\n".encode("utf-16")
    answer = served.assign("blobs", body, 'text/csv; charset="UTF-16"', media.JSON)
    assert unquote(answer.headers["Kvae-Ignored-Columns"]) == "größe"


def test_the_first_row_of_a_csv_may_look_like_a_header(served: Served, tmp_path: Path) -> None:
    assert len(from_npy(served.assign("blobs", b"0,1\n2,3\n", media.CSV).content)) == 2
    words = [Column(name=name, type="category", categories=["big", "red"]) for name in "ab"]
    path = tmp_path / "points.csv"
    path.write_bytes(b"red,big\nbig,big\n")
    (points,) = files.open_csv(path, PointSpec((4,), 2, Encoding(words)), FileOptions()).pieces
    assert points.tolist() == [[0, 1, 1, 0], [1, 0, 1, 0]]


def test_ignored_columns_fit_a_header(served: Served) -> None:
    record = {"x": 0, "y": 0, **{f"{i}{'ö' * 200}": 0 for i in range(30)}}
    body = json.dumps({"points": [record]}).encode()
    named = served.assign("blobs", body, media.JSON).headers["Kvae-Ignored-Columns"]
    assert 1000 < len(named) <= 2048
    assert unquote(named).split(", ")[1] == "1" + "ö" * 99


@pytest.mark.parametrize("accept", [media.CSV, media.PARQUET, media.ARROW])
def test_every_way_out(served: Served, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = served.assign("blobs", npy(POINTS), media.NPY, media.JSON, include=FIELDS).json()
    monkeypatch.setattr(batch, "PIECE_ROWS", 7)
    response = served.assign("blobs", npy(POINTS), media.NPY, accept, include=FIELDS)
    table = read_table(response.content, accept).to_pandas()
    np.testing.assert_array_equal(table["component"], whole["components"])
    for field, name in (("log_densities", "log_density"), ("posterior", "posterior")):
        columns = table[[f"{name}_{j}" for j in range(3)]]
        np.testing.assert_allclose(columns, whole[field], rtol=1e-4, atol=1e-6)
    for field in ("confidence", "outlier_score"):
        np.testing.assert_allclose(table[field], whole[field], rtol=1e-4, atol=1e-6)
    assert list(
        read_table(
            served.assign("blobs", npy(POINTS), media.NPY, accept).content, accept
        ).column_names
    ) == ["component"]


def test_confidence_and_outliers(served: Served) -> None:
    body = httpx.Request("", "", json={"points": [[0, 0], [4, 4], [90, -90]]}).content
    answer = served.assign("blobs", body, media.JSON, media.JSON, include=FIELDS).json()
    chosen = [row[j] for row, j in zip(answer["posterior"], answer["components"], strict=True)]
    assert answer["confidence"] == chosen
    usual, between, far = answer["outlier_score"]
    assert usual < 0.9
    assert between > 0.9
    assert far == 1


def test_rows_of_every_type_of_column(served: Served) -> None:
    table, expected = homes(), served.fits["homes"].partition
    shuffled = table.select(["age", "colour", "price", "garden", "rooms"])
    for content_type in (media.CSV, media.PARQUET, media.ARROW):
        found = served.assign("homes", written(shuffled, content_type), content_type)
        np.testing.assert_array_equal(from_npy(found.content), expected)
    rows = table.to_pylist()
    by_place = "\n".join(",".join(map(str, row.values())) for row in rows).encode()
    np.testing.assert_array_equal(
        from_npy(served.assign("homes", by_place, media.CSV).content), expected
    )
    for points in (rows, [list(row.values()) for row in rows]):
        body = httpx.Request("", "", json={"points": points}).content
        answer = served.assign("homes", body, media.JSON, media.JSON).json()
        assert answer["components"] == expected.tolist()


def test_what_is_missing_is_filled_in(served: Served) -> None:
    home = homes(1).to_pylist()[0]
    without = {name: value for name, value in home.items() if name != "age"}
    points = [{**home, "age": 30}, {**home, "age": None}, without]
    body = httpx.Request("", "", json={"points": points}).content
    query = {"include": ["outlier_score"]}
    scores = served.assign("homes", body, media.JSON, media.JSON, **query).json()["outlier_score"]
    assert scores == [scores[0]] * 3


def test_large_integers_are_numbers(served: Served) -> None:
    whole, written = ([[10**20, 2**70]], [[1e20, 2.0**70]])
    bodies = [httpx.Request("", "", json={"points": points}).content for points in (whole, written)]
    answers = [served.assign("blobs", body, media.JSON, media.JSON) for body in bodies]
    assert answers[0].is_success
    assert answers[0].json() == answers[1].json()


def test_images(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PIECE_ROWS", 7)
    images, fit = digits()[0][:60], served.fits["digits"]
    files = {f"shown/{i}.png": picture(image) for i, image in enumerate(images)}
    found = served.assign("digits", zipped(files), media.ZIP)
    np.testing.assert_array_equal(from_npy(found.content), fit.partition)
    one = served.assign("digits", picture(images[5], "JPEG"), media.JPEG, media.JSON).json()
    assert len(one["components"]) == 1
    colour = picture(np.stack([images[5]] * 3, 2))
    found = served.assign("colours", colour, media.PNG)
    assert from_npy(found.content).tolist() == [served.fits["colours"].partition[5]]


def test_samples_have_the_datas_own_columns(served: Served) -> None:
    answer = served.sample("homes", media.JSON, n=40, seed=1).json()
    assert answer["columns"] == ["price", "rooms", "garden", "colour", "age"]
    for accept in (media.CSV, media.PARQUET, media.ARROW):
        table = read_table(served.sample("homes", accept, n=40, seed=1).content, accept)
        assert [str(kind) for kind in table.schema.types] == [
            "double",
            "int64",
            "bool",
            "string",
            "double",
            "int64",
        ]
        assert table.column_names == [*answer["columns"], "component"]
        assert table["component"].to_pylist() == answer["components"]
        rows = [list(row.values()) for row in table.drop("component").to_pylist()]
        assert rows == answer["points"]
        one = served.sample("homes", accept, n=40, seed=1, component=2).content
        assert read_table(one, accept).column_names == answer["columns"]


def test_samples_as_arrays_can_be_assigned(served: Served) -> None:
    for name in ("homes", "blobs", "digits"):
        points = served.sample(name, media.NPY, n=30, seed=1).content
        both = from_npy(served.sample(name, media.NPZ, n=30, seed=1).content)
        np.testing.assert_array_equal(both["points"], from_npy(points))
        found = from_npy(served.assign(name, points, media.NPY).content)
        assert np.mean(found == both["components"]) > 0.5
    onehot = from_npy(served.sample("homes", media.NPY, n=30).content)[:, 3:6]
    np.testing.assert_array_equal(np.sort(onehot, 1), [[0, 0, 1]] * 30)
    pixels = from_npy(served.sample("digits", media.NPY, n=30, temperature=2).content)
    assert pixels.min() >= 0
    assert pixels.max() <= 16


def test_images_come_in_the_datas_own_type(served: Served) -> None:
    images = from_npy(served.sample("colours", media.NPY, n=9, seed=1).content)
    assert (images.dtype.name, images.shape) == ("uint8", (9, 3, 8, 8))
    assert 0 < images.max() <= 16
    as_json = served.sample("colours", media.JSON, n=9, seed=1).json()["points"]
    assert as_json == images.tolist()
    assert not isinstance(as_json[0][0][0][0], float)
    component = served.http.get(f"/models/{served.ids['colours']}/components/0").json()
    assert isinstance(component["samples"][0][0][0][0], int)


def test_temperature(served: Served) -> None:
    spreads = [
        from_npy(
            served.sample("blobs", media.NPY, n=500, seed=1, component=0, temperature=t).content
        )
        for t in (0.1, 1, 2)
    ]
    cold, usual, hot = (points.std(0) for points in spreads)
    np.testing.assert_array_less(cold, usual)
    np.testing.assert_array_less(usual, hot)


def test_pandas_and_pyarrow_read_samples(served: Served) -> None:
    url = f"{served.http.base_url}/sample?model={served.ids['homes']}&n=25&seed=3"
    frame = pd.read_parquet(f"{url}&format=parquet")
    for again in (
        pd.read_csv(f"{url}&format=csv"),
        pd.read_parquet(url, storage_options={"Accept": media.PARQUET}),
    ):
        pd.testing.assert_frame_equal(frame, again, check_dtype=False)
    request = urllib.request.Request(url, headers={"Accept": media.ARROW})  # noqa: S310
    with urllib.request.urlopen(request) as response, ipc.open_stream(response) as stream:  # noqa: S310
        pd.testing.assert_frame_equal(stream.read_pandas(), frame, check_dtype=False)


def test_open_inference_answers_float32_of_any_model(served: Served) -> None:
    points = {"name": "points", "shape": [300, 2], "datatype": "FP64", "data": POINTS.tolist()}
    names = ["posterior", "component", "log_densities"]
    body = {"inputs": [points], "outputs": [{"name": name} for name in names]}
    url = f"/v2/models/{served.ids['centroids']}/infer"
    outputs = served.http.post(url, json=body).raise_for_status().json()["outputs"]
    assert [output["name"] for output in outputs] == names
    assert [output["datatype"] for output in outputs] == ["FP32", "INT64", "FP32"]
    found = np.reshape(outputs[2]["data"], (300, 3)).argmax(1)
    assert found.tolist() == outputs[1]["data"]


def test_open_inference_refuses_too_much_json(served: Served) -> None:
    n, length = 400_000, oip.JSON_LENGTH
    binary = {"binary_data_size": 2 * n}
    points = {"name": "points", "shape": [n, 2], "datatype": "UINT8", "parameters": binary}
    outputs = [{"name": "posterior"}, {"name": "log_densities"}]
    text = json.dumps({"inputs": [points], "outputs": outputs}).encode()
    url = f"/v2/models/{served.ids['blobs']}/infer"
    answer = served.http.post(url, content=text + bytes(2 * n), headers={length: str(len(text))})
    assert answer.json() == {
        "error": "at most 2,097,152 values are answered as JSON; ask for binary_data"
    }
