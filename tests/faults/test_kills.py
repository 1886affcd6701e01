"""kill -9 of each process, at each point of a job's life and at random times. `make test-faults`
does both whole, 200 times at random; `pytest tests/faults -k random --seed SEED` does one again."""

import random
import time

import pytest

from tests.faults.breakpoints import stop_at
from tests.faults.invariants import violations
from tests.faults.stack import VICTIMS, Stack

SECONDS = 3.0  # what a job takes, about


def test_killed_at_a_named_point(stack: Stack, victim: str, point: str) -> None:
    with stop_at(stack.url, point) as until_reached:
        job = stack.submit()
        until_reached()
        stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


def test_killed_at_a_random_time(stack: Stack, seed: int) -> None:
    chosen = random.Random(seed)
    victim, at = chosen.choice(VICTIMS), chosen.uniform(0, SECONDS)
    submit = chosen.choice((stack.submit, stack.submit_assign))
    print(f"seed {seed}: {victim}, {at:.3f} s after {submit.__name__}")  # shown of what fails
    job = submit()
    time.sleep(at)
    stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


@pytest.mark.parametrize("victim", ["child", "postgres", "worker stopped"])
def test_killed_as_it_stores_what_it_assigned(stack: Stack, victim: str) -> None:
    with stop_at(stack.url, "storing what was assigned") as until_reached:
        job = stack.submit_assign()
        until_reached()
        stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, *stack.undisturbed, job) == []


def test_all_of_it_was_right(running: Stack) -> None:
    assert violations(running.database, running.storage) == []
