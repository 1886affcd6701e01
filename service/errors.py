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
    """Base: an HTTP status, a stable code for programs and a detail for people."""

    status: ClassVar[int] = 500

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
    status = 400


class Unauthorized(ServiceError):
    status = 401


class Forbidden(ServiceError):
    status = 403


class NotFound(ServiceError):
    status = 404
    ref = ""  # by which it was asked for

    @classmethod
    def of(cls, kind: str, ref: str) -> "NotFound":
        error = cls(f"{kind}_not_found", f"there is no {kind} {ref!r}")
        error.ref = ref
        return error


class NotAcceptable(ServiceError):
    status = 406


class RequestTimeout(ServiceError):
    status = 408


class Conflict(ServiceError):
    status = 409


class TooLarge(ServiceError):
    status = 413


class UnsupportedMediaType(ServiceError):
    status = 415


class InvalidInput(ServiceError):
    status = 422

    @classmethod
    def at(cls, *loc: str | int, msg: str, code: str = "invalid_input") -> "InvalidInput":
        """Input that is wrong in one place."""
        where = ".".join(str(part) for part in loc)
        return cls(code, f"{where}: {msg}", [ProblemError(loc=list(loc), msg=msg)])

    def within(self, *place: str) -> "InvalidInput":
        """The same, of what lies in this place."""
        errors = [ProblemError(loc=[*place, *each.loc], msg=each.msg) for each in self.errors]
        return InvalidInput(self.code, self.detail, errors)


class TooMany(ServiceError):
    status = 429


class Busy(ServiceError):
    status = 503


class DatabaseUnavailable(ServiceError):
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__("database_unavailable", detail)


class StorageUnavailable(ServiceError):
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__("storage_unavailable", detail)


class StorageDamaged(StorageUnavailable):
    """What is stored is not what was written."""
