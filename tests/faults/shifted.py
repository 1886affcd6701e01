"""`python -m tests.faults.shifted HOURS SECONDS`: a worker whose clock jumps by so many hours, so
many seconds after its start."""

import sys
import time
from datetime import datetime, timedelta

from service import table_types


def main() -> None:
    """Before anything else of the service is imported."""
    after, by = float(sys.argv.pop()), timedelta(hours=float(sys.argv.pop()))
    jumps_at = time.monotonic() + after
    right_time, right_utc_now = time.time, table_types.utc_now

    def shift() -> timedelta:
        return by * (time.monotonic() >= jumps_at)

    def shifted_time() -> float:
        return right_time() + shift().total_seconds()

    def shifted_utc_now() -> datetime:
        return right_utc_now() + shift()

    time.time, table_types.utc_now = shifted_time, shifted_utc_now
    from service.worker.__main__ import main as work

    work()


if __name__ == "__main__":
    main()
