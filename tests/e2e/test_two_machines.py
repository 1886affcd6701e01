"""Two machines with an API and a worker each: PostgreSQL and S3 are all that they share."""

import time
from contextlib import ExitStack

import httpx
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.e2e.conftest import SHORT, Client, Cluster
from tests.points import npy, three_blobs

LONG = {"iterations": 9, "pretraining_epochs": 60, "epochs": 15, "estimator_epochs": 10}
POINTS, LABELS = three_blobs()


def test_train_assign_and_sample(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        cluster() as machine,
        ExitStack() as first_machine,
        ExitStack() as clients,
        machine("stays") as second_address,
    ):

        def client(address: str) -> Client:
            return Client(clients.enter_context(httpx.Client(base_url=address, timeout=60)))

        first = client(first_machine.enter_context(machine("goes")))
        second = client(second_address)
        dataset = first.upload(POINTS)["id"]
        assert second.http.post("/datasets", content=npy(POINTS)).status_code == 200
        jobs = [first.submit(dataset, 3, seed=1, config=SHORT)["id"] for _ in range(2)]
        models = [second.wait(job)["model"] for job in jobs]
        for model in models:
            assigned = [here.assign(POINTS, model) for here in (first, second)]
            assert adjusted_rand_score(LABELS, assigned[0]) > 0.99
            sampled = [here.sample(model=model, n=50, seed=1) for here in (first, second)]
            for found in (assigned, sampled):
                np.testing.assert_array_equal(found[0], found[1])
        assert np.array_equal(sampled[0], first.sample(model=models[0], n=50, seed=1))

        jobs = [second.submit(dataset, 3, config=LONG)["id"] for _ in range(2)]
        while not all(second.get(f"/jobs/{job}")["progress"]["iteration"] >= 2 for job in jobs):
            time.sleep(0.1)
        first_machine.close()  # its job goes on with the checkpoint that it left in the bucket
        finished = [second.wait(job) for job in jobs]
        assert sorted(job["attempt"] for job in finished) == [1, 2]
        for job in jobs:
            events = second.get(f"/jobs/{job}/events", limit=100)["data"]
            iterations = [e["data"]["iteration"] for e in events if e["type"] == "metrics"]
            assert iterations == list(range(1, LONG["iterations"] + 1))
        samples = [second.sample(model=job["model"], n=50, seed=1) for job in finished]
        np.testing.assert_array_equal(samples[0], samples[1])
        assert not list(tmp_path_factory.getbasetemp().rglob("stays*/cache/tmp/*"))
