"""Identifiers: a prefix and 26 characters, time-ordered first and random after."""

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
RANDOM_BITS = 80


def new_id(prefix: str) -> str:
    """For example job_01kagx3w0c8m5y2v4zq7t9e6bn: ids sort by the millisecond they were made."""
    number = (time.time_ns() // 1_000_000) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    digits = (ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{''.join(digits)}"
