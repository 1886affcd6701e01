"""The finished model: K generators, a density estimator and their mixture weights."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.architecture import Architecture
from trainer.errors import InvalidPoints, TrainerError
from trainer.estimators import DensityEstimator
from trainer.generators import Generators
from trainer.kinds import rebuilt_networks
from trainer.points import Points, check_finite, check_shape, chunks
from trainer.random import Draws, random_stream
from trainer.scaling import Scaling
from trainer.serialise import grouped, pack, prefixed, unpack, write_atomically
from trainer.state import TrainingState

MODEL = "mixture.safetensors"  # in a folder
SAMPLE_CHUNK_VALUES = 1 << 22
DENSITY_CHUNK_VALUES = 1 << 22  # in the widest layer, of all components
REFERENCE_POINTS = 1_000  # training points, at random, that outliers are judged by
TIE = 1e-6  # nats; less is rounding


class Samples(NamedTuple):
    """Generated points, (n, *point_shape), and the component that made each, (n,)."""

    points: NDArray[np.floating]
    components: NDArray[np.int64]


class Membership(NamedTuple):
    """What is known of N points and K components; a row of ``posterior`` adds up to 1."""

    components: NDArray[np.int64]  # (N,)
    log_densities: NDArray[np.float32]  # (N, K)
    posterior: NDArray[np.float32]  # (N, K)


@dataclass(frozen=True, eq=False)
class Mixture:
    """P_model = sum_j alpha_j P_gj. Points go in and come out in the data's own units."""

    architecture: Architecture
    point_shape: tuple[int, ...]
    scaling: Scaling
    generators: Generators
    estimator: DensityEstimator
    alpha: NDArray[np.float64]
    reference: NDArray[np.float64] | None = None  # sorted log likelihoods of training points

    @classmethod
    def of(cls, state: TrainingState, alpha: NDArray[np.float64]) -> "Mixture":
        """The mixture that a run has come to."""
        return cls(
            architecture=state.architecture,
            point_shape=state.point_shape,
            scaling=state.scaling,
            generators=state.generators.eval(),
            estimator=state.estimator.eval(),
            alpha=alpha,
        )

    @property
    def components(self) -> int:
        return len(self.alpha)

    @property
    def device(self) -> torch.device:
        return self.generators.device

    def log_densities(self, points: Points) -> NDArray[np.float32]:
        """log dP_gj / dP_d at each point up to a constant a component: (N, *shape) -> (N, K).

        With a classifier P_d is stood for by the mixture itself. Raises InvalidPoints.
        """
        return torch.cat([*map(self._relative, self._scores(points))]).cpu().numpy()

    def assign(self, points: Points) -> NDArray[np.int64]:
        """The component of highest log density: (N, *shape) -> (N,). Raises InvalidPoints."""
        return torch.cat([scores.argmax(1) for scores in self._scores(points)]).cpu().numpy()

    def posterior(self, points: Points) -> NDArray[np.float32]:
        """P(component | point) with alpha as the prior: (N, *shape) -> (N, K), rows sum to 1."""
        return torch.cat([*map(self._weighed, self._scores(points))]).cpu().numpy()

    def membership(self, points: Points) -> Membership:
        """`assign`, `log_densities` and `posterior` at one pass. Raises InvalidPoints."""
        parts = [
            (scores.argmax(1), self._relative(scores), self._weighed(scores))
            for scores in self._scores(points)
        ]
        return Membership(*(torch.cat(some).cpu().numpy() for some in zip(*parts, strict=True)))

    def log_likelihood(self, points: Points) -> NDArray[np.float64]:
        """log P_model at each point, in nats: (N, *shape) -> (N,).

        The mixture of the VAEs' own importance-weighted estimates: its exponential is right in
        expectation, and so it is itself a lower bound in expectation. A density in the data's
        units; of a Bernoulli likelihood, the log probability of pixels scaled to [0, 1]. Computed
        in float64, so that a point's value does not depend on those beside it. Raises
        InvalidPoints, or TrainerError where the generators have no density.
        """
        likelihood = self._straight_likelihood(points)
        if (logarithm := self.scaling.logarithm) is not None:
            for part in chunks(points):
                likelihood[part] += logarithm.log_slopes(np.asarray(points[part], np.float64))
        return likelihood

    def _straight_likelihood(self, points: Points) -> NDArray[np.float64]:
        """`log_likelihood`, but of the logarithms of columns that are learnt as such: in the data's
        units whatever is dear is unlikely."""
        a = self.architecture
        if a.generator != "vae":
            raise TrainerError(f"generators of kind {a.generator!r} have no density; 'vae' has one")
        self._check(points)
        generators = self.generators.select(list(range(self.components))).double()
        log_alpha = torch.from_numpy(self.alpha).log().to(self.device)
        rows = max(1, DENSITY_CHUNK_VALUES // (self.components * max(a.dimensions, a.hidden)))
        parts = [
            (generators.log_density(x.double()) + log_alpha).logsumexp(1)
            for part in chunks(points)
            for x in torch.split(self.scaling.apply(points[part], self.device), rows)
        ]
        likelihood: NDArray[np.float64] = torch.cat(parts).cpu().numpy()
        if a.likelihood == "gaussian":
            likelihood -= np.log(np.broadcast_to(self.scaling.divisor, a.dimensions)).sum()
        return likelihood

    def member_density(self, points: Points, components: NDArray[np.int64]) -> NDArray[np.float32]:
        """log P_gj at each point under the one component j that it is given: (N, *shape), (N,) ->
        (N,), up to a constant. A K-th of the work of `log_likelihood`. Raises InvalidPoints."""
        self._check(points)
        density = np.empty(len(points), np.float32)
        rows = max(
            1, DENSITY_CHUNK_VALUES // max(self.architecture.dimensions, self.architecture.hidden)
        )
        for j in np.unique(components).tolist():
            generator = self.generators.select([j])
            members = np.flatnonzero(components == j)
            for some in np.split(members, range(rows, len(members), rows)):
                x = self.scaling.apply(points[some], self.device)
                density[some] = generator.log_density(x)[:, 0].cpu().numpy()
        return density

    def with_reference(self, points: Points, seed: int) -> Self:
        """The same mixture, able to tell outliers from its training points (N, *shape)."""
        if self.architecture.generator != "vae":
            return self
        order = torch.randperm(len(points), generator=random_stream("cpu", seed, "reference"))
        some = np.sort(order[:REFERENCE_POINTS].numpy())
        return replace(self, reference=np.sort(self._straight_likelihood(points[some])))

    def outlier_score(self, points: Points) -> NDArray[np.float64]:
        """Share of the training points that are more likely: (N, *shape) -> (N,) in [0, 1].

        0.999 is a point less likely than 99.9 % of the training points, by `log_likelihood`, in
        which columns that are learnt as logarithms count as such, and by as many of them as are
        kept for reference. Raises InvalidPoints, or TrainerError where there are none.
        """
        if self.reference is None:
            raise TrainerError("this model keeps no training points' likelihoods to judge by")
        likelihood = self._straight_likelihood(points)
        at_most = np.searchsorted(self.reference, likelihood + TIE, side="right")
        return 1 - at_most / len(self.reference)

    def sample(
        self, n: int, component: int | None = None, seed: int = 0, temperature: float = 1.0
    ) -> Samples:
        """``n`` points from one component, or from the alpha-weighted mixture when none is named.

        The same seed gives the same samples. ``temperature`` multiplies the spread of z and of
        the decoder's noise. Raises IndexError for a component that is not there, ValueError for
        less than one point.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n}")
        if component is None:
            rng = random_stream("cpu", seed, "mixture")
            chosen = torch.from_numpy(self.alpha).multinomial(n, replacement=True, generator=rng)
            components = chosen.numpy()
        elif 0 <= component < self.components:
            components = np.full(n, component)
        else:
            raise IndexError(f"component {component} of {self.components}")
        by_component = np.argsort(components, kind="stable")
        drawn = [
            self._sample_component(j, int((components == j).sum()), seed, temperature)
            for j in np.unique(components).tolist()
        ]
        return Samples(np.concatenate(drawn)[np.argsort(by_component)], components)

    def to_bytes(self) -> bytes:
        """The whole model as one safetensors file whose header holds the JSON description."""
        tensors = {
            **prefixed("generators", self.generators.state_dict()),
            **prefixed("estimator", self.estimator.state_dict()),
            **prefixed("scaling", self.scaling.state_dict()),
            "alpha": torch.from_numpy(self.alpha),
        }
        if self.reference is not None:
            tensors["reference"] = torch.from_numpy(self.reference)
        return pack(tensors, "mixture", self.describe())

    @classmethod
    def from_bytes(cls, data: bytes, device: torch.device | None = None) -> "Mixture":
        """Inverse of `to_bytes`. Raises DamagedState."""
        tensors, spec = unpack(data, "mixture")
        device = device or torch.device("cpu")
        parts = grouped(tensors)
        architecture = Architecture.from_json(spec["architecture"])
        alpha = tensors["alpha"].numpy()
        generators, estimator = rebuilt_networks(len(alpha), architecture, device)
        generators.load_state_dict(parts["generators"])
        estimator.load_state_dict(parts["estimator"])
        return cls(
            architecture=architecture,
            point_shape=tuple(spec["point_shape"]),
            scaling=Scaling.from_state_dict(parts["scaling"]),
            generators=generators.eval(),
            estimator=estimator.eval(),
            alpha=alpha,
            reference=tensors["reference"].numpy() if "reference" in tensors else None,
        )

    def describe(self) -> dict[str, Any]:
        """The JSON that, with the tensors, is the model."""
        return {
            "architecture": asdict(self.architecture),
            "point_shape": list(self.point_shape),
            "alpha": self.alpha.tolist(),
        }

    def save(self, folder: Path | str) -> None:
        """Write mixture.safetensors, all that `load` needs, and mixture.json, for people."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / MODEL, self.to_bytes())
        text = json.dumps(self.describe(), indent=2) + "\n"
        write_atomically(folder / "mixture.json", text.encode())

    @classmethod
    def load(cls, folder: Path | str, device: torch.device | None = None) -> "Mixture":
        """Inverse of `save`. Raises DamagedState or OSError."""
        return cls.from_bytes((Path(folder) / MODEL).read_bytes(), device)

    def _check(self, points: Points) -> None:
        """Raise InvalidPoints unless these are points of the kind trained on."""
        check_shape(points.shape, points.dtype.kind)
        if points.shape[1:] != self.point_shape:
            raise InvalidPoints(
                f"points have shape {points.shape[1:]} each; the model was trained on "
                f"{self.point_shape}"
            )
        check_finite(points)

    def _scores(self, points: Points) -> Iterator[Tensor]:
        """Scores, (n, K) for a chunk of n points at a time."""
        self._check(points)
        for part in chunks(points):
            yield self.estimator.scores(self.scaling.apply(points[part], self.device))

    def _relative(self, scores: Tensor) -> Tensor:
        """Log densities, of a classifier to that of the mixture: (n, K) -> (n, K)."""
        if self.architecture.estimator == "classifier":
            scores = scores - (scores + self._log_alpha()).logsumexp(1, keepdim=True)
        return scores.float()

    def _weighed(self, scores: Tensor) -> Tensor:
        """The posterior: (n, K) -> (n, K)."""
        return (scores + self._log_alpha()).softmax(1).float()

    def _log_alpha(self) -> Tensor:
        return torch.from_numpy(self.alpha).log().to(self.device, torch.float32)

    def _sample_component(
        self, component: int, n: int, seed: int, temperature: float
    ) -> NDArray[np.floating]:
        rng = random_stream(self.device, seed, "component", component)
        draws = Draws(rng, 1, temperature=temperature)
        generator = self.generators.select([component])
        noise = self.architecture.sample_noise and not self.architecture.is_image
        rows = max(1, SAMPLE_CHUNK_VALUES // self.architecture.dimensions)
        parts = [generator.sample(min(rows, n - at), draws, noise)[0] for at in range(0, n, rows)]
        return self.scaling.undo(torch.cat(parts), self.point_shape)
