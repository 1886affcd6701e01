"""Bad input for /assign and /sample: a problem that names it, whatever the type of the body."""

import json
import socket
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from service import media
from service.batches import batch
from tests.points import npy, three_blobs
from tests.servers import wait_for
from tests.service.api import Served, homes, picture, written, zipped
from tests.service.files import npz

POINTS = three_blobs()[0]
LAST_IS_NAN = POINTS.copy()
LAST_IS_NAN[-1, -1] = np.nan
X, Y = LAST_IS_NAN.T
BLACK = np.zeros((8, 8), np.uint8)
SHARES = np.linspace(0, 0.75, 192).reshape(1, 3, 8, 8)


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


def points(*rows: Any) -> bytes:
    return json.dumps({"points": rows}).encode()


def home(**changed: Any) -> bytes:
    return points({**homes(1).to_pylist()[0], **changed})


def damaged(body: bytes) -> bytes:
    """With its last third missing."""
    return body[: -len(body) // 3]


PARQUET = written(homes(), media.PARQUET)
ARROW = written(homes(), media.ARROW)
PNG = picture(np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8))
NESTED = written(table(x=[1.0], y=[[1.0]]), media.PARQUET)
LACKING = written(table(x=[1.0, 2.0], y=[1.0, None]), media.ARROW)
BAD_POINTS = [
    # JSON
    ("blobs", media.JSON, points([1, float("nan")]), "row 0, column 1: nan"),
    ("blobs", media.JSON, points([1, 2, 3]), "have shape (3,) each; the m"),
    ("blobs", media.JSON, points({"x": 1, "z": 2}), "'y' is missing; there"),
    ("blobs", media.JSON, points({"x": 1, "y": 2}, {"x": 1}), "row 1, colu"),
    ("homes", media.JSON, home(colour="pink"), "'pink' is none of 'blue'"),
    ("homes", media.JSON, home(price=None), "'price': the value is missing"),
    ("homes", media.JSON, points([1, 2]), "2 values; the model was trained"),
    ("digits", media.JSON, points({"x": 1}), "trained on images (8, 8)"),
    ("digits", media.JSON, points([[1, 2]]), "(1, 2) each; the model was"),
    # NPY
    ("blobs", media.NPY, npy(POINTS)[:-8], "not a usable NPY array"),
    ("blobs", media.NPY, npy(np.array([[{}]])), "pickled Python objects"),
    ("blobs", media.NPY, npy(np.zeros((0, 2))), "there are no points"),
    ("blobs", media.NPY, npy(np.zeros((4, 3))), "(3,) each; the model was"),
    ("digits", media.NPY, npy(np.zeros((4, 9, 8))), "have shape (9, 8) each"),
    (
        "digits",
        media.PNG,
        picture(BLACK[:7]),
        "have shape (7, 8) each; the model was trained on (8",
    ),
    ("digits", media.NPY, npy(np.full((2, 8, 8), 255.0)), "pixels from 255 to 255; the model was "),
    ("digits", media.PNG, picture(BLACK + 255), "trained on pixels from 0 to 16"),
    ("digits", media.JSON, points((BLACK - 99.0).tolist()), "pixels from -99 to -99; the model"),
    ("colours", media.NPY, npy(SHARES), "pixels from 0 to 0.75; the model was trained on pixels"),
    ("blobs", media.PNG, PNG, "have shape (8, 8) each; the model was trained on (2,)"),
    ("blobs", media.CSV, b"x,y\n", "there are no points"),
    ("digits", media.CSV, b"1,2\n", "this is a table; the model was trained on images (8, 8)"),
]
BAD_FILES = [
    # CSV
    ("blobs", media.CSV, b"", "the table has no columns"),
    ("blobs", media.CSV, b"1,2\n3,oops\n", "line 2, column 'y': 'oops' is not a number"),
    ("blobs", media.CSV, b'x,y\n\n"1\n",2\n3\n', "line 5 has 1 columns, the first line 2"),
    ("blobs", media.CSV, b'x,y\n\n"1\n",2\n3,z\n', "line 5, column 'y': 'z' is not a number"),
    ("blobs", media.CSV, b"1,2\n3\n", "line 2 has 1 columns, the first line 2"),
    ("blobs", media.CSV, b"1,2\n3,\n", "line 2, column 'y': the value is missing"),
    (
        "blobs",
        media.CSV,
        b"1,2,3\n",
        "has 3 values and does not name the 2 columns of the model: 'x', 'y'",
    ),
    ("blobs", media.CSV, b"x,z\n1,2\n", "first line has no column 'y'; the model knows no 'z'"),
    ("blobs", media.CSV, b"a,b,c\n1,2,3\n", "no column 'x', 'y'; the model knows no 'a', 'b', 'c'"),
    ("blobs", media.CSV, b"x\n1\n", "the first line has no column 'y'"),
    ("blobs", media.CSV, b"1,oops\n3,4\n", "line 1, column 'y': 'oops' is not a number"),
    ("blobs", media.CSV, b"x,y,x\n1,2,3\n", "column 'x' occurs twice"),
    ("blobs", media.CSV, b"x,y\n1,nan\n", "line 2, column 'y': the value is missing or NaN"),
    ("blobs", media.CSV, b"x,y\n1,inf\n", "line 2, column 'y': inf"),
    ("blobs", media.CSV, b"1,\xff\n1,2\n", "line 1, column 'y': 'ÿ' is not a number"),
    (
        "blobs",
        media.CSV,
        b"a," * 1_000_000 + b"\n1\n",
        "1,000,001 columns; at most 65,536 are taken",
    ),
    ("blobs", media.CSV, b"x" * (9 << 20), "line 1 is longer than"),
    # Parquet and Arrow
    (
        "homes",
        media.PARQUET,
        damaged(PARQUET),
        "not a usable Parquet file: Parquet magic bytes not found",
    ),
    ("homes", media.PARQUET, b"", "not a usable Parquet file: Parquet file size is 0"),
    ("homes", media.ARROW, damaged(ARROW), "not a usable Arrow file: Expected to be able"),
    ("homes", media.ARROW, b"ARROW1", "not a usable Arrow file: File is too small"),
    ("blobs", media.ARROW, ARROW, "column 'x' is missing; there are 'price'"),
    ("blobs", media.PARQUET, NESTED, "column 'y' holds list"),
    ("blobs", media.ARROW, LACKING, "row 1, column 'y': the value is missing"),
    # images
    ("digits", media.PNG, damaged(PNG), "the image can't be read: image file is truncated"),
    ("digits", media.PNG, b"PNG", "the image can't be read: it is neither PNG nor JPEG"),
    ("digits", media.JPEG, picture(BLACK, "GIF"), "neither PNG nor JPEG"),
    ("digits", media.ZIP, b"PK", "the archive can't be read"),
    ("digits", media.ZIP, zipped({}), "the archive holds neither"),
    ("digits", media.ZIP, damaged(zipped({"a": PNG})), "the archive can't be read"),
    (
        "digits",
        media.ZIP,
        zipped({"a": PNG, "../b": b"text"}),
        "'../b' leads out of the archive",
    ),
    ("blobs", media.ZIP, b"x", "the archive can't be read"),
]
BAD_BODIES = [
    ("blobs", media.JSON, b"{", 400, "malformed_json", "Invalid JSON"),
    ("blobs", media.JSON, b"[" * 100_000, 400, "malformed_json", "Invalid JSON"),
    ("blobs", media.JSON, points(), 422, "invalid_input", "body.points: List should have"),
    ("blobs", media.JSON, points([1, True]), 422, "invalid_input", "points.0.1: true is not a num"),
    ("blobs", media.JSON, points([True, True]), 422, "invalid_input", "points.0.0: true is not"),
    ("blobs", media.JSON, points([1, "2"]), 422, "invalid_input", 'points.0.1: "2" is not a num'),
    (
        "blobs",
        media.JSON,
        points(["a" * 10**5, *[1] * 10**6]),
        422,
        "invalid_input",
        'points.0.0: "a',
    ),
    ("blobs", media.JSON, points([1, 10**400]), 422, "invalid_input", "points.0.1: 1000000"),
    ("blobs", media.JSON, points({"x": 1, "y": 2}, [1, 2]), 422, "invalid_input", "not a record"),
    ("homes", media.JSON, home(price=True), 422, "invalid_input", "price: true is not a number"),
    ("homes", media.JSON, home(garden="yes"), 422, "invalid_input", '"yes" is not a boolean'),
    ("blobs", "application/x-tar", b"x", 415, "unsupported_media_type", "not as application/x-tar"),
    ("blobs", "", b" {}", 415, "unsupported_media_type", "not as nothing"),
    ("blobs", media.NPZ, zipped({"a.png": PNG}), 422, "invalid_file", "it holds no arrays"),
    ("blobs", media.NPZ, npz(a=POINTS, b=POINTS), 422, "invalid_file", "several arrays, 'a', 'b'"),
    ("blobs", media.NPZ, npz(a=POINTS[:, :1]), 422, "invalid_points", "have shape (1,) each"),
]


def check(response: httpx.Response, status: int, code: str, said: str) -> None:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert (problem["status"], problem["code"]) == (response.status_code, code), problem
    assert (response.status_code, said in problem["detail"]) == (status, True), problem["detail"]


@pytest.mark.parametrize(("model", "content_type", "body", "said"), BAD_POINTS)
def test_points(served: Served, model: str, content_type: str, body: bytes, said: str) -> None:
    headers = {"Content-Type": content_type}
    query = {"model": served.ids[model]}
    response = served.http.post("/assign", params=query, content=body, headers=headers)
    check(response, 422, "invalid_points", said)


@pytest.mark.parametrize(("model", "content_type", "body", "said"), BAD_FILES)
def test_files(served: Served, model: str, content_type: str, body: bytes, said: str) -> None:
    headers = {"Content-Type": content_type}
    query = {"model": served.ids[model]}
    response = served.http.post("/assign", params=query, content=body, headers=headers)
    check(response, 422, "invalid_file", said)


@pytest.mark.parametrize(("model", "content_type", "body", "status", "code", "said"), BAD_BODIES)
def test_bodies(
    served: Served, model: str, content_type: str, body: bytes, status: int, code: str, said: str
) -> None:
    headers = {"Content-Type": content_type}
    query = {"model": served.ids[model]}
    response = served.http.post("/assign", params=query, content=body, headers=headers)
    check(response, status, code, said)


@pytest.mark.parametrize(
    ("content_type", "body", "code", "where"),
    [
        (media.NPY, npy(LAST_IS_NAN), "invalid_points", "row 299, column 1"),
        (media.CSV, b"1,2\n" * 299 + b"1,nan\n", "invalid_file", "line 300, column 'y'"),
        (media.ARROW, written(table(x=X, y=Y), media.ARROW), "invalid_file", "row 299, column 'y'"),
    ],
)
def test_the_last_row_counts(
    served: Served,
    content_type: str,
    body: bytes,
    code: str,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "PIECE_ROWS", 7)
    headers = {"Content-Type": content_type, "Accept": media.CSV}
    query = {"model": served.ids["blobs"]}
    response = served.http.post("/assign", params=query, content=body, headers=headers)
    check(response, 422, code, where)


@pytest.mark.parametrize(
    ("query", "accept", "status", "code", "said"),
    [
        ({"include": "colour"}, media.JSON, 422, "invalid_input", "query.include.0"),
        ({"include": "posterior"}, media.NPY, 406, "not_acceptable", "not as application/x-npy"),
        ({}, "text/html", 406, "not_acceptable", "not as text/html"),
        (
            {"include": "posterior", "format": "npy"},
            media.JSON,
            422,
            "invalid_input",
            "query.include: NPY holds the components alone",
        ),
        ({"format": "png"}, media.JSON, 422, "invalid_input", "query.format: Input should be"),
        ({"model": "mdl_x"}, media.JSON, 404, "model_not_found", "mdl_x"),
        ({"dataset": "ds_x"}, media.JSON, 422, "invalid_input", "body: there is one, and dataset="),
        ({"data": "ds_x"}, media.JSON, 422, "invalid_input", "query.data: unknown parameter"),
        ({"header": "true"}, media.JSON, 422, "invalid_input", "header: it tells how to read CSV"),
        ({"array": "a"}, media.JSON, 422, "invalid_input", "array: only NPZ files have named"),
        ({"delimiter": "::"}, media.JSON, 422, "invalid_input", "query.delimiter: "),
        ({"encoding": "morse"}, media.JSON, 422, "invalid_input", "query.encoding: "),
        (
            {"dataset": "ds_x", "format": "csv"},
            media.JSON,
            422,
            "invalid_input",
            "query.format: a stored data set",
        ),
    ],
)
def test_assign_queries(
    served: Served, query: dict[str, str], accept: str, status: int, code: str, said: str
) -> None:
    given = {"model": served.ids["blobs"], **query}
    headers = {"Accept": accept, "Content-Type": media.NPY}
    response = served.http.post("/assign", params=given, content=npy(POINTS), headers=headers)
    check(response, status, code, said)


def test_a_client_that_leaves_is_no_error_here(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx,y"
    url = served.http.base_url

    def noted() -> None:
        assert [getattr(record, "status", None) for record in caplog.records] == [499]

    with caplog.at_level("INFO", "service.middleware"):
        with socket.create_connection((url.host, url.port)) as connection:
            connection.sendall(head)
        wait_for(noted, AssertionError)


@pytest.mark.parametrize(
    ("file", "fields", "status", "said"),
    [
        (("points", points([1, 2]), media.JSON), {}, 415, "not as application/octet-stream"),
        (("points", b"x,z\n1,2\n", ""), {}, 422, "the first line has no column 'y'"),
        (("points", npy(POINTS), media.NPY), {"name": "x"}, 422, "body.name: unknown field"),
    ],
)
def test_forms(
    served: Served, file: tuple[str, bytes, str], fields: dict[str, str], status: int, said: str
) -> None:
    query = {"model": served.ids["blobs"]}
    response = served.http.post("/assign", params=query, files={"file": file}, data=fields)
    assert (response.status_code, said in response.json()["detail"]) == (status, True), (
        response.text
    )


def test_where_something_is_wrong(served: Served) -> None:
    query = {"model": served.ids["blobs"]}
    file = {"file": ("points", b"x,z\n1,2\n", media.CSV)}
    column = served.http.post("/assign", params=query, files=file)
    option = served.http.post(
        "/assign", params={**query, "header": "true"}, json={"points": [[1, 2]]}
    )
    assert [each.json()["errors"][0]["loc"] for each in (column, option)] == [
        ["body", "file"],
        ["query", "header"],
    ]


def test_where_a_name_is_of_nothing(served: Served) -> None:
    for method, path, named in (
        ("GET", "/sample?model=mdl_x", "model"),
        ("POST", "/assign?dataset=ds_x&model=" + served.ids["blobs"], "dataset"),
        ("GET", f"/models/{served.ids['blobs']}/comparison?other=mdl_x", "other"),
    ):
        answer = served.http.request(method, path)
        assert answer.status_code == 404, answer.text
        assert answer.json()["errors"][0]["loc"] == ["query", named]


def test_a_body_is_what_it_is_declared_as(served: Served) -> None:
    headers = {"Content-Type": media.CSV}
    response = served.http.post("/assign", content=npy(POINTS), headers=headers)
    check(response, 415, "media_type_mismatch", "declared as text/csv, but by its content it is")


def test_outliers_need_densities(served: Served) -> None:
    query = {"model": served.ids["centroids"], "include": "outlier_score"}
    response = served.http.post("/assign", params=query, json={"points": [[1, 2]]})
    check(response, 422, "no_outlier_score", "of kind 'centroid'")


@pytest.mark.parametrize(
    ("model", "query", "accept", "status", "code", "said"),
    [
        ("blobs", {"n": -1}, media.JSON, 422, "invalid_input", "query.n: Input should be greater"),
        ("blobs", {"n": "many"}, media.JSON, 422, "invalid_input", "query.n: Input should be a"),
        ("blobs", {"component": 3}, media.JSON, 422, "component_not_found", "no component 3"),
        ("blobs", {"component": -1}, media.CSV, 422, "component_not_found", "no component -1"),
        ("blobs", {"temperature": 0}, media.JSON, 422, "invalid_input", "query.temperature"),
        ("blobs", {"temperature": 2.1}, media.JSON, 422, "invalid_input", "query.temperature"),
        ("blobs", {"temperature": "nan"}, media.JSON, 422, "invalid_input", "query.temperature"),
        ("blobs", {}, "text/html", 406, "not_acceptable", "not as text/html"),
        ("digits", {}, media.CSV, 406, "not_acceptable", "not as text/csv"),
        ("digits", {"format": "csv"}, media.PNG, 406, "not_acceptable", "not as text/csv"),
        ("digits", {"n": 99_999}, media.JSON, 422, "invalid_input", "at most 32,768 samples"),
        ("blobs", {"n": 5_000}, media.PNG, 422, "invalid_input", "at most 4,096 samples"),
    ],
)
def test_sample(
    served: Served,
    model: str,
    query: dict[str, Any],
    accept: str,
    status: int,
    code: str,
    said: str,
) -> None:
    query = {"model": served.ids[model], **query}
    response = served.http.get("/sample", params=query, headers={"Accept": accept})
    check(response, status, code, said)
