"""What is said of a model's components."""

from pathlib import Path

import numpy as np
import pytest
import torch

import service.features
from api_schemas.models import QUANTILES
from service import components, models, summaries
from service.database import Database
from service.storage import Folder
from service.tables import DatasetRow
from tests.points import Points, digits, npy, three_blobs
from tests.service.fits import claimed, fit_blobs, publish
from tests.trainer.test_training import short
from trainer import Fit, train


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


def test_features_are_those_of_the_members(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    points = three_blobs()[0]
    monkeypatch.setattr("trainer.points.CHUNK_VALUES", 64)
    monkeypatch.setattr(service.features, "QUANTILE_POINTS", 150)
    summary = summaries.summarise(fit.mixture, points, fit.partition)
    assert summary.sizes == np.bincount(fit.partition).tolist()
    for j, features in enumerate(summary.features):
        members = points[fit.partition == j]
        mean, deviation = members.mean(0), members.std(0)
        shift = (mean - points.mean(0)) / points.std(0)
        found = [[f.mean, f.deviation, f.shift] for f in features]
        np.testing.assert_allclose(found, np.stack([mean, deviation, shift], 1), atol=1e-9)
        quantiles = np.quantile(members, QUANTILES, axis=0).T  # 100 members: all of them
        np.testing.assert_allclose([f.quantiles for f in features], quantiles)
    whole = [[s.mean, s.deviation] for s in summary.whole]
    np.testing.assert_allclose(whole, np.stack([points.mean(0), points.std(0)], 1))
    roughly = np.quantile(points, QUANTILES, axis=0).T  # by half of the points
    np.testing.assert_allclose([s.quantiles for s in summary.whole], roughly, atol=2)


def test_posteriors_tell_which_components_are_close(fit: Fit) -> None:
    points = three_blobs()[0]
    summary = summaries.summarise(fit.mixture, points, fit.partition)
    posterior = fit.mixture.posterior(points)
    expected = [posterior[fit.partition == j].mean(0) for j in range(3)]
    np.testing.assert_allclose(summary.posterior, expected, atol=1e-6)


def test_outlier_scores_are_about_those_of_assign(fit: Fit) -> None:
    check_outlier_scores(fit, three_blobs()[0])


def test_of_prices_scores_and_features_are_right_too() -> None:
    rng = np.random.default_rng(0)
    prices = np.exp(np.repeat([[0.0, 3], [4, 0], [4, 6]], 200, 0) + rng.normal(0, 0.5, (600, 2)))
    fit = train(prices, short(iterations=2, pretraining_epochs=100))
    assert fit.mixture.scaling.logarithm is not None
    check_outlier_scores(fit, prices)
    summary = summaries.summarise(fit.mixture, prices, fit.partition)
    means = [[feature.mean for feature in features] for features in summary.features]
    expected = [prices[fit.partition == j].mean(0) for j in range(3)]
    np.testing.assert_allclose(means, expected, rtol=1e-6)


def check_outlier_scores(fit: Fit, points: Points) -> None:
    """That the stored ones are those of /assign, about."""
    score = summaries.summarise(fit.mixture, points, fit.partition).outlier_score
    assert score is not None
    expected = fit.mixture.outlier_score(points)
    assert np.corrcoef(score, expected)[0, 1] > 0.97
    np.testing.assert_allclose(score[expected > 0.9], expected[expected > 0.9], atol=0.03)


def test_typical_members_lie_where_the_component_is_densest(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = three_blobs()[0]
    monkeypatch.setattr("trainer.mixture.DENSITY_CHUNK_VALUES", 64)
    summary = summaries.summarise(fit.mixture, points, fit.partition)
    for j, rows in enumerate(summary.typical):
        assert len(rows) == summaries.TYPICAL
        assert set(fit.partition[rows]) == {j}
        centre = points[fit.partition == j].mean(0)
        distance = np.linalg.norm(points - centre, axis=1)
        assert distance[rows].mean() < distance[fit.partition == j].mean()


@pytest.mark.parametrize(
    ("points", "options"),
    [(digits()[0][:200], {}), (three_blobs()[0], {"generator": "gan"})],
)
def test_images_and_generators_without_a_density(points: Points, options: dict[str, str]) -> None:
    fit = train(points, short(iterations=1, **options))
    summary = summaries.summarise(fit.mixture, points, fit.partition)
    assert [bool(features) for features in summary.features] == [points.ndim == 2] * 3
    assert all(len(rows) == summaries.TYPICAL for rows in summary.typical)
    assert (summary.outlier_score is None) == ("generator" in options)


def test_a_component_without_members(fit: Fit) -> None:
    nothing_of_0 = np.where(fit.partition == 0, 1, fit.partition)
    summary = summaries.summarise(fit.mixture, three_blobs()[0], nothing_of_0)
    assert (summary.typical[0], summary.sizes[0]) == ([], 0)
    assert summary.posterior[0] == [0, 0, 0]
    assert torch.isfinite(torch.tensor([f.mean for f in summary.features[0]])).all()


def test_members_are_shown_in_the_data_s_own_columns(
    database: Database, fit: Fit, tmp_path: Path
) -> None:
    storage = Folder(tmp_path)
    storage.prepare()
    points = three_blobs()[0]
    claim = claimed(database)
    with database.write() as session:
        dataset = session.query(DatasetRow).one()
        dataset.points_sha256 = storage.put(npy(points))
    publish(database, fit, claim)
    with database.read() as session:
        model = models.get(session, "default")
        known = components.known(session, model, 2)
        page = components.page(session, model, 0, 1)
    shown = components.detail(storage, known, points[:3])
    for member in shown.typical:
        assert member.values == dict(zip("xy", points[member.row].tolist(), strict=True))
    assert all(feature.whole for feature in shown.features)
    assert shown.samples[0] == dict(zip("xy", points[0].tolist(), strict=True))
    assert abs(shown.features[0].shift) >= abs(shown.features[1].shift)
    assert ([item.component for item in page.data], page.has_more) == ([1], True)
    storage.path(known.points_sha256 or "").unlink()  # as by a DELETE in this moment
    assert components.detail(storage, known, points[:3]).typical == []
