"""The Open Inference Protocol, as Triton's own client speaks it, and by hand."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from tests.e2e.conftest import MAX_JSON, Client, from_npy
from tests.points import npy, three_blobs

POINTS = three_blobs()[0]
DEFAULT = "/v2/models/default"
INFER = f"{DEFAULT}/infer"
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def model(client: Client) -> str:
    ref: str = client.train(POINTS, 3)["model"]
    return ref


@pytest.fixture
def triton_client(client: Client, model: str) -> Iterator[triton.InferenceServerClient]:
    address = f"{client.http.base_url.host}:{client.http.base_url.port}"
    with triton.InferenceServerClient(address) as found:
        yield found


def tensor(points: NDArray[Any], datatype: str, binary: bool) -> triton.InferInput:
    found = triton.InferInput("points", list(points.shape), datatype)
    found.set_data_from_numpy(points, binary_data=binary)
    return found


def test_what_a_client_finds(triton_client: triton.InferenceServerClient, model: str) -> None:
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    for name, version in (("default", ""), (model, ""), ("default", model)):
        assert triton_client.is_model_ready(name, version)
        found = triton_client.get_model_metadata(name, version)
        assert (found["name"], found["versions"]) == (name, [model])
        assert found["inputs"] == [{"name": "points", "datatype": "FP64", "shape": [-1, 2]}]
        assert [output["shape"] for output in found["outputs"]] == [[-1], [-1, 3], [-1, 3]]
    assert not triton_client.is_model_ready("default", "1")
    assert not triton_client.is_model_ready("mdl_x")


@pytest.mark.parametrize(("dtype", "datatype"), [("f8", "FP64"), ("f4", "FP32"), ("i8", "INT64")])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("rows", [1, 300])
def test_components(
    client: Client,
    triton_client: triton.InferenceServerClient,
    model: str,
    dtype: str,
    datatype: str,
    binary: bool,
    rows: int,
) -> None:
    points = POINTS[:rows].astype(dtype)
    outputs = [triton.InferRequestedOutput("component", binary_data=binary)]
    inputs = [tensor(points, datatype, binary)]
    for asked in (outputs, None):
        found = triton_client.infer("default", inputs, model, outputs=asked, request_id="mine")
        np.testing.assert_array_equal(found.as_numpy("component"), client.assign(points))
    assert found.get_response()["id"] == "mine"
    assert found.get_response()["model_version"] == model


@pytest.mark.parametrize("binary", [True, False])
def test_all_outputs(triton_client: triton.InferenceServerClient, binary: bool) -> None:
    names = ["posterior", "component", "log_densities"]
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    found = triton_client.infer("default", [tensor(POINTS, "FP64", binary)], outputs=outputs)
    assert [output["name"] for output in found.get_response()["outputs"]] == names
    posterior = found.as_numpy("posterior")
    np.testing.assert_allclose(posterior.sum(1), 1, rtol=1e-5)
    assert posterior.shape == found.as_numpy("log_densities").shape == (300, 3)
    np.testing.assert_array_equal(
        found.as_numpy("log_densities").argmax(1), found.as_numpy("component")
    )


def test_errors_reach_the_client(triton_client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"trained on \(2,\)"):
        triton_client.infer("default", [tensor(np.zeros((1, 3)), "FP64", True)])
    with pytest.raises(InferenceServerException, match="no model 'mdl_x'"):
        triton_client.infer("mdl_x", [tensor(POINTS, "FP64", True)])


def test_many_at_once(client: Client, triton_client: triton.InferenceServerClient) -> None:
    """Each gets the answer for its own points, or its own error."""
    expected = client.assign(POINTS)
    bodies = [
        body(data=POINTS[i : i + 1 + i % 3].tolist(), shape=[1 + i % 3, 2]) for i in range(60)
    ]
    bodies[7] = body(data=[[1, 2, 3]], shape=[1, 3])

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.http.base_url, timeout=60) as http:
            return list(await asyncio.gather(*[http.post(INFER, json=one) for one in bodies]))

    for i, response in enumerate(asyncio.run(send())):
        if i == 7:
            assert "trained on (2,)" in response.json()["error"]
        else:
            (output,) = response.json()["outputs"]
            assert output["data"] == expected[i : i + 1 + i % 3].tolist()


def body(outputs: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    points = {"name": "points", "shape": [1, 2], "datatype": "FP64", "data": [[1, 2]], **changes}
    given = {name: value for name, value in points.items() if value is not None}
    return {"inputs": [given], "outputs": outputs or []}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "inputs: Field required"),
        ({"inputs": []}, "inputs: List should have at least 1 item"),
        ({"inputs": [body()["inputs"][0]] * 2}, "inputs: List should have at most 1 item"),
        (body(name="x"), "inputs.0.name: Input should be 'points'"),
        (body(datatype="BYTES"), "inputs.0.datatype: Input should be 'UINT8'"),
        (body(data=None), "needs either data or the parameter binary_data_size"),
        (body(data=[[1], [2, 3]]), "data: rows differ in length"),
        (body(data=[["1", "2"]]), 'data[0][0]: "1" is not a number'),
        (body(data=[[1, None]]), "data[0][1]: null is not a number"),
        (body(data=[1.5, True]), "data[1]: true is not a number"),
        (body(data=[[1, 2, 3]]), "data of shape [1, 3] is not FP64 of shape [1, 2]"),
        (body(data=[1, 2, 3]), "data of shape [3] is not FP64 of shape [1, 2]"),
        (body(data=[[1], [2]]), "data of shape [2, 1] is not FP64 of shape [1, 2]"),
        (body(data=[[1, 1.5]], datatype="INT64"), "not all of data is INT64"),
        (body(data=[[1, 256]], datatype="UINT8"), "not all of data is UINT8"),
        (body(data=[], shape=[0, 2]), "there are no points"),
        (body(data=[1], shape=[-1, -1]), "inputs.0.shape.0: Input should be greater than or equal"),
        (body(data=[], shape=[0, 2**70]), "inputs.0.shape.1: Input should be less than"),
        (body(data=[1], shape=[1] * 65), "inputs.0.shape: List should have at most 4 items"),
        (body(data=[[1, 1e999]]), "row 0, column 1: inf is not a finite number"),
        (body(data=[[1, 2, 3]], shape=[1, 3]), "the model was trained on (2,)"),
        (body(data=None, parameters={"binary_data_size": 16}), "is 16; 0 bytes follow"),
        (body(outputs=[{"name": "x"}]), "outputs.0.name: Input should be 'component'"),
        (body(outputs=[{"name": "component"}] * 4), "outputs: List should have at most 3 items"),
        (body(outputs=[{"name": "component"}] * 2), "an output is asked for twice"),
    ],
)
def test_bad_input(client: Client, sent: dict[str, Any], said: str) -> None:
    response = client.http.post(INFER, content=json.dumps(sent))
    assert (response.status_code, list(response.json())) == (400, ["error"])
    assert said in response.json()["error"]


BINARY = json.dumps(body(data=None, parameters={"binary_data_size": 16})).encode()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"{", {}, 400, "Invalid JSON"),
        (b"[" * 100_000, {}, 400, "Invalid JSON"),
        (BINARY + bytes(16), {LENGTH: "nine"}, 400, "is 'nine' of a body of"),
        (BINARY, {LENGTH: "9" * 5000}, 400, "is '9999"),
        (BINARY, {LENGTH: "9999"}, 400, "is '9999' of a body of"),
        (BINARY + bytes(15), {LENGTH: str(len(BINARY))}, 400, "binary_data_size is 16; 15 bytes"),
        (BINARY + bytes(16), {}, 400, "Invalid JSON"),
        (b" " * (MAX_JSON + 1), {}, 413, f"larger than {MAX_JSON:,} bytes"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "compressed bodies are not taken"),
    ],
)
def test_bad_bytes(
    client: Client, content: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    response = client.http.post(INFER, content=content, headers=headers)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert said in response.json()["error"]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v2/models/mdl_x", 404, "there is no model 'mdl_x'"),
        ("GET", "/v2/models/mdl_x/ready", 404, "there is no model 'mdl_x'"),
        ("GET", f"{DEFAULT}/versions/1", 404, "has no version '1'; its one version is 'mdl_"),
        ("GET", f"{DEFAULT}/versions/1/ready", 404, "has no version '1'"),
        ("GET", INFER, 405, "method not allowed"),
        ("GET", "/v2/nowhere", 404, "not found"),
        ("GET", "/v2?x=1", 400, "query.x: unknown parameter"),
    ],
)
def test_errors_have_the_protocols_shape(
    client: Client, method: str, path: str, status: int, said: str
) -> None:
    response = client.http.request(method, path)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert said in response.json()["error"]


def test_an_unknown_version_infers_nothing(client: Client, model: str) -> None:
    for path, status in ((f"{DEFAULT}/versions/{model}", 200), (f"{DEFAULT}/versions/1", 404)):
        assert client.http.post(f"{path}/infer", json=body()).status_code == status


def test_images(client: Client) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 5)).astype(np.uint8)
    ref = client.train(images, 2, iterations=1)["model"]
    sent = body(datatype="UINT8", shape=[40, 5, 5], data=images.ravel().tolist())
    (output,) = client.http.post(f"/v2/models/{ref}/infer", json=sent).json()["outputs"]
    headers = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
    expected = client.http.post(
        "/assign", params={"model": ref}, content=npy(images), headers=headers
    )
    assert output["data"] == from_npy(expected).tolist()
