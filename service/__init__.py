"""The HTTP service, its database and its queue around the trainer."""
