"""A model as one ZIP file that says how to load it without this service."""

import hashlib
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from string import Template

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.archives import LOADER, MANIFEST, README, WEIGHTS, ArchivedFile, Manifest
from service import models
from service.archives import load
from service.database import Database
from service.errors import NotFound
from service.tables import ComponentRow, ModelRow, WeightChunkRow

ARCHIVE = "model.zip"
MAX_ONNX_BYTES = 1 << 30  # of weights; a graph's file holds no more than 2 GiB
TRACING_SECONDS = 600


class Exporter:
    """Writes archives; graphs are traced one at a time, in a process of their own."""

    def __init__(self) -> None:
        self._tracing = threading.Lock()

    def write(self, database: Database, ref: str, folder: Path) -> Path:
        """Write a model's archive into an empty folder; returns its path. Raises NotFound."""
        with database.read() as session:
            model = models.get(session, ref)
            _write_weights(session, model, folder / WEIGHTS)
            features = select(ComponentRow.features).where(ComponentRow.model_id == model.id)
            known = session.scalars(features.order_by(ComponentRow.number)).all()
            view = models.view(model)
        if model.weights_bytes <= MAX_ONNX_BYTES:
            with self._tracing:
                trace(folder / WEIGHTS, folder)
        (folder / LOADER).write_bytes(Path(load.__file__).read_bytes())
        (folder / README).write_text(_readme(model))
        manifest = Manifest(
            **view.model_dump(include={*Manifest.model_fields}),
            features=known,
            files={path.name: _file(path) for path in sorted(folder.iterdir())},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
        return _zip(folder)


def trace(weights: Path, folder: Path) -> None:
    """Write a model's ONNX graphs into a folder. Raises RuntimeError."""
    command = [sys.executable, "-m", "service.archives.onnx", str(weights), str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TRACING_SECONDS)
    if ran.returncode:
        raise RuntimeError(f"the model can't be traced: {ran.stderr}")


def _write_weights(session: Session, model: ModelRow, path: Path) -> None:
    """A chunk at a time. Raises NotFound."""
    own = WeightChunkRow.model_id == model.id
    numbers = session.scalars(select(WeightChunkRow.number).where(own)).all()
    with path.open("wb") as file:
        for number in sorted(numbers):
            chunk = select(WeightChunkRow.data).where(own, WeightChunkRow.number == number)
            data = session.scalar(chunk)
            if data is None:  # deleted since it was looked up
                raise NotFound.of("model", model.id)
            file.write(data)


def _readme(model: ModelRow) -> str:
    text = Path(__file__).with_name("README.template.md").read_text()
    return Template(text).substitute(
        name=model.name,
        components=len(model.alpha),
        code_version=model.provenance["code_version"],
        shape=tuple(model.shape),
    )


def _file(path: Path) -> ArchivedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ArchivedFile(sha256=digest, bytes=path.stat().st_size)


def _zip(folder: Path) -> Path:
    """What is to be read first comes first; weights hardly compress."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.name == WEIGHTS, path.suffix != ".md"))
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            how = zipfile.ZIP_STORED if path.name == WEIGHTS else zipfile.ZIP_DEFLATED
            archive.write(path, path.name, how)
    return folder / ARCHIVE
