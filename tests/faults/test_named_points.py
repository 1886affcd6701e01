"""kill -9 of each process at each point of a job's life."""

from tests.faults.breakpoints import stop_at
from tests.faults.invariants import violations
from tests.faults.stack import Stack


def test_a_process_is_killed(stack: Stack, victim: str, point: str) -> None:
    with stop_at(stack.url, point) as until_reached:
        job = stack.submit()
        until_reached()
        stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage) == []
