"""The running service keeps to its OpenAPI document, as schemathesis tries it."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.conftest import ENVIRONMENT, Client
from tests.e2e.test_keys import create_key
from tests.points import three_blobs
from tests.servers import embedded_service

CONFIG = Path(__file__).with_name("contract.toml")
SHORT = "--max-examples 5 --phases examples,fuzzing,stateful"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_the_contract_is_kept(tmp_path: Path) -> None:
    """All checks and stateful links. Longer with KVAE_CONTRACT="--max-examples 100"."""
    options = os.environ.get("KVAE_CONTRACT", SHORT).split()
    bearer = f"Bearer {create_key(tmp_path, 'contract', 'write')}"
    with (
        embedded_service(tmp_path, ENVIRONMENT) as (address, _),
        httpx.Client(base_url=address, headers={"Authorization": bearer}, timeout=60) as http,
    ):
        job = Client(http).train(three_blobs()[0], 3)
        http.get("/models/default/export", timeout=300).raise_for_status()  # kept from here on
        command: list[str | Path] = [SCHEMATHESIS, "--config-file", CONFIG]
        command += ["run", f"{address}/openapi.json"]
        command += ["--checks", "all", "--seed", "1", "--continue-on-failure", "--no-color"]
        command += ["--request-timeout", "60"]  # another test may have the cores
        command += ["-H", f"Authorization: {bearer}", *options]
        ids = {"KVAE_DATASET": job["dataset"], "KVAE_JOB": job["id"]}
        done = subprocess.run(
            command,
            env={**os.environ, **ids},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
