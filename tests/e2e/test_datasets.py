"""Data sets over HTTP: options, rows, thumbnails, deleting."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import SHORT, Client
from tests.points import digits, three_blobs
from tests.service.files import image, zipped

HOMES = "city,rooms,id\n" + "".join(
    f"{'Rome' if i % 3 else 'Oslo'},{i % 5 or ''},{i}\n" for i in range(60)
)
DIALECT = {"header": True, "delimiter": ";", "decimal": ",", "encoding": "utf-8"}
CHOICES = {"missing": "median", "categories": "onehot", "columns": ["rooms", "city"]}


def test_options_as_a_query_or_as_fields(client: Client) -> None:
    first = client.http.post("/datasets", files={"file": HOMES}, data={**CHOICES, "name": "homes"})
    assert first.status_code == 201, first.text
    dataset = first.json()
    assert {key: value for key, value in dataset["options"].items() if value} == CHOICES
    assert dataset["dialect"] == {**DIALECT, "delimiter": ",", "decimal": "."}
    assert (dataset["name"], dataset["shape"]) == ("homes", [3])
    rooms, city = dataset["columns"]
    assert (rooms["type"], rooms["missing"], rooms["fill"], rooms["max"]) == ("integer", 12, 2.5, 4)
    assert (city["type"], city["categories"], city["mean"]) == ("category", ["Oslo", "Rome"], None)
    again = client.http.post("/datasets", content=HOMES, params=CHOICES)
    assert (again.status_code, again.json()) == (200, dataset)
    other = client.http.post("/datasets", content=HOMES, params={**CHOICES, "missing": "drop"})
    assert (other.status_code, other.json()["rows"]) == (201, 48)
    refused = client.http.post("/datasets", content=HOMES)
    assert "line 2, column 'city': 'Oslo' is not a number" in refused.json()["detail"]


def test_how_csv_is_written(client: Client) -> None:
    content = "0;1\n1,5;2\n2,5;3\n"
    guessed = client.http.post("/datasets", content=content).json()
    assert guessed["dialect"] == {**DIALECT, "header": False}
    assert "'0', '1', was taken as a point; if it is none, choose" in guessed["warnings"][0]
    form = {name: str(value).lower() for name, value in {**DIALECT, "encoding": "UTF8"}.items()}
    told = client.http.post("/datasets", files={"file": content}, data=form).json()
    assert (told["dialect"], told["rows"], told["columns"][0]["name"]) == (DIALECT, 2, "0")
    assert {key: value for key, value in told["options"].items() if key in DIALECT} == DIALECT


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delimiter": "ab"}, "delimiter: String should match"),
        ({"decimal": ";"}, "decimal: Input should be '.' or ','"),
        ({"encoding": "rot13"}, "encoding: Input should be 'utf-8', 'utf-16'"),
        ({"header": "maybe"}, "header: Input should be a valid boolean"),
        ({"missing": "guess"}, "missing: Input should be 'refuse', 'drop', 'mean'"),
        ({"categories": "hash"}, "categories: Input should be 'refuse' or 'onehot'"),
        ({"colour": "red"}, "colour"),
        ({"array": "a"}, "array: only NPZ files have named arrays; this is csv"),
        ({"columns": "nowhere"}, "columns: the file has no column 'nowhere'; it has 'city'"),
        ({"name": "x" * 201}, "name: String should have at most 200 characters"),
    ],
)
@pytest.mark.parametrize("how", ["query", "form"])
def test_bad_options(client: Client, how: str, options: dict[str, str], said: str) -> None:
    before = client.get("/datasets", limit=1)
    if how == "query":
        response = client.http.post("/datasets", content=HOMES, params=options)
    else:
        response = client.http.post("/datasets", files={"file": HOMES}, data=options)
    assert response.status_code == 422
    assert said in response.json()["detail"]
    assert client.get("/datasets", limit=1) == before


def test_a_job_keeps_the_columns_with_its_model(client: Client) -> None:
    config = json.dumps({**SHORT, "iterations": 1})
    form: dict[str, Any] = {**CHOICES, "components": "2", "config": config}
    response = client.http.post("/jobs", files={"file": HOMES}, data=form)
    assert response.status_code == 202, response.text
    model = client.get(f"/models/{client.wait(response.json()['id'])['model']}")
    dataset = client.get(f"/datasets/{response.json()['dataset']}")
    assert model["columns"] == dataset["columns"]
    assert (model["columns"][0]["fill"], model["shape"]) == (2.5, [3])


def test_rows(client: Client) -> None:
    dataset = client.http.post("/datasets", content=HOMES, params=CHOICES).json()["id"]
    page = client.get(f"/datasets/{dataset}/rows", limit=2)
    assert [row["values"] for row in page["data"]] == [
        {"rooms": 2, "city": "Oslo"},
        {"rooms": 1, "city": "Rome"},
    ]
    after = client.get(f"/datasets/{dataset}/rows", after=page["last_id"], limit=100)
    assert ([row["row"] for row in after["data"]], after["has_more"]) == ([*range(2, 60)], False)
    headers = {"Accept": "image/png"}
    assert client.http.get(f"/datasets/{dataset}/rows", headers=headers).status_code == 406


def test_images_and_their_thumbnails(client: Client) -> None:
    images, _ = digits()
    content = zipped({f"{i}.png": image(array) for i, array in enumerate(images[:30])})
    dataset = client.http.post("/datasets", content=content).json()
    assert (dataset["format"], dataset["shape"], dataset["rows"]) == ("zip", [8, 8], 30)
    path = f"/datasets/{dataset['id']}/rows"
    assert client.get(path, after=4, limit=1)["data"][0]["values"] == images[5].tolist()
    png = client.http.get(path, params={"limit": 9}, headers={"Accept": "image/png"})
    with Image.open(io.BytesIO(png.content)) as picture:
        assert picture.width == picture.height > 3 * 56


def test_deleting(client: Client) -> None:
    points, _ = three_blobs(301)
    dataset = client.upload(points)["id"]
    job = client.submit(dataset, 3, config={**SHORT, "iterations": 50, "epochs": 1000})
    running = client.http.delete(f"/jobs/{job['id']}")
    assert (running.status_code, running.json()["code"]) == (409, "job_not_ended")

    def check_refused() -> None:
        refused = client.http.delete(f"/datasets/{dataset}")
        assert (refused.status_code, refused.json()["code"]) == (409, "dataset_in_use")
        assert job["id"] in refused.json()["detail"]

    check_refused()
    client.http.post(f"/jobs/{job['id']}/cancel")
    client.wait(job["id"], "cancelled")
    check_refused()  # it could be resumed
    assert client.http.delete(f"/jobs/{job['id']}").status_code == 204
    assert client.http.get(f"/jobs/{job['id']}").status_code == 404
    assert client.http.delete(f"/datasets/{dataset}").status_code == 204
    for path in (f"/datasets/{dataset}", f"/datasets/{dataset}/rows"):
        assert client.http.get(path).status_code == 404
    body = {"dataset": dataset, "components": 2}
    assert client.http.post("/jobs", json=body).status_code == 404
    assert client.upload(points)["id"] != dataset


def test_a_model_outlives_its_data_set(client: Client) -> None:
    job = client.train(np.random.default_rng(3).random((40, 2)), 2, iterations=1)
    dataset = client.get(f"/datasets/{job['dataset']}")
    assert client.http.delete(f"/datasets/{dataset['id']}").status_code == 204
    provenance = client.get(f"/models/{job['model']}")["provenance"]
    assert (provenance["dataset"], provenance["dataset_sha256"]) == (
        dataset["id"],
        dataset["sha256"],
    )
    assert len(client.sample(model=job["model"], n=3)) == 3
