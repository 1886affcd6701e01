"""Who may ask what, and how often: a guarded route's request becomes a caller, or is refused."""

import hashlib
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service import keys
from service.database import Database
from service.errors import Forbidden
from service.hosts import is_loopback
from service.ownership import Caller
from service.rate_limits import RateLimiter
from service.settings import Settings

REMEMBERED_SECONDS = 2.0  # a revoked key works that much longer
READING_METHODS = ("GET", "HEAD")
READING_PATHS = ("/assign", "/v2/")  # asked by POST, but change nothing
JOB_QUERY = "dataset"  # what makes a job of such a request

BEARER = HTTPBearer(auto_error=False, description="a key, as `kvae keys create` shows it")


class Keyring:
    """Callers by their tokens; what the database said is remembered for a moment."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._remembered: dict[bytes, tuple[float, Caller]] = {}

    def remembered(self, token: str | None) -> Caller | None:
        """The caller of a token that was looked up just now."""
        until, caller = self._remembered.get(_fingerprint(token), (0.0, None))
        return caller if time.monotonic() < until else None

    def look_up(self, token: str | None) -> Caller:
        """The caller of a token. Raises Unauthorized."""
        with self._database.read() as session:
            caller = keys.caller(session, token, self._settings)
        if caller.key:
            with self._database.write() as session:
                keys.note_use(session, caller.key)
        until = time.monotonic() + REMEMBERED_SECONDS
        self._remembered[_fingerprint(token)] = (until, caller)  # as many as there are keys
        return caller


@dataclass(frozen=True)
class Gate:
    """What requests are checked against."""

    keyring: Keyring
    limiter: RateLimiter | None


async def admitted(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Caller:
    """The request's caller. Raises Unauthorized, Forbidden or TooMany."""
    gate: Gate = request.app.state.gate
    token = credentials.credentials if credentials else None
    caller = gate.keyring.remembered(token)
    if caller is None:
        caller = await run_in_threadpool(gate.keyring.look_up, token)
    request.state.key = caller.key
    if caller.key is None:
        check_local(request)
    check_role(request, caller)
    if gate.limiter:
        who = caller.key or (request.client.host if request.client else "")
        if usage := await run_in_threadpool(gate.limiter.count, who):
            request.state.headers |= usage.headers()
    return caller


CallerDep = Annotated[Caller, Depends(admitted)]


def check_local(request: Request) -> None:
    """Raise Forbidden unless the request comes from this machine and was meant for it.

    The second half keeps out what reaches loopback by a proxy, or by a web page in a browser here.
    """
    client = request.client.host if request.client else ""
    site = request.headers.get("sec-fetch-site", "none")
    if is_loopback(client) and is_loopback(request.url.hostname or "") and site != "cross-site":
        return
    detail = (
        "this service has no keys yet and so answers only on its own machine; "
        "make one with 'kvae keys create --name NAME --role admin'"
    )
    raise Forbidden("no_keys_yet", detail)


def check_role(request: Request, caller: Caller) -> None:
    """Raise Forbidden for a write with a key that only reads."""
    if caller.role != "read" or request.method in READING_METHODS:
        return
    path: str = request.scope["route"].path
    makes_job = JOB_QUERY in request.query_params
    if makes_job or not path.startswith(READING_PATHS):
        what = f"{request.method} {path}" + f" with {JOB_QUERY}=" * makes_job
        detail = f"{what} needs a key with the role write; this one may read"
        raise Forbidden("role_too_low", detail)


def _fingerprint(token: str | None) -> bytes:
    return hashlib.sha256((token or "").encode()).digest()
