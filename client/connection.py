"""Requests that outlive lost connections, restarts and limits, and problems as exceptions."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform
from typing import IO, Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel, ValidationError

from api_schemas.common import PAGE_LIMIT, Page, Problem
from client.bodies import Body
from client.errors import KVAEError, NotFound, ServiceError, UnexpectedAnswer, Unreachable

PASSING = {429, 502, 503, 504}
IN_FLIGHT = "idempotency_key_in_flight"  # an earlier attempt is still at work
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
FIRST_PATIENCE = 1.0  # with an address where nothing ever answered: it may be wrong
CONNECT_SECONDS = 10.0

Answered = TypeVar("Answered", bound=BaseModel)
Result = TypeVar("Result")


class Connection:
    """To one service. Every call may be repeated: a POST that changes something has an
    Idempotency-Key."""

    def __init__(self, address: str, key: str | None, timeout: float, patience: float) -> None:
        """Raises ValueError for what can't be an address or a key."""
        url = _address(address)
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ValueError("a key has printable ASCII characters alone")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Timeout(timeout, connect=CONNECT_SECONDS)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=limits)
        self.address = address
        self._patience = patience
        self._has_answered = False

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, answered: type[Answered], **query: Any) -> Answered:
        """One thing."""
        return parsed(answered, self.request("GET", path, query))

    def pages(
        self, path: str, item: type[Answered], after: str | None = None, **query: Any
    ) -> Iterator[Answered]:
        """All items of a list, or those that follow ``after``, a page at a time."""
        while True:
            paged = {**query, "after": after, "limit": PAGE_LIMIT}
            page = self.get(path, Page[item], **paged)  # type: ignore[valid-type]
            yield from page.data
            if not page.has_more:
                return
            after = page.last_id

    def post(
        self,
        path: str,
        answered: type[Answered],
        query: Mapping[str, Any] | None = None,
        **sent: Any,
    ) -> Answered:
        """What comes of a request that is carried out once, however often it has to be sent."""
        headers = {"Idempotency-Key": uuid4().hex}
        return parsed(answered, self.request("POST", path, query, headers=headers, **sent))

    def delete(self, path: str) -> None:
        """Raises NotFound, but not when an earlier attempt's answer was lost: then it is done."""
        is_lost = False

        def attempt() -> None:
            nonlocal is_lost
            try:
                self._answer("DELETE", path)
            except Unreachable:
                is_lost = True
                raise
            except NotFound:
                if not is_lost:
                    raise

        self._patiently(attempt)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: Any = None,
        into: IO[bytes] | None = None,
    ) -> httpx.Response:
        """The answer, read; with ``into`` its body goes to that seekable file.

        Raises Unreachable or ServiceError, once patience is at its end.
        """

        def attempt() -> httpx.Response:
            return self._answer(method, path, query, headers, body, json, into)

        return self._patiently(attempt)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """An answer that is read as it comes. Raises Unreachable, also while it is read."""

        def attempt() -> httpx.Response:
            with self._lost_is_unreachable():
                response = self._http.send(
                    self._http.build_request("GET", path, headers=headers), stream=True
                )
                return self._checked(response)

        response = self._patiently(attempt)
        try:
            with self._lost_is_unreachable():
                yield response
        finally:
            response.close()

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: Any = None,
        into: IO[bytes] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        sent: dict[str, Any] = {"params": given, "headers": dict(headers or {}), "json": json}
        if body:
            sent["content"] = body.rewound()
            sent["headers"]["Content-Type"] = body.media_type
        with self._lost_is_unreachable():
            response = self._http.send(self._http.build_request(method, path, **sent), stream=True)
            try:
                self._checked(response)
                if into is None:
                    response.read()
                else:
                    into.seek(0)
                    into.truncate()
                    for part in response.iter_bytes():
                        into.write(part)
                    into.seek(0)
            finally:
                response.close()
        return response

    def _checked(self, response: httpx.Response) -> httpx.Response:
        self._has_answered = True
        if response.is_success:
            return response
        response.read()
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            problem = _foreign(response)
        raise ServiceError.of(problem, _retry_after(response))

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Attempt it until it succeeds, is refused for good, or patience ends."""
        began, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                return attempt()
            except (Unreachable, ServiceError) as error:
                wait = _pause_after(error, pause)
                patience = self._patience if self._has_answered else FIRST_PATIENCE
                if wait is None or time.monotonic() + wait > began + patience:
                    raise
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def _lost_is_unreachable(self) -> Iterator[None]:
        try:
            yield
        except httpx.RequestError as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"no answer from {self.address}: {what}") from error


def parsed(answered: type[Answered], response: httpx.Response) -> Answered:
    """Raises UnexpectedAnswer."""
    try:
        return answered.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{response.request.method} {response.request.url} answered something else than a"
        message = f"{what} {answered.__name__}: {where}: {first['msg']}"
        raise UnexpectedAnswer(message) from error


def path_of(*parts: object) -> str:
    """A path of parts that are quoted."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def _address(given: str) -> httpx.URL:
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL as error:
        raise ValueError(f"{given!r} is no address: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"an address is http://HOST:PORT, or with https, unlike {given!r}")
    return url


def _pause_after(error: KVAEError, pause: float) -> float | None:
    """Seconds after which to try again; None: it would be refused again."""
    jittered = uniform(pause / 2, pause)  # noqa: S311
    if not isinstance(error, ServiceError):
        return jittered
    if error.status in PASSING or error.code == IN_FLIGHT:
        return max(jittered, error.retry_after or 0)
    return None


def _retry_after(response: httpx.Response) -> float | None:
    """Of a number of seconds or of a date."""
    given = response.headers.get("Retry-After", "")
    if given.isdecimal():
        return float(given)
    try:
        date = parsedate_to_datetime(given)
    except ValueError:
        return None
    return (date.astimezone(UTC) - datetime.now(UTC)).total_seconds()


def _foreign(response: httpx.Response) -> Problem:
    """An error that is not in the service's own words, as of a proxy."""
    return Problem(
        title=response.reason_phrase,
        status=response.status_code,
        detail=f"{response.request.url} answered {response.status_code} {response.reason_phrase}",
        code="foreign_answer",
        request_id=response.headers.get("X-Request-ID", ""),
    )
