"""Archives: what is exported loads without the service and comes back; nothing else comes in."""

import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from sqlalchemy import select

from api_schemas.archives import MEMBERS
from service import assignments, components, models, turns
from service.archives import export, imports, load
from service.archives.export import Exporter
from service.database import Database, migrate
from service.errors import Busy, Forbidden, NotFound, ServiceError
from service.ownership import Caller
from service.storage import Folder
from service.tables import ModelRow
from tests.points import three_blobs
from tests.service.fits import fit_blobs, publish
from tests.service.onnx import check_onnx
from trainer import Fit
from trainer.serialise import pack

MAX_BYTES = 1 << 20
ALONE = """
import json, sys

class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("trainer", "service", "api_schemas"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import torch
from load import load
model = load("model.safetensors")
points, components = model.sample(20, seed=5)
assigned = model.assign(torch.tensor(json.loads(sys.argv[1])))
print(json.dumps([points.tolist(), components.tolist(), assigned.tolist()]))
"""
Files = dict[str, bytes]
X = {"name": "x", "type": "number"}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


@pytest.fixture(scope="module")
def exported(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    url = f"sqlite:///{folder / 'origin.db'}"
    migrate(url)
    database = Database(url)
    model_id = publish(database, fit)
    (folder / "parts").mkdir()
    path = folder / "model.zip"
    with path.open("w+b") as file:
        Exporter().write(database, model_id, folder / "parts", file)
    database.close()
    return path


def test_more_exports_than_may_wait_are_sent_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST", 0)
    with pytest.raises(Busy, match="try again later") as raised:
        Exporter().write(database, "mdl_x", Path(), io.BytesIO())
    assert raised.value.headers == {"Retry-After": "10"}


def test_a_graph_that_takes_too_long_is_a_reason_to_come_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(export, "TRACING_SECONDS", 0.01)
    with pytest.raises(Busy, match=r"not traced in 0\.01 s"):
        export.trace(tmp_path / "weights.safetensors", tmp_path)


def unpacked(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_it_loads_with_torch_and_safetensors_alone(
    exported: Path, fit: Fit, tmp_path: Path
) -> None:
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(tmp_path)
    points = three_blobs()[0][:100]
    command = [sys.executable, "-c", ALONE, json.dumps(points.tolist())]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    made, made_by, assigned = json.loads(ran.stdout)
    expected = fit.mixture.sample(20, seed=5)
    np.testing.assert_allclose(made, expected.points, atol=1e-4)
    assert made_by == expected.components.tolist()
    assert assigned == fit.mixture.assign(points).tolist()
    assert {path.name for path in tmp_path.glob("*.*")} >= MEMBERS
    model = load.load(str(tmp_path / "model.safetensors"))
    check_onnx(tmp_path, fit.mixture, model, points)


def test_what_its_readme_says_can_be_run(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    readme = Path("README.md").read_text()
    scope: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", readme, re.S):
        exec(block, scope)  # noqa: S102
    assert scope["points"].shape == (100, 2)
    assert len(scope["components"]) == len(scope["posterior"]) == 100
    assert re.search(r"@[\w.-]+-mdl_\w+\.zip", readme)


def test_an_archive_comes_back_as_one_model(exported: Path, fit: Fit, database: Database) -> None:
    ids = set()
    for is_new in (True, False):
        archive = imports.read(exported, MAX_BYTES)
        with database.write() as session:
            model, new = imports.store(session, archive)
            ids.add(model.id)
        assert new is is_new
    with database.used_by(Caller("another")).write() as session:
        assert imports.store(session, archive)[1]
    assert len(ids) == 1
    with database.read() as session:
        model = models.get(session, ids.pop())
        view = models.view(model)
        assert models.weights(session, model.id) == fit.mixture.to_bytes()
        with pytest.raises(NotFound, match="was imported"):
            assignments.of_model(model)
        known = components.known(session, model, 1)
    shown = components.detail(Folder(Path()), known, np.zeros((1, 2)))
    assert (view.provenance.source, view.aliases) == ("imported", [])
    assert view.provenance.origin == archive.manifest.id
    assert view.sizes == np.bincount(fit.partition).tolist()
    assert {feature.name for feature in shown.features} == {"x", "y"}
    assert all(feature.whole and feature.quantiles for feature in shown.features)
    assert len(shown.posterior) == fit.mixture.components
    assert shown.typical == []


def with_manifest(archived: Files, **changes: Any) -> Files:
    manifest = json.loads(archived["model.json"]) | changes
    return archived | {"model.json": json.dumps(manifest).encode()}


def with_weights(files: Files, weights: bytes) -> Files:
    """As they would be if whoever made them also told their hash."""
    listed = json.loads(files["model.json"])["files"]
    listed["model.safetensors"]["sha256"] = sha256(weights).hexdigest()
    return with_manifest(files | {"model.safetensors": weights}, files=listed)


def with_tensors(
    files: Files, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]
) -> Files:
    weights = files["model.safetensors"]
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(json.loads(weights[8 : 8 + length])["__metadata__"]["kvae"])
    tensors = load_tensors(weights)
    change(tensors, header["description"])
    return with_weights(files, pack(tensors, "mixture", header["description"]))


def architecture(files: Files, **changes: Any) -> Files:
    return with_tensors(files, lambda _, spec: spec["architecture"].update(changes))


def spoiled(files: Files) -> Files:
    return with_tensors(files, lambda tensors, _: tensors["scaling.shift"].fill_(torch.nan))


def reference(files: Files, values: list[float]) -> Files:
    new = torch.tensor(values, dtype=torch.float64)
    return with_tensors(files, lambda tensors, _: tensors.update(reference=new))


def without(files: Files, name: str) -> Files:
    return {n: data for n, data in files.items() if n != name}


BAD: dict[str, tuple[Callable[[Files], Files], str]] = {
    "path": (
        lambda f: f | {"../../etc/passwd": b""},
        "'../../etc/passwd' leads out",
    ),
    "absolute": (lambda f: f | {"/model.json": b""}, "'/model.json' leads out"),
    "foreign": (lambda f: {"points.csv": b"1,2"}, "'points.csv' is no file"),
    "no weights": (lambda f: without(f, "model.safetensors"), "there is no model.safetensors"),
    "no manifest": (lambda f: without(f, "model.json"), "there is no model.json"),
    "unlisted": (lambda f: without(f, "load.py"), "not those that model.json names"),
    "another loader": (lambda f: f | {"load.py": b"import os"}, "load.py is not what model.json"),
    "bomb": (lambda f: with_weights(f, bytes(MAX_BYTES + 1)), "unpacks to 1,048,577 bytes"),
    "not json": (lambda f: f | {"model.json": b"{"}, "model.json: EOF while parsing an object"),
    "deep json": (lambda f: f | {"model.json": b"[" * 10**6}, "model.json: recursion limit"),
    "alpha": (lambda f: with_manifest(f, alpha=[0.5, 0.4, 0.2]), "shares that add up to 1"),
    "alpha of none": (lambda f: with_manifest(f, alpha=[]), "model.json: alpha"),
    "another alpha": (lambda f: with_manifest(f, alpha=[0.5, 0.25, 0.25]), "its alpha is another"),
    "nan": (lambda f: with_manifest(f, metrics={"x": float("nan")}), "not JSON compliant"),
    "config": (lambda f: with_manifest(f, config={"epoch": 1}), "model.json: config"),
    "extra": (lambda f: with_manifest(f, code="import os"), "code: Extra inputs"),
    "shape": (lambda f: with_manifest(f, shape=[3]), "its columns do not make points of 3"),
    "negative shape": (lambda f: with_manifest(f, shape=[-2, -1]), "model.json: shape.0"),
    "one name twice": (lambda f: with_manifest(f, columns=[X, X]), "column 'x' occurs twice"),
    "pickle": (lambda f: with_weights(f, pickle.dumps([1])), "model.safetensors: not a whole"),
    "torn": (lambda f: with_weights(f, f["model.safetensors"][:-9]), "not a whole mixture"),
    "huge": (lambda f: architecture(f, hidden=2**20), "is not as its header says"),
    "negative": (lambda f: architecture(f, hidden=-1), "its networks have a size that is none"),
    "list": (lambda f: with_tensors(f, lambda _, spec: spec.update(architecture=[])), "be built"),
    "unsorted": (lambda f: reference(f, [2.0, 1.0]), "reference is not that of a VAE, sorted"),
    "no reference": (lambda f: reference(f, []), "reference is not that of a VAE, sorted"),
    "words": (lambda f: architecture(f, hidden="many"), "architecture.hidden: Input should be a"),
    "unknown": (lambda f: architecture(f, code="import os"), "its networks can't be built"),
    "other points": (lambda f: architecture(f, shape=[3]), "is not as its header says"),
    "no number": (spoiled, "scaling.shift holds what is no finite number"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_archives(exported: Path, tmp_path: Path, name: str) -> None:
    change, said = BAD[name]
    path = packed(tmp_path / "bad.zip", change(unpacked(exported)))
    with pytest.raises(ServiceError) as caught:
        imports.read(path, MAX_BYTES)
    assert said in caught.value.detail
    assert caught.value.status in (413, 422)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda whole: b"", "the archive can't be read: File is not a zip file"),
        (lambda whole: whole[: len(whole) // 2], "File is not a zip file"),
        (lambda whole: whole[len(whole) // 2 :], "'model.json' in the archive can't be read"),
        (lambda whole: b"\x80\x04" + bytes(99), "File is not a zip file"),
        (lambda whole: crowded(), "its list of members is over 1,048,576 bytes"),
    ],
)
def test_files_that_are_no_archive(
    exported: Path, tmp_path: Path, content: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(content(exported.read_bytes()))
    with pytest.raises(ServiceError, match=said):
        imports.read(path, MAX_BYTES)


def crowded() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number:01000}", b"")
    return buffer.getvalue()


def test_two_of_a_name(exported: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "bad.zip", unpacked(exported))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("load.py", b"")
    with pytest.raises(ServiceError, match=r"load.py is in it twice"):
        imports.read(path, MAX_BYTES)


def test_what_unpacks_without_bounds(exported: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "bad.zip", unpacked(exported), zipfile.ZIP_BZIP2)
    with pytest.raises(ServiceError, match="packed by other than deflate"):
        imports.read(path, MAX_BYTES)


def test_imports_count_for_the_quota(exported: Path, database: Database) -> None:
    caller = Caller("alice", "write", max_bytes=100)
    archive = imports.read(exported, MAX_BYTES)
    with (
        pytest.raises(Forbidden, match="models of this key may take 100 bytes"),
        database.used_by(caller).write() as session,
    ):
        imports.store(session, archive)
    with database.used_by(Caller("alice", "read")).read() as session:
        assert session.scalars(select(ModelRow)).all() == []


def test_few_imports_wait(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST", 0)
    importer = imports.Importer(MAX_BYTES)
    with pytest.raises(Busy, match="are being imported already"), importer.opened(exported):
        pytest.fail("it was opened")
