"""Requests are counted over all processes, and secrets blotted out of what is logged."""

from contextlib import closing

import pytest

from service.errors import TooMany
from service.logs import redact
from service.rate_limits import RateLimiter
from tests.servers import broker_server

KEY = "kvae_01m82329xf67t0fm6h3pqwphem"


def ask_too_often(limiter: RateLimiter, who: str, times: int = 1000) -> None:
    for _ in range(times):
        limiter.count(who)


def test_two_processes_share_a_limit() -> None:
    with (
        broker_server() as broker,
        closing(RateLimiter(broker, 10)) as one,
        closing(RateLimiter(broker, 10)) as other,
    ):
        first = one.count("alice")
        assert first
        assert first.headers()["RateLimit-Policy"] == '"requests";q=10;w=1'
        assert first.headers()["RateLimit"].startswith('"requests";r=9;t=')
        with pytest.raises(TooMany, match="more than 10 requests a second") as raised:
            ask_too_often(one, "alice")
        assert int(raised.value.headers["Retry-After"]) >= 1
        with pytest.raises(TooMany):
            ask_too_often(other, "alice", 10)
        assert other.count("bob")


def test_without_redis_requests_pass() -> None:
    limiter = RateLimiter("redis+socket:///nowhere", 1)
    assert [limiter.count("alice") for _ in range(3)] == [None] * 3


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        (f"GET /jobs?key={KEY}_s-e_cret&x=1", f"GET /jobs?key={KEY}_***&x=1"),
        (f"Authorization: Bearer {KEY}_s3", "Authorization: ***"),
        ("postgresql://kvae:pass word@db/kvae", "postgresql://kvae:pass word@db/kvae"),
        ("postgresql://kvae:password@db/kvae", "postgresql://kvae:***@db/kvae"),
        ('{"webhook": {"secret": "abc", "url": 1}}', '{"webhook": {"secret": "***", "url": 1}}'),
        ("?signature=abc&n=1", "?signature=***&n=1"),
        ("secrets are kept", "secrets are kept"),
    ],
)
def test_secrets_are_not_logged(text: str, logged: str) -> None:
    assert redact(text) == logged
