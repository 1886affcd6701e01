"""Random streams named by what they are for, so that a resumed run repeats an undisturbed one."""

from hashlib import blake2b
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor


def random_stream(device: torch.device | str, *key: object) -> torch.Generator:
    """A generator that depends on nothing but ``key``, for example (seed, iteration, purpose)."""
    return torch.Generator(device).manual_seed(derived_seed(*key))


def derived_seed(*key: object, bits: int = 63) -> int:
    """An integer of ``bits`` bits that depends on nothing but ``key``; integers of numpy count as
    their value."""
    plain = tuple(int(part) if isinstance(part, Integral) else part for part in key)
    digest = blake2b(repr(plain).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - bits)


class Draws(NamedTuple):
    """Random numbers for K components, of which a process may hold only ``own``.

    All K are drawn and the rest is dropped, so that a component's numbers are the same however
    the components are spread over processes.
    """

    rng: torch.Generator
    components: int
    own: slice = slice(None)
    temperature: float = 1.0

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers whose standard deviation is the temperature, (len(own), *shape)."""
        drawn = torch.randn(self.components, *shape, generator=self.rng, device=self.rng.device)
        return drawn[self.own] if self.temperature == 1 else drawn[self.own] * self.temperature

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) of float64, fine enough to index many points: (own, *shape)."""
        return torch.rand(
            self.components, *shape, generator=self.rng, device=self.rng.device, dtype=torch.float64
        )[self.own]
