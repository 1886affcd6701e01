"""What all resources share: pages and problems."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

PAGE_LIMIT = 100

T = TypeVar("T")

Role = Literal["read", "write", "admin"]  # of a key

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Closed(BaseModel):
    """Takes no other fields than its own."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _one_unknown(cls, given: Any) -> Any:
        """Without unknown fields after the first: each of millions would be an error of its own."""
        if not isinstance(given, dict) or len(given) <= 1:
            return given
        first = next((name for name in given if name not in cls.model_fields), None)
        return {name: given[name] for name in given if name in cls.model_fields or name == first}


class Page(BaseModel, Generic[T]):
    """One page of a list. Pass ``last_id`` as ``after`` to get the next."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


class ProblemError(BaseModel):
    """One thing that is wrong with the input, and where."""

    loc: list[str | int] = Field(description="path to it, as ['body', 'points', 3, 1]")
    msg: str


class Problem(BaseModel):
    """An error as RFC 9457 (problem details for HTTP APIs) puts it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "there is no model 'mdl_unknown'",
                "code": "model_not_found",
                "request_id": "req_01kagx3w0c8m5y2v4zq7t9e6bn",
                "errors": [],
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="stable word for programs")
    request_id: str = Field(description="also in the X-Request-ID header")
    errors: list[ProblemError] = []
