"""Who may ask what, and how often: a guarded route's request becomes a caller, or is refused."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

from service import keys
from service.database import Database
from service.errors import Forbidden
from service.hosts import hostname, is_loopback
from service.ownership import Caller
from service.rate_limits import RateLimiter
from service.settings import Settings

REMEMBERED_SECONDS = 2.0  # a revoked key works that much longer
THREADS = 4  # that no slow call can hold
READING_METHOD = "GET"
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-", "x-real-ip")
READING_PATHS = ("/assign", "/v2/")  # asked by POST, but change nothing
JOB_QUERY = "dataset"  # what makes a job of such a request

BEARER = {
    "HTTPBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "a key, as `kvae keys create` shows it",
    }
}
SECURITY: dict[str, Any] = {"security": [{name: [] for name in BEARER}]}


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
            is_noted = keys.is_use_noted(session, caller.key)
        if caller.key and not is_noted:
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
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THREADS))


async def admitted(request: Request) -> Caller:
    """The request's caller. Raises Unauthorized, Forbidden or TooMany."""
    gate: Gate = request.app.state.gate
    scheme, given = get_authorization_scheme_param(request.headers.get("authorization"))
    token = given if given and scheme.lower() == "bearer" else None
    caller = gate.keyring.remembered(token)
    if caller is None:
        caller = await to_thread.run_sync(gate.keyring.look_up, token, limiter=gate.threads)
    request.state.key = caller.key
    if caller.key is None:
        check_local(request)
    check_role(request, caller)
    if gate.limiter:
        who = caller.key or (request.client.host if request.client else "")
        if usage := await to_thread.run_sync(gate.limiter.count, who, limiter=gate.threads):
            request.state.headers |= usage.headers()
    return caller


def check_local(request: Request) -> None:
    """Raise Forbidden unless the request comes from this machine and was meant for it.

    That keeps out web pages in a browser here and proxies, but for those that neither keep the
    Host nor say what they are: nothing tells their requests from local ones.
    """
    client = request.client.host if request.client else ""
    site = request.headers.get("sec-fetch-site", "none")
    is_direct = not any(name.startswith(PROXY_HEADERS) for name in request.headers)
    is_meant = is_loopback(hostname(request.headers.get("host", ""))) and site != "cross-site"
    if is_loopback(client) and is_meant and is_direct:
        return
    detail = (
        "this service has no keys yet and so answers only on its own machine; "
        "make one with 'kvae keys create --name NAME --role admin'"
    )
    raise Forbidden("no_keys_yet", detail)


def check_role(request: Request, caller: Caller) -> None:
    """Raise Forbidden for a write with a key that only reads."""
    if caller.role != "read" or request.method == READING_METHOD:
        return
    path: str = request.scope["route"].path
    makes_job = JOB_QUERY in request.query_params
    if makes_job or not path.startswith(READING_PATHS):
        what = f"{request.method} {path}" + f" with {JOB_QUERY}=" * makes_job
        detail = f"{what} needs a key with the role write; this one may read"
        raise Forbidden("role_too_low", detail)


def _fingerprint(token: str | None) -> bytes:
    return hashlib.sha256((token or "").encode()).digest()
