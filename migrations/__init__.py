"""The database's history (Alembic); the tables themselves are in service.tables."""
