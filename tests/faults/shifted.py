"""`python -m tests.faults.shifted HOURS`: a worker whose clock is wrong by so many."""

import sys
import time
from datetime import timedelta

from service import table_types


def main() -> None:
    """Before anything else of the service is imported."""
    by = timedelta(hours=float(sys.argv.pop()))
    right_time, right_utc_now = time.time, table_types.utc_now
    time.time = lambda: right_time() + by.total_seconds()
    table_types.utc_now = lambda: right_utc_now() + by
    from service.worker.__main__ import main as work

    work()


if __name__ == "__main__":
    main()
