"""Names and addresses of machines."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit


@lru_cache(256)
def is_loopback(host: str) -> bool:
    """True of ``localhost`` and of loopback addresses."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def hostname(authority: str) -> str:
    """What a Host header names, without its port; nothing where it is no host."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
