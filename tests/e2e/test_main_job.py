"""The main job: upload, queue, train, assign, sample, over HTTP and on real input."""

import json
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.conftest import NewDatabase
from tests.e2e.conftest import NPY, SHORT, Client, from_npy
from tests.points import Labels, Points, digits, npy, three_blobs, two_moons
from tests.servers import broker_server, service_processes, wait_for

DATA: dict[str, tuple[Points, Labels, int]] = {
    "moons": (*two_moons(), 2),
    "blobs": (*three_blobs(), 3),
    "digits": (*digits(), 10),
}


@pytest.mark.parametrize("name", DATA)
def test_from_upload_to_samples(client: Client, name: str) -> None:
    points, _, k = DATA[name]
    job = client.train(points, k)
    model = client.get(f"/models/{job['model']}")
    assert job["progress"] == {"iteration": 2, "of": 2, "fraction": 1.0, "eta_seconds": None}
    assert model["provenance"]["job"] == job["id"]
    assert model["shape"] == list(points.shape[1:])
    assert sum(model["sizes"]) == model["rows"] == len(points)
    assert model["alpha"] == [size / len(points) for size in model["sizes"]]
    assert client.get("/models/default")["id"] == job["model"]

    stored = from_npy(
        client.http.get(f"/models/{job['model']}/assignments", headers={"Accept": NPY})
    )["component"]
    np.testing.assert_array_equal(client.assign(points, job["model"]), stored)
    np.testing.assert_array_equal(np.bincount(stored, minlength=k), model["sizes"])

    samples = client.sample(model=job["model"], component=k - 1, n=20, seed=1)
    assert samples.shape == (20, *points.shape[1:])
    mixture = client.get("/sample", model=job["model"], n=50, seed=1)
    assert len(mixture["points"]) == len(mixture["components"]) == 50
    png = client.http.get("/sample", params={"n": 9}, headers={"Accept": "image/png"})
    assert png.content.startswith(b"\x89PNG")


def check_blobs(client: Client) -> None:
    points, labels = three_blobs()
    job = client.train(points, 3)
    ref = job["model"]
    assert adjusted_rand_score(labels, client.assign(points, ref)) > 0.99
    for j in range(3):
        samples = client.sample(model=ref, component=j, n=1000, seed=j)
        assert np.mean(client.assign(samples, ref) == j) >= 0.9


def test_samples_of_a_component_are_assigned_to_it(client: Client) -> None:
    check_blobs(client)


def test_the_same_on_postgresql(
    tmp_path: Path, postgres: NewDatabase, migrated_template: str
) -> None:
    with (
        postgres(migrated_template) as url,
        broker_server() as broker,
        service_processes(tmp_path, url, broker) as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        check_blobs(Client(http))


def test_the_same_seed_gives_the_same_bytes(client: Client) -> None:
    client.train(three_blobs()[0], 3)
    for accept in (NPY, "application/json", "image/png"):
        for query in ({"component": 1}, {}):
            first, again, other = (
                client.http.get(
                    "/sample", params={**query, "n": 20, "seed": seed}, headers={"Accept": accept}
                )
                for seed in (5, 5, 6)
            )
            assert first.content == again.content
            assert first.content != other.content
    unseeded = client.http.get("/sample", headers={"Accept": NPY})
    repeated = client.http.get(
        "/sample", params={"seed": unseeded.headers["Kvae-Seed"]}, headers={"Accept": NPY}
    )
    assert unseeded.content == repeated.content


def test_json_of_too_many_values(client: Client) -> None:
    client.train(np.random.default_rng(0).random((50, 100)), 2, iterations=1)
    response = client.http.get("/sample?n=100000")
    assert response.status_code == 422
    assert "at most 20,971 samples" in response.json()["detail"]


def test_assign_as_json(client: Client) -> None:
    points, _ = three_blobs()
    client.train(points, 3)
    query = {"include": ["log_densities", "posterior"]}
    response = client.http.post("/assign", params=query, json={"points": points[:5].tolist()})
    answer = response.json()
    assert answer["components"] == client.assign(points[:5]).tolist()
    assert np.argmax(answer["log_densities"], 1).tolist() == answer["components"]
    np.testing.assert_allclose(np.sum(answer["posterior"], 1), 1, rtol=1e-5)
    plain = client.http.post("/assign", json={"points": points[:5].tolist()}).json()
    assert set(plain) == {"object", "model", "components"}


def test_a_job_with_its_file(client: Client) -> None:
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in three_blobs()[0].tolist())
    form = {"components": "3", "name": "from a form", "seed": "4", "config": '{"iterations": 1}'}
    response = client.http.post("/jobs", files={"file": ("points.csv", text)}, data=form)
    assert response.status_code == 202, response.text
    job = response.json()
    assert response.headers["Location"] == f"/jobs/{job['id']}"
    assert (job["name"], job["config"]["seed"], job["config"]["iterations"]) == (
        "from a form",
        4,
        1,
    )
    dataset = client.get(f"/datasets/{job['dataset']}")
    assert [column["name"] for column in dataset["columns"]] == ["x", "y"]
    assert (dataset["format"], dataset["rows"]) == ("csv", 300)
    client.wait(job["id"])
    wanted = {"name": "from a form", "dataset": dataset["id"]}
    (found,) = client.get("/jobs", type="train", status="succeeded", **wanted)["data"]
    assert found["id"] == job["id"]
    (model,) = client.get("/models", **wanted)["data"]
    assert model["provenance"]["job"] == job["id"]
    assert dataset in client.get("/datasets", name=dataset["name"])["data"]
    assert client.get("/jobs", status="failed", **wanted)["data"] == []
    assert client.get("/models", dataset="ds_x")["data"] == []
    assert client.get("/datasets", name="x")["data"] == []


def test_a_preset_and_a_number_of_components_from_the_data(client: Client) -> None:
    form = {"components": "auto", "preset": "paper-synthetic", "config": '{"iterations": 1}'}
    response = client.http.post("/jobs", files={"file": npy(three_blobs()[0])}, data=form)
    assert response.status_code == 202, response.text
    job = client.wait(response.json()["id"])
    assert (job["config"]["components"], job["config"]["hidden"]) == ("auto", 50)
    assert (job["config"]["iterations"], job["config"]["batch_size"]) == (1, 32)
    assert client.get(f"/models/{job['model']}")["components"] == 3


def test_the_same_bytes_are_one_data_set(client: Client) -> None:
    text = "a,b\n1,2\n3,4\n"
    first = client.http.post("/datasets", content=text, params={"name": "mine"})
    again = client.http.post("/datasets", files={"file": ("other.csv", text)})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.headers["Location"] == f"/datasets/{first.json()['id']}"
    assert first.json()["name"] == "mine"


def test_events_tell_each_iteration(client: Client) -> None:
    job = client.train(three_blobs()[0], 3)
    path = f"/jobs/{job['id']}/events"
    events = client.get(path)["data"]
    assert [e["type"] for e in events] == ["status", "status", "metrics", "metrics", "status"]
    metrics = events[2]["data"]
    assert metrics["iteration"] == 1
    assert sum(metrics["alpha"]) == pytest.approx(1)
    assert 0 <= metrics["changed"] <= 1
    assert len(metrics["losses"]) == 3
    page = client.get(path, limit=2)
    assert page["has_more"]
    rest = client.get(path, after=page["last_id"])
    assert [*page["data"], *rest["data"]] == events


def test_lists_are_paged(client: Client) -> None:
    for seed in range(3):
        points = np.random.default_rng(seed).random((20, 2))
        client.submit(client.upload(points)["id"], 2, config=SHORT)
    for path in ("/datasets", "/jobs"):
        first = client.get(path, limit=2)
        assert first["has_more"]
        second = client.get(path, limit=2, after=first["last_id"])
        ids = [item["id"] for item in [*first["data"], *second["data"]]]
        assert ids == sorted(ids, reverse=True)
        assert len(set(ids)) == len(ids) >= 3
    for job in client.get("/jobs", limit=3)["data"]:
        client.wait(job["id"])
    assert client.get("/models", limit=1)["data"][0]["object"] == "model"


def test_health(client: Client) -> None:
    assert client.get("/healthz", any_query="of a probe") == {"status": "ok"}
    checks = dict.fromkeys(("database", "storage", "worker", "broker"), "ok")
    wait_for(lambda: client.get("/readyz"), AssertionError)  # a worker is asked now and then
    assert client.get("/readyz") == {"status": "ok", "checks": checks}


def test_the_openapi_document_is_whole(client: Client) -> None:
    document = client.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    for path in ("/datasets", "/jobs", "/assign"):
        assert document["paths"][path]["post"]["requestBody"]["content"]
    for reference in re.findall(r'"#/([^"]+)"', json.dumps(document)):
        found = document
        for part in reference.split("/"):
            found = found[part]


def test_pendigits(client: Client, data_folder: Path) -> None:
    lines = (data_folder / "pendigits" / "pendigits.csv").read_text().splitlines()[:3000]
    text = "\n".join(",".join(line.split(",")[1:17]) for line in lines)
    dataset = client.http.post("/datasets", content=text).json()
    assert dataset["shape"] == [16]
    job = client.submit(dataset["id"], 10, config={"iterations": 1, "pretraining_epochs": 5})
    model = client.get(f"/models/{client.wait(job['id'])['model']}")
    assert min(model["sizes"]) > 0
