"""Files on their way in: streamed to disk and hashed, never whole in memory."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from service.datasets import Upload
from service.errors import BadRequest
from service.storage import COPY_BYTES, Storage

MULTIPART = "multipart/form-data"

OPENAPI_FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"}
                    },
                }
            },
            "text/csv": {"schema": {"type": "string"}},
            "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@dataclass(frozen=True)
class Form:
    """An upload and the fields that came with it."""

    upload: Upload
    fields: dict[str, str]


async def receive(request: Request, storage: Storage) -> AsyncIterator[Form]:
    """The file of a request, as its raw body or as ``file`` of a multipart form.

    Raises BadRequest, or TooLarge from the body limit.
    """
    with storage.scratch() as path:
        if not request.headers.get("content-type", "").startswith(MULTIPART):
            yield Form(await _save(path, request.stream(), ""), {})
            return
        async with request.form(max_files=1, max_fields=20) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise BadRequest("file_missing", "the form has no file under the name 'file'")
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            yield Form(await _save(path, _parts(file), file.filename or ""), fields)


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(COPY_BYTES):
        yield part


async def _save(path: Path, parts: AsyncIterator[bytes], filename: str) -> Upload:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for part in parts:
            size += len(part)
            await run_in_threadpool(digest.update, part)
            await run_in_threadpool(file.write, part)
    return Upload(path, digest.hexdigest(), size, filename)
