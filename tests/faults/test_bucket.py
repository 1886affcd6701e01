"""An S3-compatible server that is killed while it is written to."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from service.tables import IntentRow
from tests.faults.invariants import violations
from tests.faults.stack import Stack, running_stack, s3_part
from tests.points import npy
from tests.servers import S3_CREDENTIALS, wait_for

ROWS = 1 << 22  # 64 MB


@pytest.mark.whole
def test_a_bucket_that_fails_in_mid_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server, url = s3_part(tmp_path)
    server.until_up()
    try:
        with running_stack(url) as stack, ThreadPoolExecutor() as threads:
            job = stack.submit(iterations=12)
            stack.until(job, "running", iteration=1)
            points = npy(np.random.default_rng(0).normal(size=(ROWS, 2)))
            upload = threads.submit(stack.client.http.post, "/datasets", content=points)
            wait_for(lambda: is_storing(stack), AssertionError)
            server.kill()
            refused = upload.result()
            assert refused.status_code == 503
            assert refused.json()["code"] == "storage_unavailable"
            stack.worker.until_logged("next try in")
            server.until_up()
            assert stack.until_ended(job) == "succeeded"
            assert stack.client.get(f"/jobs/{job}")["attempt"] == 1
            assert violations(stack.database, stack.storage) == []
    finally:
        server.kill()


def is_storing(stack: Stack) -> None:
    """Somebody has been about to store something for a while, which checkpoints don't take."""

    def intents() -> set[str]:
        with stack.database.read() as session:
            return set(session.scalars(select(IntentRow.id)))

    before = intents()
    time.sleep(0.3)
    assert before & intents()
