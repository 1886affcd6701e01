"""Published models for tests that need no worker."""

from typing import Any

import numpy as np

from service import leases, models
from service.database import Database
from service.summaries import Summary, summarise
from tests.points import three_blobs
from tests.service import rows
from tests.trainer.test_training import short
from trainer import Fit, train


def fit_blobs() -> Fit:
    return train(three_blobs()[0], short(iterations=1))


def claimed(database: Database) -> leases.Claim:
    with database.write() as session:
        claim = leases.claim(session, rows.job(session).id, 60)
    assert claim
    return claim


def publish(database: Database, fit: Fit, claim: leases.Claim | None = None) -> str:
    claim = claim or claimed(database)
    summary = summarise(fit.mixture, three_blobs()[0], fit.partition)
    with database.write() as session:
        leases.record_iteration(session, claim, 1, {"changed": 0.5, "seconds": 1.0})
        return models.publish(session, claim, fit.mixture, summary, "1+abc")


def bare_summary(fit: Fit) -> Summary:
    """Of a fit whose training points are not at hand."""
    nothing: list[Any] = [[] for _ in range(fit.mixture.components)]
    confidence = np.ones(len(fit.partition), np.float32)
    return Summary(fit.partition, confidence, None, nothing, nothing, nothing, [])
