"""Conditional requests: what the client has already is not sent again (RFC 9110, 13.1.2)."""

from fastapi import Request


def is_known(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this entity tag."""
    given = request.headers.get("if-none-match", "")
    named = (tag.strip().removeprefix("W/") for tag in given.split(","))
    return given.strip() == "*" or etag in named
