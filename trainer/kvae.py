"""The algorithm as an estimator of scikit-learn."""

# ruff: noqa: N803 - scikit-learn calls points X
from numbers import Integral
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn import config_context
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from api_schemas.training import (
    Components,
    PresetName,
    TrainingConfig,
    TrainingOptions,
    training_config,
)
from trainer.devices import choose_device
from trainer.errors import InvalidConfig
from trainer.loop import Report, train
from trainer.mixture import Mixture
from trainer.points import Points

RandomState = int | np.random.RandomState | None

OUR_NAMES = {"components": "n_components", "seed": "random_state"}


class KVAE(ClusterMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A mixture of K variational autoencoders, trained by the kVAE algorithm.

    Points are rows (N, D) or images (N, H, W) or (N, C, H, W). Bad points or parameters raise
    ValueError, or TypeError for sparse points; a run whose losses grow without bound, Diverged.

    Parameters:
        n_components: number K of generative models that compete; "auto": by the data.
        preset: what sets the options: "default", "paper-synthetic" or "paper-mnist".
        options: fields of `TrainingOptions` that override the preset's.
        random_state: seed of the run and of `sample`. An int repeats both.
        device: a torch device by its name; None: CUDA when there is one, else the CPU.

    Attributes:
        labels_: component of each training point, (N,) of 0..K-1.
        weights_: share of the training points in each component, (K,); 0 for an empty one.
        n_iter_: turns of the outer loop, over all restarts.
        n_features_in_: columns of a row; of images the length of the second axis.
        mixture_: the `Mixture`, to save or to ask for more.
    """

    labels_: NDArray[np.int64]
    weights_: NDArray[np.float64]
    n_iter_: int
    n_features_in_: int
    mixture_: Mixture

    def __init__(
        self,
        n_components: Components = 10,
        *,
        preset: PresetName = "default",
        options: dict[str, Any] | None = None,
        random_state: RandomState = 0,
        device: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.preset = preset
        self.options = options
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train on points (N, *shape); ``y`` is ignored."""
        points = self._points(X, reset=True)
        config, device = self._config(), choose_device(self.device)
        reports: list[Report] = []
        with config_context(array_api_dispatch=False):  # within, all arrays are numpy's
            self.mixture_, self.labels_ = train(
                points, config, device=device, on_iteration=lambda _, report: reports.append(report)
            )
        self.weights_ = self.mixture_.alpha
        self.n_iter_ = len(reports)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """The component under which each point is most likely: (N, *shape) -> (N,).

        As in the paper all components count alike here, whereas `predict_proba` weighs them.
        """
        return self._fitted().assign(self._points(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """P(component | point) with ``weights_`` as the prior: (N, *shape) -> (N, K)."""
        return self._fitted().posterior(self._points(X))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log density of each point in nats, in the units of the data: (N, *shape) -> (N,).

        A lower bound in expectation, see `Mixture.log_likelihood`. Raises TrainerError when the
        generators are not VAEs.
        """
        return self._fitted().log_likelihood(self._points(X))

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Mean of `score_samples`, by which searches for parameters compare; ``y`` is ignored.
        As that it needs VAEs."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """Points of the mixture, (n_samples, *shape), and the component of each, (n_samples,)."""
        mixture = self._fitted()
        is_whole = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
        if not is_whole or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1, not {n_samples!r}")
        points, components = mixture.sample(n_samples, seed=self._seed())
        return points, components

    def _fitted(self) -> Mixture:
        check_is_fitted(self)
        return self.mixture_

    def _points(self, X: ArrayLike, reset: bool = False) -> Points:
        with config_context(array_api_dispatch=False):
            points: Points = validate_data(self, X, reset=reset, allow_nd=True)
        return points

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _config(self) -> TrainingConfig:
        """Raises InvalidConfig, which names the estimator's own parameter."""
        if self.preset not in get_args(PresetName):
            raise InvalidConfig("preset", f"preset: there is none named {self.preset!r}")
        options = self.options or {}
        if not isinstance(options, dict):
            raise InvalidConfig("options", f"options: a dict of names and values, not {options!r}")
        for name in options.keys() - TrainingOptions.model_fields.keys():
            raise InvalidConfig(name, f"options: there is none named {name!r}")
        k = self.n_components
        if k != "auto" and (isinstance(k, bool) or not isinstance(k, Integral)):
            raise InvalidConfig("n_components", f"n_components: an integer or 'auto', not {k!r}")
        try:
            k = int(k) if isinstance(k, Integral) else k  # numpy's integers are none to pydantic
            return training_config(k, self._seed(), self.preset, **options)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            name = OUR_NAMES.get(field, field)
            raise InvalidConfig(name, f"{name}: {first['msg']}, not {first['input']!r}") from error
