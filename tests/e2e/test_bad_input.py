"""Bad input: a problem that names it, and nothing stored."""

import io
import pickle
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.e2e.conftest import MAX_BODY, MAX_JSON, NPY, Client
from tests.points import npy, three_blobs
from tests.service.files import arrow_stream, npz, zipped

CSV = "x,y\n1,2\n3,4\n"


@pytest.fixture(scope="module", autouse=True)
def trained(client: Client) -> None:
    client.train(three_blobs()[0], 3)


@pytest.fixture(autouse=True)
def nothing_stored(client: Client) -> Iterator[None]:
    def rows() -> list[Any]:
        return [client.get(path, limit=1)["data"] for path in ("/datasets", "/jobs", "/models")]

    before = rows()
    yield
    assert rows() == before


def check(response: httpx.Response, status: int, code: str, said: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert said in problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    return problem


def pickled() -> bytes:
    return npy(np.array([[{"a": 1}]]))


@pytest.mark.parametrize(
    ("content", "status", "code", "said"),
    [
        (b"", 422, "invalid_file", "the file is empty"),
        (b"x,y\n1,2\n3,oops\n", 422, "invalid_file", "line 3, column 'y': 'oops' is not a number"),
        (b"x,y\n1,2\n3,nan\n", 422, "invalid_file", "line 3, column 'y': the value is missing"),
        (b"x,y\n1,inf\n", 422, "invalid_file", "line 2, column 'y': inf"),
        (pickled(), 422, "invalid_file", "pickled Python objects"),
        (pickle.dumps([[1.0]]), 415, "unsupported_format", "pickle"),
        (npy(np.zeros((9, 9)))[:-8], 422, "invalid_file", "it is shorter than its header says"),
        (zipped({"a.png": bytes(16 << 20)}), 422, "invalid_file", "larger than 8,388,608 bytes"),
        (npz(a=np.zeros((9, 9)))[:-8], 422, "invalid_file", "the archive can't be read"),
        (arrow_stream(a=range(99))[:-99], 422, "invalid_file", "not a usable Arrow file"),
        (b"1" * (MAX_BODY + 1), 413, "body_too_large", f"larger than {MAX_BODY:,} bytes"),
    ],
)
@pytest.mark.parametrize("how", ["raw", "form", "job"])
def test_files(client: Client, how: str, content: bytes, status: int, code: str, said: str) -> None:
    if how == "raw":
        response = client.http.post("/datasets", content=content)
    elif how == "form":
        response = client.http.post("/datasets", files={"file": content})
    else:
        response = client.http.post("/jobs", files={"file": content}, data={"components": "1"})
    check(response, status, code, said)


@pytest.mark.parametrize(
    ("content", "declared", "code", "said"),
    [
        (CSV, NPY, "media_type_mismatch", "application/x-npy, but by its content it is csv"),
        (npy(np.zeros((2, 2))), "text/csv", "media_type_mismatch", "text/csv, but by its content"),
        (npz(a=np.zeros((2, 2))), NPY, "media_type_mismatch", "by its content it is npz"),
        ('{"points": []}', "application/json", "unsupported_media_type", "not taken as applicat"),
    ],
)
def test_files_that_are_not_what_they_are_declared_as(
    client: Client, content: Any, declared: str, code: str, said: str
) -> None:
    raw = client.http.post("/datasets", content=content, headers={"Content-Type": declared})
    check(raw, 415, code, said)
    form = client.http.post("/datasets", files={"file": ("points", content, declared)})
    check(form, 415, code, said)


def test_a_body_over_the_cap_of_unknown_length(client: Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"1,2\n" * (1 << 16)

    check(client.http.post("/datasets", content=endless()), 413, "body_too_large", "larger than")


def test_json_over_its_own_cap(client: Client) -> None:
    huge = io.BytesIO(b'{"points": [' + b"[1,2]," * (MAX_JSON // 4))
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    check(
        client.http.post("/assign", content=huge, headers=headers),
        413,
        "body_too_large",
        f"{MAX_JSON:,}",
    )


def test_json_is_said_to_be_such_and_small(client: Client) -> None:
    body = b" " * (MAX_JSON + 1)
    unsaid = client.http.put("/aliases/a", content=body)
    check(unsaid, 415, "unsupported_media_type", "as application/json, not as nothing")
    large = client.http.put(
        "/aliases/a", content=body, headers={"Content-Type": "application/json"}
    )
    check(large, 413, "body_too_large", f"{MAX_JSON:,}")


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({}, 422, "body.components: Field required"),
        ({"components": "301"}, 422, "301 components need at least as many points; there are 2"),
        ({"components": "0"}, 422, "body.components: Input should be greater than or equal to 1"),
        ({"components": "two"}, 422, "body.components: Input should be a valid integer"),
        ({"components": "2", "preset": "best"}, 422, "body.preset: Input should be 'default'"),
        ({"components": "2", "config": "{"}, 400, "body.config: Invalid JSON"),
        ({"components": "2", "config": '{"epoch": 1}'}, 422, "body.config.epoch: Extra inputs"),
        ({"components": "2", "config": '{"iterations": 0}'}, 422, "body.config.iterations"),
        (
            {"components": "2", "config": '{"network": "conv"}'},
            422,
            "body.config.network: 'conv' needs",
        ),
        ({"components": "2", "colour": "red"}, 422, "body.colour: Extra inputs"),
    ],
)
def test_jobs_with_a_file(client: Client, form: dict[str, str], status: int, said: str) -> None:
    response = client.http.post("/jobs", files={"file": CSV}, data=form)
    check(response, status, "malformed_json" if status == 400 else "invalid_input", said)


def test_a_form_without_a_file(client: Client) -> None:
    response = client.http.post("/datasets", files={"data": CSV})
    check(response, 400, "file_missing", "no file under the name 'file'")


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (b"{", 400, "malformed_json", "Invalid JSON"),
        (b'{"dataset": "ds_x", "components": true}', 422, "invalid_input", "body.components"),
        (b'{"dataset": "ds_x", "components": "4"}', 422, "invalid_input", "body.components"),
        (b"[" * 100_000, 400, "malformed_json", "Invalid JSON"),
        (b"[]", 422, "invalid_input", "body: Input should be an object"),
        (
            b'{"dataset": "x", "components": 2, "webhook": "https://example.org"}',
            422,
            "invalid_input",
            "body.webhook: Input should be an object",
        ),
        (
            b'{"components": 2, "webhook": {"url": "https://example.org", "secret": "x"}}',
            422,
            "invalid_input",
            "body.webhook.secret: must be whsec_",
        ),
        (
            b'{"dataset": "x", "components": 2, "name": "\\u0000"}',
            422,
            "invalid_input",
            "body.name",
        ),
        (b"{}", 422, "invalid_input", "body.dataset: Field required"),
        (b'{"dataset": "ds_x", "components": 2}', 404, "dataset_not_found", "no dataset 'ds_x'"),
    ],
)
def test_jobs_as_json(client: Client, body: bytes, status: int, code: str, said: str) -> None:
    headers = {"Content-Type": "application/json"}
    check(client.http.post("/jobs", content=body, headers=headers), status, code, said)


def test_more_components_than_points(client: Client) -> None:
    dataset = client.get("/datasets", limit=1)["data"][0]
    body = {"dataset": dataset["id"], "components": dataset["rows"] + 1}
    problem = check(client.http.post("/jobs", json=body), 422, "invalid_input", "need at least")
    assert problem["errors"][0]["loc"] == ["body", "components"]


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (b"{", 400, "malformed_json", "Invalid JSON"),
        (b"{}", 422, "invalid_input", "body.points: Field required"),
        (b'{"points": []}', 422, "invalid_input", "body.points"),
        (b'{"points": [1, 2]}', 422, "invalid_points", "points must have shape"),
        (b'{"points": [[1, 2, 3]]}', 422, "invalid_points", "trained on (2,)"),
        (b'{"points": [[1, 2], [3]]}', 422, "invalid_input", "body.points: rows differ in length"),
        (b'{"points": [[1, 2], [3, "4"]]}', 422, "invalid_input", 'body.points.1.1: "4" is not'),
        (b'{"points": [[1, null]]}', 422, "invalid_input", "body.points.0.1: null is not"),
        (b'{"points": [[1, {}]]}', 422, "invalid_input", "body.points.0.1: {} is not"),
        (b'{"points": [[1, NaN]]}', 422, "invalid_points", "row 0, column 1: nan"),
        (b'{"points": [[1, 1e999]]}', 422, "invalid_points", "row 0, column 1: inf"),
        (b'{"points": [[1, 2]], "x": 1}', 422, "invalid_input", "body.x: Extra inputs"),
    ],
)
def test_assign_json(client: Client, body: bytes, status: int, code: str, said: str) -> None:
    headers = {"Content-Type": "application/json"}
    check(client.http.post("/assign", content=body, headers=headers), status, code, said)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (npy(np.zeros((4, 3))), "invalid_points", "points have shape (3,) each"),
        (npy(np.array([[1, np.nan]])), "invalid_points", "row 0, column 1: nan"),
        (npy(np.array([["a", "b"]])), "invalid_points", "must be numbers"),
        (npy(np.array(3.0)), "invalid_points", "points must have shape"),
        (pickled(), "invalid_points", "pickled Python objects, which are never loaded"),
        (npy(np.zeros((9, 2)))[:-8], "invalid_points", "not a usable NPY array"),
        (npy(np.zeros((9, 2))) * 2, "invalid_points", "it is longer than its header says"),
        (b"", "invalid_points", "not a usable NPY array"),
        (npz(a=np.zeros((2, 2))), "invalid_points", "not a usable NPY array"),
    ],
)
def test_assign_npy(client: Client, body: bytes, code: str, said: str) -> None:
    headers = {"Content-Type": NPY}
    check(client.http.post("/assign", content=body, headers=headers), 422, code, said)


def test_options_are_wrong_where_they_are_given(client: Client) -> None:
    def loc(response: httpx.Response) -> Any:
        return check(response, 422, "invalid_input", "columns: the file has no column")["errors"][
            0
        ]["loc"]

    file = {"file": ("points.csv", CSV.encode())}
    in_form = client.http.post("/datasets", files=file, data={"columns": "z"})
    in_query = client.http.post("/datasets?columns=z", content=CSV)
    of_job = client.http.post("/jobs", files=file, data={"columns": "z", "components": "1"})
    assert [loc(each) for each in (in_form, in_query, of_job)] == [
        ["body", "columns"],
        ["query", "columns"],
        ["body", "columns"],
    ]
    twice = client.http.post("/datasets", files=file, data={"name": ["a", "b"]})
    check(twice, 422, "invalid_input", "body.name: given 2 times; it takes one value")


def test_a_charset_is_kept_to(client: Client) -> None:
    content = "größe\n1\n2\n".encode("latin-1")
    said = "it is told to be utf-8, but not all of it is"
    for charset in ("utf-8", "us-ascii"):
        kind = f"text/csv; charset={charset}"
        raw = client.http.post("/datasets", content=content, headers={"Content-Type": kind})
        form = client.http.post("/datasets", files={"file": ("a.csv", content, kind)})
        for response in (raw, form):
            check(response, 422, "invalid_file", said)


def test_other_media_types(client: Client) -> None:
    headers = {"Content-Type": "application/x-tar"}
    for path in ("/assign", "/jobs"):
        response = client.http.post(path, content=b"x", headers=headers)
        check(response, 415, "unsupported_media_type", "application/x-tar")
    response = client.http.get("/sample", headers={"Accept": "text/html"})
    check(response, 406, "not_acceptable", "not as text/html")


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("/sample?component=99", 422, "component_not_found", "there is no component 99"),
        ("/sample?component=-1", 422, "component_not_found", "there is no component -1"),
        ("/sample?component=three", 422, "invalid_input", "query.component"),
        ("/sample?n=1000000000", 422, "invalid_input", "query.n: Input should be less than"),
        ("/sample?n=0", 422, "invalid_input", "query.n"),
        ("/sample?seed=-1", 422, "invalid_input", "query.seed"),
        ("/sample?model=mdl_x", 404, "model_not_found", "there is no model 'mdl_x'"),
        ("/models/mdl_x", 404, "model_not_found", "there is no model 'mdl_x'"),
        ("/models/mdl_x/assignments", 404, "model_not_found", "there is no model 'mdl_x'"),
        ("/models/default/assignments?component=3", 422, "component_not_found", "no component 3"),
        ("/jobs/job_x", 404, "job_not_found", "there is no job 'job_x'"),
        ("/jobs/job_x/events", 404, "job_not_found", "there is no job 'job_x'"),
        ("/datasets/ds_x", 404, "dataset_not_found", "there is no dataset 'ds_x'"),
        ("/jobs?limit=101", 422, "invalid_input", "query.limit"),
        ("/sample?componnt=3", 422, "invalid_input", "this call takes component, format, model, n"),
        ("/sample?n=1&n=2", 422, "invalid_input", "query.n: given 2 times; it takes one value"),
        ("/datasets?after=job_x", 422, "invalid_input", "query.after: String should match"),
        ("/jobs?after=", 422, "invalid_input", "query.after: String should match"),
        ("/models?after=default", 422, "invalid_input", "query.after: String should match"),
        ("/aliases?after=No", 422, "invalid_input", "query.after: String should match"),
        ("/models/default/assignments?format=csv&limit=3", 422, "invalid_input", "of pages"),
        ("/models/default/assignments?format=npy&after=3", 422, "invalid_input", "of pages"),
        ("/nowhere", 404, "not_found", "GET /nowhere"),
        ("/jobs/", 404, "not_found", "GET /jobs/"),
    ],
)
def test_queries(client: Client, path: str, status: int, code: str, said: str) -> None:
    check(client.http.get(path), status, code, said)


def test_what_a_path_takes_is_told(client: Client) -> None:
    refused = client.http.post("/healthz")
    check(refused, 405, "method_not_allowed", "POST /healthz")
    assert refused.headers["allow"] == "GET, HEAD"
    assert "Accept" in client.http.get("/sample").headers["vary"]


def test_a_picture_of_too_many(client: Client) -> None:
    response = client.http.get("/sample?n=5000", headers={"Accept": "image/png"})
    check(response, 422, "invalid_input", "at most 4,096 samples")


def test_assign_to_an_unknown_model(client: Client) -> None:
    response = client.http.post("/assign?model=mdl_x", json={"points": [[1, 2]]})
    check(response, 404, "model_not_found", "mdl_x")


def test_request_ids(client: Client) -> None:
    given = client.http.get("/nowhere", headers={"X-Request-ID": "from-the-client"})
    assert given.json()["request_id"] == "from-the-client"
    forged = client.http.get("/nowhere", headers={"X-Request-ID": "a b\tc" * 30})
    assert forged.json()["request_id"].startswith("req_")


def test_what_a_job_has_not(client: Client) -> None:
    """A preview of an assign job, assignments of one that trains, and the next try of neither."""
    trained = client.get("/jobs", limit=1)["data"][0]
    query = {"model": trained["model"], "dataset": trained["dataset"]}
    job = client.http.post("/assign", params=query).json()["id"]
    client.wait(job)
    preview = client.http.get(f"/jobs/{job}/preview")
    check(preview, 404, "preview_not_found", "assigns a data set; only jobs that train")
    for nothing in ("checkpoints", "deliveries"):
        assert client.get(f"/jobs/{job}/{nothing}")["data"] == []
    assignments = client.http.get(f"/jobs/{trained['id']}/assignments")
    check(assignments, 404, "assignments_not_found", f"/models/{trained['model']}/assignments")
    resumed = client.http.post(f"/jobs/{job}/resume")
    check(resumed, 409, "job_not_resumable", "is succeeded")
    assert client.http.delete(f"/jobs/{job}").status_code == 204


def test_a_finished_job_can_not_be_cancelled(client: Client) -> None:
    job = client.get("/jobs", limit=1)["data"][0]
    check(client.http.post(f"/jobs/{job['id']}/cancel"), 409, "job_finished", "already succeeded")


@pytest.mark.parametrize("path", ["/assign", "/datasets", "/jobs", "/models"])
def test_compressed_bodies_are_named(client: Client, path: str) -> None:
    packed = client.http.post(path, content=b"x", headers={"Content-Encoding": "gzip"})
    check(packed, 415, "unsupported_encoding", "compressed bodies are not taken")


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/models?limit=1", "/models/x"])
def test_head_is_answered_as_get_is(client: Client, path: str) -> None:
    head, get = client.http.head(path), client.http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
