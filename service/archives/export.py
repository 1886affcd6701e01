"""A model as one ZIP file that says how to load it without this service."""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from string import Template
from typing import IO

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_schemas.archives import LOADER, MANIFEST, README, WEIGHTS, ArchivedFile, Manifest
from service import models
from service.archives import load
from service.database import Database
from service.errors import NotFound
from service.storage.base import DISK_ERRORS
from service.tables import ComponentRow, ModelRow, WeightChunkRow
from service.turns import Turns, busy

MAX_ONNX_BYTES = 1 << 30  # of weights; a graph's file holds no more than 2 GiB
TRACING_SECONDS = 600
KEPT_BYTES = 32 << 20  # of archives
MAX_NAME = 80  # characters of a model's in that of a file


class Exporter:
    """Writes archives one at a time; graphs are traced in a process of their own, for seconds, so
    the archives of small models are kept for a time."""

    def __init__(self) -> None:
        self._turns = Turns("exports_busy", "models are being exported")
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def write(self, database: Database, model_id: str, folder: Path, file: IO[bytes]) -> None:
        """Write a model's archive by way of an empty folder. Raises NotFound or Busy."""
        with self._turns.taken():
            if model_id not in self._kept:
                self._write(database, model_id, folder, file)
                self._keep(model_id, file)
                return
            self._kept.move_to_end(model_id)
            file.write(self._kept[model_id])

    def _keep(self, model_id: str, file: IO[bytes]) -> None:
        if file.tell() > KEPT_BYTES:
            return
        file.seek(0)
        self._kept[model_id] = file.read()
        while sum(map(len, self._kept.values())) > KEPT_BYTES:
            self._kept.popitem(last=False)

    def _write(self, database: Database, model_id: str, folder: Path, file: IO[bytes]) -> None:
        with database.read() as session:
            model = models.get(session, model_id)
            _write_weights(session, model, folder / WEIGHTS)
            of_it = select(ComponentRow).where(ComponentRow.model_id == model.id)
            known = session.scalars(of_it.order_by(ComponentRow.number)).all()
            view = models.view(model)
        if model.weights_bytes <= MAX_ONNX_BYTES:
            trace(folder / WEIGHTS, folder)
        (folder / LOADER).write_bytes(Path(load.__file__).read_bytes())
        (folder / README).write_text(_readme(model))
        manifest = Manifest(
            **view.model_dump(include={*Manifest.model_fields}),
            features=[component.features for component in known],
            whole=model.whole,
            posterior=[component.posterior for component in known if component.posterior],
            files={path.name: _file(path) for path in sorted(folder.iterdir())},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
        _zip(folder, file)


def file_name(model: ModelRow) -> str:
    """What an archive is called: by the model's name, as far as files are, and its id."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.name).strip("-.") or "model"
    return f"{name[:MAX_NAME]}-{model.id}.zip"


def trace(weights: Path, folder: Path) -> None:
    """Write a model's ONNX graphs into a folder. Raises Busy, OSError or RuntimeError."""
    command = [sys.executable, "-m", "service.archives.onnx", str(weights), str(folder)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TRACING_SECONDS)
    except subprocess.TimeoutExpired as error:
        detail = f"the model's graphs were not traced in {TRACING_SECONDS} s; try again later"
        raise busy("exports_busy", detail) from error
    if ran.returncode in DISK_ERRORS:
        raise OSError(ran.returncode, os.strerror(ran.returncode))
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
        archive=file_name(model),
        components=len(model.alpha),
        code_version=model.provenance["code_version"],
        shape=tuple(model.shape),
    )


def _file(path: Path) -> ArchivedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ArchivedFile(sha256=digest, bytes=path.stat().st_size)


def _zip(folder: Path, file: IO[bytes]) -> None:
    """What is to be read first comes first; weights hardly compress."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.name == WEIGHTS, path.suffix != ".md"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            how = zipfile.ZIP_STORED if path.name == WEIGHTS else zipfile.ZIP_DEFLATED
            archive.write(path, path.name, how)
