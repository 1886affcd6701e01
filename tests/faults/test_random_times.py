"""kill -9 of any process at any time: `make test-faults` does it 200 times. What a seed does is
done again by `pytest tests/faults/test_random_times.py --seed SEED`."""

import random
import time

from tests.faults.invariants import violations
from tests.faults.stack import VICTIMS, Stack

SECONDS = 3.0  # what a job takes, about


def test_a_process_is_killed(stack: Stack, seed: int) -> None:
    chosen = random.Random(seed)
    victim, at = chosen.choice(VICTIMS), chosen.uniform(0, SECONDS)
    print(f"seed {seed}: {victim} after {at:.3f} s")  # pytest shows it of what fails
    job = stack.submit()
    time.sleep(at)
    stack.strike(victim)
    assert stack.until_ended(job) == "succeeded"
    assert violations(stack.database, stack.storage, stack.undisturbed, job) == []


def test_all_of_it_was_right(running: Stack) -> None:
    assert violations(running.database, running.storage) == []
