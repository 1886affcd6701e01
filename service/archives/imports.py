"""An exported archive on its way back in: everything is checked before anything is stored."""

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.archives import MANIFEST, MEMBERS, WEIGHTS, Manifest
from service import models
from service.archives.weights import check_weights
from service.encoding import Encoding
from service.errors import InvalidInput, TooLarge
from service.ids import new_id
from service.ownership import caller_of
from service.tables import ModelRow
from trainer.errors import DamagedState
from trainer.points import check_shape

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_MANIFEST_BYTES = 64 << 20
MAX_DIRECTORY_BYTES = 1 << 16
END, END_BYTES, END_64 = b"PK\5\6", 22, b"PK\6\7"
READ_BYTES = 1 << 20


class Archive(NamedTuple):
    """What is kept of an archive, and the name it goes by: the SHA-256 of its manifest, which
    names the content of all its other files."""

    manifest: Manifest
    weights: bytes
    sha256: str


def read(path: Path, max_bytes: int) -> Archive:
    """The model in an archive, no file of which may unpack to more than ``max_bytes``.

    Raises InvalidInput or TooLarge.
    """
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, max_bytes)
            text = archive.read(members[MANIFEST])
            manifest = _manifest(text)
            _check_files(archive, members, manifest)
            weights = archive.read(members[WEIGHTS])
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _refused(f"not a whole ZIP file: {error}") from error
    try:
        check_weights(weights, manifest.shape, manifest.alpha)
    except DamagedState as error:
        raise _refused(f"{WEIGHTS}: {error}") from error
    return Archive(manifest, weights, hashlib.sha256(text).hexdigest())


def store(session: Session, archive: Archive) -> tuple[ModelRow, bool]:
    """The model of an archive, and whether it is new: an owner's same archive is one model."""
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
        **fields,
    )
    features = [[feature.model_dump() for feature in some] for some in manifest.features]
    try:
        with session.begin_nested():
            models.add(session, model, archive.weights, [[] for _ in features], features)
    except IntegrityError:  # another request stored the same archive in this moment
        return session.scalars(same).one(), False
    return model, True


def _refused(msg: str) -> InvalidInput:
    return InvalidInput.at("body", "file", msg=msg, code="invalid_archive")


def _check_directory(path: Path) -> None:
    """Before it is read as a whole: that of an export is small."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MAX_DIRECTORY_BYTES))
        tail = file.read()
    bare = tail[-END_BYTES:]
    without_comment = bare.startswith(END) and bare.endswith(b"\0\0")
    at = len(tail) - END_BYTES if without_comment else tail.rfind(END)
    if at < 0 or len(tail) < at + END_BYTES:
        raise _refused("not a ZIP file")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > MAX_DIRECTORY_BYTES or tail[: max(0, at - 16)].endswith(END_64):
        raise _refused("it has more files than an exported model")


def _members(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Only names that an export has, each once: none can lead out of anywhere."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename
        if name not in MEMBERS:
            raise _refused(f"{name[:100]!r} is no file of an exported model")
        if name in members:
            raise _refused(f"{name} is in it twice")
        if info.header_offset < 0:
            raise _refused("its beginning is missing")
        if info.flag_bits & 1 or info.compress_type not in METHODS:
            raise _refused(f"{name} is encrypted, or packed by other than deflate")
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
        raise _refused(f"{MANIFEST}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise _refused(f"{MANIFEST}: {error}") from error
    return manifest


def _check_points(manifest: Manifest) -> None:
    """Raise ValueError unless shape, columns and features fit one another."""
    shape = manifest.shape
    check_shape((1, *shape))
    if len(shape) == 1 and Encoding(manifest.columns).dimensions != shape[0]:
        raise ValueError(f"its columns do not make points of {shape[0]} numbers")
    for features in manifest.features:
        if features and (len(shape) > 1 or len(features) != shape[0]):
            raise ValueError("its features are not those of its points")


def _check_files(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], manifest: Manifest
) -> None:
    """Raise InvalidInput unless every file is what the manifest says."""
    if {*manifest.files} != {*members} - {MANIFEST}:
        raise _refused(f"its files are not those that {MANIFEST} names")
    for name, file in manifest.files.items():
        digest = hashlib.sha256()
        with archive.open(members[name]) as member:
            while part := member.read(READ_BYTES):
                digest.update(part)
        if digest.hexdigest() != file.sha256:
            raise _refused(f"{name} is not what {MANIFEST} says: its SHA-256 is another")
