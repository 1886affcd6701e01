"""The Python client: `KVAE("http://...")` trains, assigns and samples over HTTP."""

from client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidInput,
    JobCancelled,
    JobFailed,
    KVAEError,
    NotFound,
    ServiceError,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from client.kvae import KVAE
from client.samples import Samples

__all__ = [
    "KVAE",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "JobCancelled",
    "JobFailed",
    "KVAEError",
    "NotFound",
    "Samples",
    "ServiceError",
    "TooLarge",
    "TooMany",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
]
