"""Files on their way in: streamed to disk and hashed, never whole in memory."""

import hashlib
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api_schemas.datasets import DatasetOptions
from service import media, openapi
from service.datasets import Upload
from service.errors import BadRequest, InvalidInput
from service.storage import Storage

MULTIPART = "multipart/form-data"
COPY_BYTES = 1 << 20
MAX_FIELDS, MAX_FIELD_BYTES = 1000, 1 << 16
HELD_BYTES = 16 << 20  # of points to assign; what is larger goes through the disk

Body = bytes | Path
FILE_TYPES = {*media.FORMATS.values(), media.JPEG, media.ZIP} - {media.JSON}

OPTION_FIELDS = DatasetOptions.model_json_schema()["properties"]
FILE_FORM: dict[str, object] = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": openapi.BINARY},
}
LIST_FIELDS = ("columns",)  # given once for each of their values
FORM_FIELDS = {"file": openapi.BINARY, "name": openapi.TEXT, **OPTION_FIELDS}
FILE_BODY = openapi.body(
    {
        MULTIPART: {"type": "object", "required": ["file"], "properties": FORM_FIELDS},
        media.CSV: openapi.CSV_BODY,
        **dict.fromkeys(
            (media.NPY, media.NPZ, media.PARQUET, media.ARROW, media.ZIP, media.OCTETS),
            openapi.BINARY,
        ),
    }
)


@contextmanager
def located(fields: Collection[str | int] = ()) -> Iterator[None]:
    """What is said of a file or of an option also says where that came: in the body, as one of the
    ``fields`` of a form did, or in the query."""
    try:
        yield
    except InvalidInput as error:
        named, *rest = error.errors[0].loc if error.errors else [""]
        if rest:  # it says so already
            raise
        if named == "file" or named in fields:
            raise error.within("body") from error
        if named in DatasetOptions.model_fields:
            raise error.within("query") from error
        raise


@dataclass(frozen=True)
class Form:
    """An upload and the fields that came with it; those left empty are as if not given. What its
    Content-Type tells of it goes behind all else that does."""

    upload: Upload
    fields: dict[str, str | list[str]]
    told: dict[str, str]


@asynccontextmanager
async def receive(request: Request, storage: Storage) -> AsyncIterator[Form]:
    """The file of a request, as its raw body or as ``file`` of a multipart form.

    Raises BadRequest, or TooLarge from the body limit.
    """
    with storage.scratch() as path:
        content_type = request.headers.get("content-type")
        media_type = media.base_type(content_type)
        if media_type != MULTIPART:
            saved = await _save(path, request.stream(), "", media_type)
            yield Form(saved, {}, encoding_told(content_type))
            return
        limits = {"max_files": 1, "max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
        async with request.form(**limits) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise BadRequest("file_missing", "the form has no file under the name 'file'")
            media_type = media.base_type(file.content_type)
            upload = await _save(path, _parts(file), file.filename or "", media_type)
            yield Form(upload, _fields(form), encoding_told(file.content_type))


def encoding_told(content_type: str | None) -> dict[str, str]:
    """The option that the charset of a Content-Type stands for."""
    charset = media.charset(content_type)
    return {"encoding": charset} if charset else {}


def refuse_fields(form: Form) -> None:
    """Raise InvalidInput for fields beside the file."""
    for name in form.fields:
        raise InvalidInput.at("body", name, msg="unknown field; this call takes file")


def _fields(form: FormData) -> dict[str, str | list[str]]:
    fields: dict[str, str | list[str]] = {}
    for name in form:
        given = [value for value in form.getlist(name) if isinstance(value, str) and value]
        if len(given) > 1 and name not in LIST_FIELDS:
            msg = f"given {len(given)} times; it takes one value"
            raise InvalidInput.at("body", name, msg=msg)
        if given:
            fields[name] = given if name in LIST_FIELDS else given[0]
    return fields


@asynccontextmanager
async def receive_body(request: Request, storage: Storage) -> AsyncIterator[tuple[Body, str]]:
    """The raw body or ``file`` of a form, and its media type, which the form may not know.

    In a file that lasts as long as the block; JSON and small NPY in memory. Raises BadRequest,
    InvalidInput for other fields of a form, or TooLarge from the body limit.
    """
    media_type = media.base_type(request.headers.get("content-type"))
    if media_type == media.JSON:
        yield await request.body(), media_type
        return
    if media_type == MULTIPART:
        async with receive(request, storage) as form:
            refuse_fields(form)
            declared = form.upload.media_type
            yield form.upload.path, declared if declared in FILE_TYPES else media.OCTETS
        return
    stream = request.stream()
    parts: list[bytes] = []
    if media_type == media.NPY:
        held = 0
        async for part in stream:
            parts.append(part)
            held += len(part)
            if held > HELD_BYTES:
                break
        else:
            yield b"".join(parts), media_type
            return
    with storage.scratch() as path:
        with path.open("wb") as file:
            await run_in_threadpool(file.writelines, parts)
            parts.clear()
            async for part in stream:
                await run_in_threadpool(file.write, part)
        yield path, media_type


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(COPY_BYTES):
        yield part


async def _save(path: Path, parts: AsyncIterator[bytes], filename: str, media_type: str) -> Upload:
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def save(part: bytes) -> None:
            digest.update(part)
            file.write(part)

        async for part in parts:
            await run_in_threadpool(save, part)
        return Upload(path, digest.hexdigest(), file.tell(), filename, media_type)
