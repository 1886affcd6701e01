"""What ships beside the code: compose file, Dockerfile, example of a .env file, documents."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from service.settings import Settings
from service.storage import Folder

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
COMPOSE_ONLY = {
    *("POSTGRES_PASSWORD", "KVAE_PORT", "KVAE_API_REPLICAS", "KVAE_WORKER_REPLICAS"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
}
SETTING = re.compile(r"^(?:# )?([A-Z_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(COMPOSE)["services"]
    return found


def read(path: str) -> str:
    return (ROOT / path).read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        ["hadolint", ROOT / "Dockerfile"],
    ],
    ids=lambda command: command[0],
)
def test_linter_has_nothing_to_say(command: list[str | Path]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_has_every_package() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    let_in = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert let_in >= {name.rstrip("*") for name in packages}


def test_secrets_come_from_the_environment(services: dict[str, dict[str, Any]]) -> None:
    secrets = [
        (name, value)
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|KEY", name)
    ]
    assert secrets
    for name, value in secrets:
        if value is None:  # of the shell or .env, and none if it is not there
            continue
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name} is a literal or has a default"


def test_no_url_holds_a_password() -> None:
    assert not re.search(r"://[^/@\s]*:[^/@\s]*@", COMPOSE.read_text())


def test_only_loopback_is_published(services: dict[str, dict[str, Any]]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"proxy": ["127.0.0.1:${KVAE_PORT:-8000}:8000"]}


def test_every_service_that_stays_up_has_a_healthcheck(
    services: dict[str, dict[str, Any]],
) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {"migrate"}
    assert services["migrate"]["restart"] == "no"


def test_api_and_workers_wait_for_the_schema(services: dict[str, dict[str, Any]]) -> None:
    for name in ("api", "worker", "worker-gpu"):
        awaited = services[name]["depends_on"]["migrate"]
        assert awaited == {"condition": "service_completed_successfully"}, name


def test_one_address_leads_to_several_api_containers(services: dict[str, dict[str, Any]]) -> None:
    assert services["api"]["deploy"]["replicas"] == "${KVAE_API_REPLICAS:-2}"
    assert services["worker"]["deploy"]["replicas"] == "${KVAE_WORKER_REPLICAS:-2}"
    mounted = services["proxy"]["volumes"][0].split(":")[0]
    backends = re.findall(
        r"^    server-template (\w+) \d+ (\w+):(\d+) ", read(mounted), re.MULTILINE
    )
    assert backends == [("api", "api", "8000")]


def test_the_bucket_is_there_by_profile(services: dict[str, dict[str, Any]]) -> None:
    assert services["s3"]["profiles"] == ["s3"]
    for name in ("api", "worker", "worker-gpu"):
        awaited = services[name]["depends_on"]["s3"]
        assert awaited == {"condition": "service_healthy", "required": False}, name


def test_gpu_worker_reserves_a_gpu(services: dict[str, dict[str, Any]]) -> None:
    gpu, cpu = services["worker-gpu"], services["worker"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert "gpu" in device["capabilities"]
    assert gpu["profiles"] == ["gpu"]
    assert cpu["profiles"] == ["cpu"]
    assert "resources" not in cpu["deploy"]


def test_our_containers_have_no_privileges(services: dict[str, dict[str, Any]]) -> None:
    for name in ("migrate", "proxy", "api", "worker", "worker-gpu"):
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name


def test_temporary_files_have_a_folder_of_their_own(services: dict[str, dict[str, Any]]) -> None:
    folder = services["api"]["environment"]["TMPDIR"]
    assert Path(folder) != Folder(Path("/var/lib/kvae")).scratch_folder
    assert f"kvae {folder}\n" in (ROOT / "Dockerfile").read_text()


def test_env_example_names_every_setting_with_its_default() -> None:
    given = SETTING.findall(read(".env.example"))
    example = dict(given)
    assert len(example) == len(given) - 1  # the storage of docker compose is shown beside it
    settings = {f"KVAE_{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert example.keys() == settings.keys() | COMPOSE_ONLY
    assert not example["POSTGRES_PASSWORD"]
    for name, field in settings.items():
        shown = "" if field.default is None else str(field.default)
        assert example[name] == shown, name


def test_metrics_to_watch_are_there() -> None:
    named = set(re.findall(r"\bkvae_[a-z_]*[a-z]", read("docs/operations.md")))
    source = "".join(path.read_text() for path in (ROOT / "service").glob("*.py"))
    assert len(named) > 5
    assert not [name for name in named if f'"{name.removesuffix("_total")}' not in source]
