"""One stack for all tests of a module, whole again before each; and how many of them there are."""

from collections.abc import Iterator

import pytest

from tests.faults.breakpoints import POINTS
from tests.faults.stack import VICTIMS, Stack, running_stack

# each victim and each point at least once
FEW = [
    ("child", "in publish"),
    ("worker", "between checkpoint and event"),
    ("broker without its data", "before claim"),
    ("postgres", "in publish"),
]
FEW_RUNS = 4
WAYS = ("to the database", "to the broker")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`make test-faults` asks for all victims at all points and for many runs."""
    runs, seed = (metafunc.config.getoption(name) for name in ("--fault-runs", "--seed"))
    if "victim" in metafunc.fixturenames:
        every = [(victim, point) for point in POINTS for victim in VICTIMS]
        metafunc.parametrize(("victim", "point"), every if runs else FEW)
    if "way" in metafunc.fixturenames:
        every = [(way, state) for way in WAYS for state in ("cut", "silent")]
        metafunc.parametrize(("way", "state"), every if runs else every[1:2])
    if "seed" in metafunc.fixturenames:
        seeds = range(runs or FEW_RUNS) if seed is None else [seed]
        metafunc.parametrize("seed", seeds)


@pytest.fixture(scope="package")
def running() -> Iterator[Stack]:
    with running_stack() as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    running.mend()
    yield running
    running.mend()
