"""Models as files: what is exported can be loaded without this service, and imported again."""
