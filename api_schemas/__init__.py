"""The words that cross a boundary: pydantic models only, shared by client, service and trainer."""
