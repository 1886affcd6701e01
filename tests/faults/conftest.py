"""One stack for all tests, whole again before each; and how many of them there are."""

from collections.abc import Iterator

import pytest

from tests.faults.breakpoints import POINTS
from tests.faults.stack import VICTIMS, Stack, running_stack

# each point once
FEW = [
    ("child", "in publish"),
    ("worker", "between checkpoint and event"),
    ("broker without its data", "before claim"),
    ("postgres", "in training"),
]
FEW_RUNS = 3


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: a test of `make test-faults` alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--fault-runs"):
        whole = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=whole)
        items[:] = [item for item in items if item not in whole]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`make test-faults` asks for all victims at all points and for many runs."""
    runs, seed = (metafunc.config.getoption(name) for name in ("--fault-runs", "--seed"))
    if {"victim", "point"} <= {*metafunc.fixturenames}:
        every = [(victim, point) for point in POINTS for victim in VICTIMS]
        metafunc.parametrize(("victim", "point"), every if runs else FEW)
    if "seed" in metafunc.fixturenames:
        seeds = range(runs or FEW_RUNS) if seed is None else [seed]
        metafunc.parametrize("seed", seeds)


@pytest.fixture(scope="package")
def running(pytestconfig: pytest.Config) -> Iterator[Stack]:
    # disks outlive a test run that is killed, so that most runs mount none
    with running_stack(small_disks=bool(pytestconfig.getoption("--fault-runs"))) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    running.mend()
    yield running
    running.mend()
