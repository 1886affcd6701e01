"""Stops a process, which knows nothing of it, at a named point: in a statement of its own, by a
trigger that waits for a lock which the test holds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

SECONDS = 60.0
POINTS = {  # of a training
    "before claim": ("UPDATE", "jobs", "OLD.status = 'queued' AND NEW.status = 'running'"),
    "in training": ("UPDATE", "jobs", "NEW.fraction > OLD.fraction AND NEW.fraction < 1"),
    "between checkpoint and event": ("INSERT", "events", "NEW.type = 'metrics'"),
    "in publish": ("INSERT", "assignments", "true"),
}
OTHER_POINTS = {
    "storing what was assigned": ("INSERT", "job_assignments", "true"),
    "creating a job": ("INSERT", "jobs", "true"),
}
COMMITTING = "committing a job"  # from where on it is there, whatever becomes of who created it
NUMBERS = [*POINTS, *OTHER_POINTS, COMMITTING]
FUNCTION = """
CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER stop_{number} BEFORE {act} ON {table} FOR EACH ROW WHEN ({when})
EXECUTE FUNCTION stop_here({number})
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER stop_at_commit AFTER INSERT ON jobs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION stop_here({number})
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def install(url: str) -> None:
    """Make the points of a PostgreSQL database; whoever comes to one passes."""
    with psycopg.connect(url) as connection:
        connection.execute(FUNCTION)
        for number, (act, table, when) in enumerate([*POINTS.values(), *OTHER_POINTS.values()]):
            trigger = TRIGGER.format(number=number, act=act, table=table, when=when)
            connection.execute(trigger.encode())
        connection.execute(AT_COMMIT.format(number=NUMBERS.index(COMMITTING)).encode())


@contextmanager
def stop_at(url: str, point: str) -> Iterator[Callable[[], None]]:
    """Whoever comes to the point waits there till the end of the block. Yields a function that
    returns once somebody does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [NUMBERS.index(point)])

        def until_reached() -> None:
            deadline = time.monotonic() + SECONDS
            while connection.execute(WAITING).fetchone() == (0,):
                assert time.monotonic() < deadline, f"nobody came to {point!r}"
                time.sleep(0.02)

        yield until_reached
        with suppress(psycopg.OperationalError):  # the server may be what was killed
            connection.execute("SELECT pg_advisory_unlock_all()")
