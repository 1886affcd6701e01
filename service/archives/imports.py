"""An exported archive on its way back in: everything is checked before anything is stored."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.archives import MANIFEST, MEMBERS, WEIGHTS, Manifest
from api_schemas.datasets import MAX_NAME
from service import models, quotas
from service.archives.weights import check_weights
from service.encoding import Encoding
from service.errors import InvalidInput, TooLarge, plain
from service.ids import new_id
from service.ingest.archive import open_archive, parts
from service.ingest.source import check_columns
from service.ownership import caller_of
from service.tables import ModelRow
from service.turns import Turns
from trainer.errors import DamagedState
from trainer.points import check_shape

MAX_MANIFEST_BYTES = 64 << 20
MAX_DIRECTORY_BYTES = 1 << 20  # that of an export is small


class Archive(NamedTuple):
    """What is kept of an archive, and the name it goes by: the SHA-256 of its manifest, which
    names the content of all its other files."""

    manifest: Manifest
    weights: bytes
    sha256: str


class Importer:
    """Reads one archive at a time, as each is held in memory."""

    def __init__(self, max_bytes: int) -> None:
        """No file of an archive may unpack to more than ``max_bytes``."""
        self._max_bytes = max_bytes
        self._turns = Turns("imports_busy", "models are being imported")

    @contextmanager
    def opened(self, path: Path) -> Iterator[Archive]:
        """What is in an archive, for as long as the block lasts. Raises as `read` does, or Busy."""
        with self._turns.taken():
            yield read(path, self._max_bytes)


def read(path: Path, max_bytes: int) -> Archive:
    """The model in an archive, no file of which may unpack to more than ``max_bytes``.

    Raises InvalidInput or TooLarge.
    """
    with open_archive(path, MAX_DIRECTORY_BYTES) as archive:
        members = _members(archive, max_bytes)
        text = b"".join(parts(archive, members[MANIFEST]))
        manifest = _manifest(text)
        weights = _weights(archive, members, manifest)
    try:
        check_weights(weights, manifest.shape, manifest.alpha)
    except DamagedState as error:
        raise _refused(f"{WEIGHTS}: {error}") from error
    return Archive(manifest, weights, hashlib.sha256(text).hexdigest())


def store(session: Session, archive: Archive) -> tuple[ModelRow, bool]:
    """The model of an archive, and whether it is new: an owner's same archive is one model.

    Raises Forbidden when it is over the owner's quota.
    """
    own = ModelRow.owner == caller_of(session).owner  # as admins are shown everyone's
    same = select(ModelRow).where(own, ModelRow.archive_sha256 == archive.sha256)
    if known := session.scalars(same).first():
        return known, False
    manifest = archive.manifest
    known_as = {"source": "imported", "origin": manifest.id}
    fields = manifest.model_dump(include={"name", "shape", "columns", "alpha", "sizes", "metrics"})
    model = ModelRow(
        id=new_id("mdl"),
        archive_sha256=archive.sha256,
        weights_bytes=len(archive.weights),
        config=manifest.config.model_dump(),
        provenance=manifest.provenance.model_dump() | known_as,
        whole=[spread.model_dump() for spread in manifest.whole],
        **fields,
    )
    posterior = manifest.posterior or [[] for _ in manifest.features]
    components = [
        models.component_row([], *one) for one in zip(manifest.features, posterior, strict=True)
    ]
    try:
        with session.begin_nested():
            models.add(session, model, archive.weights, components)
    except IntegrityError:  # another request stored the same archive in this moment
        return session.scalars(same).one(), False
    quotas.check_bytes(session)
    return model, True


def _refused(msg: str) -> InvalidInput:
    return InvalidInput.at("body", "file", msg=msg, code="invalid_archive")


def _members(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Only names that an export has, each once: none can lead out of anywhere."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename
        if name not in MEMBERS:
            raise _refused(f"{name[:100]!r} is no file of an exported model")
        if name in members:
            raise _refused(f"{name} is in it twice")
        cap = min(max_bytes, MAX_MANIFEST_BYTES) if name == MANIFEST else max_bytes
        if info.file_size > cap:
            detail = f"{name} unpacks to {info.file_size:,} bytes; at most {cap:,} are taken"
            raise TooLarge("body_too_large", detail)
        members[name] = info
    for name in (MANIFEST, WEIGHTS):
        if name not in members:
            raise _refused(f"there is no {name} in it")
    return members


def _manifest(text: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate(from_json(text))
        json.dumps(manifest.metrics, allow_nan=False)
        _check_points(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise _refused(f"{MANIFEST}: {where}: {plain(first)}") from error
    except ValueError as error:
        raise _refused(f"{MANIFEST}: {error}") from error
    return manifest


def _check_points(manifest: Manifest) -> None:
    """Raise ValueError unless shape, columns and features fit one another."""
    shape = manifest.shape
    check_shape((1, *shape))
    if len(shape) == 1:
        check_columns([column.name for column in manifest.columns])
    if len(shape) == 1 and Encoding(manifest.columns).dimensions != shape[0]:
        raise ValueError(f"its columns do not make points of {shape[0]} numbers")
    if any(len(name) > MAX_NAME for c in manifest.columns for name in c.categories or ()):
        raise ValueError(f"a category has over {MAX_NAME:,} characters")
    of_each = [len(features) for features in manifest.features]
    for n in (*of_each, len(manifest.whole)):
        if n and (len(shape) > 1 or n != shape[0]):
            raise ValueError("its features are not those of its points")


def _weights(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], manifest: Manifest
) -> bytes:
    """What is kept of the files. Raises InvalidInput unless each is what the manifest says."""
    if {*manifest.files} != {*members} - {MANIFEST}:
        raise _refused(f"its files are not those that {MANIFEST} names")
    weights: list[bytes] = []
    for name, file in manifest.files.items():
        digest = hashlib.sha256()
        for part in parts(archive, members[name]):
            digest.update(part)
            if name == WEIGHTS:
                weights.append(part)
        if digest.hexdigest() != file.sha256:
            raise _refused(f"{name} is not what {MANIFEST} says: its SHA-256 is another")
    return b"".join(weights)
