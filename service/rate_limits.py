"""Requests a second of each caller, counted in Redis for all API processes together."""

import logging
import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import RedisError

from service.errors import TooMany

ANSWER_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """What is left of a caller's window, as the RateLimit header fields tell it."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy, as the IETF's draft of RateLimit header fields has it."""
        return {
            "RateLimit-Policy": f'"requests";q={self.limit};w=1',
            "RateLimit": f'"requests";r={self.remaining};t={self.reset_seconds}',
        }


class RateLimiter:
    """Counts requests. With Redis away they pass: the limit guards against too much of what is
    allowed anyway, and must not be what stops the service."""

    def __init__(self, broker_url: str, per_second: int) -> None:
        self._storage = RedisStorage(
            broker_url.replace("redis+socket:", "redis+unix:"),
            key_prefix="kvae-requests",
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._item = RateLimitItemPerSecond(per_second)

    def count(self, who: str) -> Usage | None:
        """Count a request; None when nothing can be counted. Raises TooMany."""
        try:
            passes = self._limiter.hit(self._item, who)
            window = self._limiter.get_window_stats(self._item, who)
        except (RedisError, OSError) as error:
            log.warning("requests are not limited: %s", error)
            return None
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        usage = Usage(self._item.amount, window.remaining, seconds)
        if not passes:
            detail = f"more than {usage.limit:,} requests a second"
            headers = {**usage.headers(), "Retry-After": str(seconds)}
            raise TooMany("rate_limited", detail, headers=headers)
        return usage

    def close(self) -> None:
        self._storage.storage.close()
