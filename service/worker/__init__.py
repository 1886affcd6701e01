"""The Celery worker: the only place where the service meets the training loop."""
