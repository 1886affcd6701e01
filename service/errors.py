"""Errors that a caller can act on; each becomes one problem+json (RFC 9457)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from api_schemas.common import ProblemError

OBJECTS = {"model_type", "model_attributes_type", "dict_type"}


def plain(error: Mapping[str, Any]) -> str:
    """What pydantic says of an input, in words of JSON rather than of Python."""
    if error["type"] in OBJECTS:
        return "Input should be an object"
    message: str = error["msg"]
    return message.removeprefix("Value error, ")


class ServiceError(Exception):
    """Base: an HTTP status, a title for people and a stable code for programs."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        code: str,
        detail: str,
        errors: list[ProblemError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}


class BadRequest(ServiceError):
    status, title = 400, "Malformed request"


class Unauthorized(ServiceError):
    status, title = 401, "Unauthorized"


class Forbidden(ServiceError):
    status, title = 403, "Forbidden"


class NotFound(ServiceError):
    status, title = 404, "Not found"

    @classmethod
    def of(cls, kind: str, ref: str) -> "NotFound":
        return cls(f"{kind}_not_found", f"there is no {kind} {ref!r}")


class NotAcceptable(ServiceError):
    status, title = 406, "Not acceptable"


class RequestTimeout(ServiceError):
    status, title = 408, "Request timeout"


class Conflict(ServiceError):
    status, title = 409, "Conflict"


class TooLarge(ServiceError):
    status, title = 413, "Content too large"


class UnsupportedMediaType(ServiceError):
    status, title = 415, "Unsupported media type"


class InvalidInput(ServiceError):
    status, title = 422, "Invalid input"

    @classmethod
    def at(cls, *loc: str | int, msg: str, code: str = "invalid_input") -> "InvalidInput":
        """Input that is wrong in one place."""
        where = ".".join(str(part) for part in loc)
        return cls(code, f"{where}: {msg}", [ProblemError(loc=list(loc), msg=msg)])


class TooMany(ServiceError):
    status, title = 429, "Too many requests"


class Busy(ServiceError):
    status, title = 503, "Unavailable"


class DatabaseUnavailable(ServiceError):
    status, title = 503, "Unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__("database_unavailable", detail)


class StorageUnavailable(ServiceError):
    status, title = 503, "Unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__("storage_unavailable", detail)


class StorageDamaged(StorageUnavailable):
    """What is stored is not what was written."""
