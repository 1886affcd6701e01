"""The network between worker and database, or worker and broker, is cut or falls silent."""

import time

import pytest

from tests.faults.invariants import violations
from tests.faults.stack import LEASE_SECONDS, Stack
from tests.proxy import State


@pytest.mark.whole
@pytest.mark.parametrize("way", ["to the database", "to the broker"])
@pytest.mark.parametrize("state", ["cut", "silent"])
def test_the_network_fails(stack: Stack, way: str, state: State) -> None:
    proxy = stack.to_database if way == "to the database" else stack.to_broker
    job = stack.submit(iterations=12)
    stack.until(job, "running", iteration=1)
    proxy.be(state)
    waiting = stack.submit()
    time.sleep(2 * LEASE_SECONDS)  # the time that it is away
    proxy.be("whole")
    for one in (job, waiting):
        assert stack.until_ended(one) == "succeeded"
    assert violations(stack.database, stack.storage) == []
