"""Random streams named by what they are for, so that a resumed run repeats an undisturbed one."""

from hashlib import blake2b

import torch


def random_stream(device: torch.device | str, *key: object) -> torch.Generator:
    """A generator that depends on nothing but ``key``, for example (seed, iteration, purpose)."""
    return torch.Generator(device).manual_seed(derived_seed(*key))


def derived_seed(*key: object, bits: int = 63) -> int:
    """An integer of ``bits`` bits that depends on nothing but ``key``."""
    digest = blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - bits)
