"""Which addresses the service may call on behalf of its users."""

import asyncio
import ipaddress
import socket

from pydantic import HttpUrl

from service.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        *("64:ff9b::/96", "2002::/16", "2001::/32"),  # carry an IPv4 address, maybe a private one
        "fec0::/10",  # site-local, which Python 3.11 takes for global
        "192.0.0.0/24",  # of protocols; some clouds tell secrets there
    )
]


class RefusedAddress(Exception):
    """A host that is not to be called, or that has no address; the message is one line."""


def check_url(url: HttpUrl, allow_private: bool) -> None:
    """Raise InvalidInput for a webhook that would never be called.

    A name is looked up, and may pass without an address: it may have one by the job's end.
    """
    host = (url.host or "").strip("[]")
    objection = None
    if url.username or url.password:
        objection = "a URL with a user or password in it is not called"
    elif url.scheme != "https" and not allow_private:
        objection = "must be https"
    elif not allow_private and _is_private(host):
        objection = f"{host} leads to no public address"
    if objection:
        raise InvalidInput.at("body", "webhook", "url", msg=objection)


async def addresses_of(host: str, port: int, allow_private: bool) -> list[str]:
    """Where to connect to, best first. Raises RefusedAddress when one of them is not public."""
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedAddress(f"{host} has no address: {error}") from error
    addresses = [str(place[0]) for *_, place in found]
    for address in addresses:
        if not allow_private and not is_public(address):
            raise RefusedAddress(f"{host} has an address that is not public")
    return addresses


def is_public(address: str) -> bool:
    """Neither private, loopback, link-local, multicast, reserved nor a way around that."""
    parsed: Address = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if any(parsed in network for network in REFUSED):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _is_private(host: str) -> bool:
    """Whether all that a name leads to now, if anything, is out of bounds."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return not any(is_public(str(place[0])) for *_, place in found)
