"""`python -m migrations.check`: migrates a fresh SQLite database up, down and up, then compares."""

import tempfile
from pathlib import Path

from alembic import command

from service.database import migration_config


def main() -> None:
    """Raises CommandError when the newest schema is not that of service.tables."""
    with tempfile.TemporaryDirectory() as folder:
        config = migration_config(f"sqlite:///{Path(folder) / 'check.db'}")
        command.upgrade(config, "head")
        command.downgrade(config, "base")
        command.upgrade(config, "head")
        command.check(config)


if __name__ == "__main__":
    main()
