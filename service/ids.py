"""Identifiers: a prefix and 26 characters, time-ordered first and random after."""

import secrets
import time
from base64 import b32encode

CROCKFORD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz"
)
DIGITS, BYTES = 26, 17  # in 26 digits of five bits: what is left of the bytes is padding
RANDOM_BITS, PADDING_BITS = 80, 6


def new_id(prefix: str) -> str:
    """For example job_01kagx3w0c8m5y2v4zq7t9e6bn: ids sort by the millisecond they were made."""
    number = (time.time_ns() // 1_000_000) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    encoded = b32encode((number << PADDING_BITS).to_bytes(BYTES)).translate(CROCKFORD)
    return f"{prefix}_{encoded[:DIGITS].decode()}"


def pattern(prefix: str) -> str:
    """A regular expression of the ids of this prefix."""
    return f"^{prefix}_[0-9a-hjkmnp-tv-z]{{{DIGITS}}}$"
