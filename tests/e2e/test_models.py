"""Models over HTTP: aliases, components, assignments, archives, and what is refused."""

import io
import re
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.e2e.conftest import MAX_BODY, Client, from_npy
from tests.e2e.test_bad_input import check
from tests.points import three_blobs

ZIP, JSON = ({"Content-Type": f"application/{kind}"} for kind in ("zip", "json"))


@pytest.fixture(scope="module")
def model(client: Client) -> str:
    ref: str = client.train(three_blobs()[0], 3)["model"]
    return ref


def test_assignments_as_a_file_and_in_pages(client: Client, model: str) -> None:
    path = f"/models/{model}/assignments"
    whole = from_npy(client.http.get(path, headers={"Accept": "application/x-npy"}))
    np.testing.assert_array_equal(whole["component"], client.assign(three_blobs()[0], model))
    csv = client.http.get(path, params={"component": 1}, headers={"Accept": "text/csv"})
    parquet = client.http.get(path, headers={"Accept": "application/vnd.apache.parquet"})
    table = pa.csv.read_csv(io.BytesIO(csv.content))
    assert table["row"].to_pylist() == whole["row"][whole["component"] == 1].tolist()
    everything = pa.parquet.read_table(io.BytesIO(parquet.content))
    for name in ("row", "component", "confidence"):
        np.testing.assert_array_equal(everything[name], whole[name])
    page = client.get(path, component=1, limit=2)
    after = client.get(path, component=1, limit=2, after=page["last_id"])
    rows = [item["row"] for item in [*page["data"], *after["data"]]]
    assert rows == table["row"].to_pylist()[:4]
    shares = [str(share) for share in (page["data"][0]["confidence"], *table["confidence"][:9])]
    assert max(map(len, shares)) <= len("0.1234")


def test_components(client: Client, model: str) -> None:
    listed = client.get(f"/models/{model}/components")["data"]
    assert sum(component["size"] for component in listed) == 300
    one = client.get(f"/models/{model}/components/2")
    assert one == client.get(f"/models/{model}/components/2")
    assert {key: one[key] for key in listed[2]} == listed[2]
    assert len(one["typical"]) == 10
    assert len(one["samples"]) == 8


def test_an_alias_s_life(client: Client, model: str) -> None:
    first = client.http.put("/aliases/best.one", json={"model": model})
    again = client.http.put("/aliases/best.one", json={"model": "default"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert client.get("/aliases/best.one")["model"] == model
    assert "best.one" in client.get(f"/models/{model}")["aliases"]
    assert "best.one" in [alias["id"] for alias in client.get("/aliases")["data"]]
    client.assign(three_blobs()[0], "best.one")
    assert client.http.delete("/aliases/best.one").status_code == 204
    check(client.http.delete("/aliases/best.one"), 404, "alias_not_found", "no alias 'best.one'")


def test_an_archive_goes_out_and_comes_in(client: Client, model: str) -> None:
    archive = client.http.get(f"/models/{model}/export", timeout=300)  # it traces graphs
    named = archive.headers["content-disposition"]
    assert re.fullmatch(rf'attachment; filename="[\w.-]+-{model}\.zip"', named)
    known = {"If-None-Match": f'"other", {archive.headers["etag"]}'}
    assert client.http.get(f"/models/{model}/export").content == archive.content
    assert client.http.get(f"/models/{model}/export", headers=known).status_code == 304
    headers = {**ZIP, "Idempotency-Key": "an-archive"}
    new, replayed = (
        client.http.post("/models", content=archive.content, headers=headers) for _ in range(2)
    )
    again = client.http.post("/models", files={"file": ("model.zip", archive.content)})
    assert (new.status_code, replayed.status_code, again.status_code) == (201, 201, 200)
    assert new.json() == replayed.json() == again.json()
    assert new.headers["Location"] == f"/models/{new.json()['id']}"
    imported = new.json()["id"]
    points = three_blobs()[0]
    np.testing.assert_array_equal(client.assign(points, imported), client.assign(points, model))
    assert client.http.delete(f"/models/{imported}").status_code == 204
    for gone in (f"/models/{imported}", f"/sample?model={imported}"):
        check(client.http.get(gone), 404, "model_not_found", imported)


BAD: list[tuple[str, str, dict[str, Any], int, str, str]] = [
    ("PUT", "/aliases/Best", {"json": {"model": "default"}}, 422, "invalid_input", "path.name"),
    ("PUT", "/aliases/mdl_1", {"json": {"model": "default"}}, 422, "invalid_input", "'mdl_'"),
    ("PUT", "/aliases/" + "a" * 101, {"json": {}}, 422, "invalid_input", "path.name"),
    ("PUT", "/aliases/a", {"json": {}}, 422, "invalid_input", "body.model: Field required"),
    ("PUT", "/aliases/a", {"json": {"model": 1}}, 422, "invalid_input", "body.model"),
    ("PUT", "/aliases/a", {"json": {"model": "x", "y": 1}}, 422, "invalid_input", "body.y: Extra"),
    ("PUT", "/aliases/a", {"json": {"model": "mdl_x"}}, 404, "model_not_found", "'mdl_x'"),
    ("PUT", "/aliases/a", {"content": b"{", "headers": JSON}, 400, "malformed_json", "body"),
    ("PUT", "/aliases/a", {"content": b"{}", "headers": ZIP}, 415, "unsupported_media_type", "zip"),
    ("GET", "/aliases/none", {}, 404, "alias_not_found", "no alias 'none'"),
    ("GET", "/aliases?limit=0", {}, 422, "invalid_input", "query.limit"),
    ("DELETE", "/aliases/none", {}, 404, "alias_not_found", "no alias 'none'"),
    ("DELETE", "/models/mdl_x", {}, 404, "model_not_found", "'mdl_x'"),
    ("DELETE", "/models/default", {}, 409, "model_in_use", "'default'"),
    ("GET", "/models/mdl_x/components", {}, 404, "model_not_found", "'mdl_x'"),
    ("GET", "/models/default/components?after=x", {}, 422, "invalid_input", "query.after"),
    ("GET", "/models/default/components/3", {}, 404, "component_not_found", "has 0 to 2"),
    ("GET", "/models/default/components/-1", {}, 404, "component_not_found", "no component -1"),
    ("GET", "/models/default/components/x", {}, 422, "invalid_input", "path.component"),
    ("GET", "/models/mdl_x/export", {}, 404, "model_not_found", "'mdl_x'"),
    ("POST", "/models", {"content": b"", "headers": ZIP}, 422, "invalid_file", "not a zip"),
    ("POST", "/models", {"content": bytes(MAX_BODY + 1)}, 413, "body_too_large", "larger than"),
    ("POST", "/models", {"files": {"data": b"x"}}, 400, "file_missing", "'file'"),
    (
        "POST",
        "/models",
        {"files": {"file": b"x"}, "data": {"name": "x"}},
        422,
        "invalid_input",
        "body.name: unknown field",
    ),
    (
        "GET",
        "/models/default/assignments",
        {"headers": {"Accept": "image/png"}},
        406,
        "not_acceptable",
        "text/csv",
    ),
]


@pytest.mark.parametrize(("method", "path", "request_", "status", "code", "said"), BAD)
def test_bad_input(
    client: Client,
    model: str,
    method: str,
    path: str,
    request_: dict[str, Any],
    status: int,
    code: str,
    said: str,
) -> None:
    before = client.get("/models"), client.get("/aliases")
    response: httpx.Response = client.http.request(method, path, **request_)
    check(response, status, code, said)
    assert (client.get("/models"), client.get("/aliases")) == before
