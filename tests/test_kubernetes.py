"""The manifests of deploy/kubernetes: valid, without privileges, true to the code they start."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import func, select, text

from service.database import Database
from service.serve import ALONE_SECONDS
from service.settings import Settings
from service.tables import JobPartRow
from tests.conftest import NewDatabase
from tests.service import rows
from tests.test_deployment import BIN, ROOT, read

Manifest = dict[str, Any]
FOLDER = ROOT / "deploy" / "kubernetes"
WITHOUT_SCHEMA = {"Kustomization", "ScaledObject"}


def load(path: Path) -> list[Manifest]:
    return list(YAML(typ="safe").load_all(path))


def find(kind: str, name: str) -> Manifest:
    return next(
        manifest
        for path in FOLDER.rglob("*.yaml")
        for manifest in load(path)
        if manifest["kind"] == kind and manifest["metadata"]["name"] == name
    )


def pods() -> Iterator[Manifest]:
    """The pods' specifications, each with one container."""
    for kind, name in [
        ("Job", "kvae-migrate"),
        ("Deployment", "kvae-api"),
        ("Deployment", "kvae-worker"),
    ]:
        yield find(kind, name)["spec"]["template"]["spec"]


def validate(*paths: Path) -> None:
    """Each manifest against the schemas of Kubernetes, which don't know those of others."""
    options = ("--strict", "--quiet", "--no-warn")
    command: list[str | Path] = [BIN / "kubernetes-validate", *options, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifests_are_valid() -> None:
    paths = list(FOLDER.rglob("*.yaml"))
    kinds = {manifest["kind"] for path in paths for manifest in load(path)}
    assert kinds > WITHOUT_SCHEMA
    validate(*paths)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("folder", "worker"), [(".", "kvae-worker"), ("worker-gpu", "kvae-worker-gpu")]
)
def test_kustomize_builds_them(folder: str, worker: str, tmp_path: Path) -> None:
    built = tmp_path / "built.yaml"
    with built.open("wb") as file:
        subprocess.run(["kubectl", "kustomize", FOLDER / folder], check=True, stdout=file)
    validate(built)
    manifests = {
        (manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in load(built)
    }
    scaled = manifests["ScaledObject", worker]["spec"]["scaleTargetRef"]["name"]
    deployment = manifests["Deployment", scaled]["spec"]
    assert (
        deployment["selector"]["matchLabels"].items()
        <= deployment["template"]["metadata"]["labels"].items()
    )
    limits = deployment["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert ("nvidia.com/gpu" in limits) == (folder == "worker-gpu")


def test_pods_have_no_privileges() -> None:
    (uid,) = re.findall(r"^USER (\d+)$", read("Dockerfile"), re.MULTILINE)
    for pod in pods():
        identity = pod["securityContext"]
        assert identity["runAsNonRoot"]
        assert identity["runAsUser"] == identity["fsGroup"] == int(uid)
        assert identity["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_settings_are_known_and_no_secret() -> None:
    names = {f"KVAE_{name.upper()}" for name in Settings.model_fields}
    settings = find("ConfigMap", "kvae")["data"]
    assert settings.keys() <= names
    assert not settings.keys() & {"KVAE_DATABASE_URL", "KVAE_BROKER_URL"}  # they hold passwords
    for pod in pods():
        sources = pod["containers"][0]["envFrom"]
        assert sources == [{"configMapRef": {"name": "kvae"}}, {"secretRef": {"name": "kvae"}}]


def test_the_api_is_asked_and_given_time() -> None:
    pod = find("Deployment", "kvae-api")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")
    }
    assert probes == {"liveness": "/healthz", "readiness": "/readyz"}
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > waits + ALONE_SECONDS


def test_a_worker_without_a_broker_is_not_killed() -> None:
    (container,) = find("Deployment", "kvae-worker")["spec"]["template"]["spec"]["containers"]
    assert "livenessProbe" not in container


def test_workers_follow_the_jobs(postgres: NewDatabase, migrated_template: str) -> None:
    scaling = find("ScaledObject", "kvae-worker")["spec"]
    assert (
        scaling["scaleTargetRef"]["name"] == find("Deployment", "kvae-worker")["metadata"]["name"]
    )
    assert scaling["minReplicaCount"] >= 1
    (trigger,) = scaling["triggers"]
    query = text(trigger["metadata"]["query"])
    with postgres(migrated_template) as url:
        database = Database(url)
        with database.write() as session:
            rows.job(session)
            rows.job(session).status = "succeeded"
            rows.assign_job(session, 30_000_000)
            session.flush()
            parts = session.scalar(select(func.count()).select_from(JobPartRow))
            assert parts
            assert parts > 1
            assert session.scalar(query) == 1 + parts
        database.close()
