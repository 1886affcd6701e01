"""The lines of Algorithm 1: train the generators, train the estimator, reassign."""

from collections.abc import Callable

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.adam import Adam
from trainer.estimators import DensityEstimator, new_estimator
from trainer.generators import Generators, Schedule, SteppedGenerators
from trainer.partition import (
    Members,
    component_sizes,
    is_everywhere,
    mixture_weights,
)
from trainer.random import Draws, derived_seed, random_stream
from trainer.ranks import Ranks
from trainer.scaling import ScaledPoints
from trainer.splits import split_largest
from trainer.state import TrainingState
from trainer.steps import estimator_batch
from trainer.stopping import Place, StopTraining

LAST_STEP_SIZE = 0.02  # of the first, when it is annealed
TWINS = 0.4  # how far two components' samples pass for each other's: at 0.5 they are the same
TWIN_SCORES = 1 << 16  # of all components' samples under all components


def train_generators(
    state: TrainingState, x: ScaledPoints, schedule: Schedule, ranks: Ranks
) -> list[float]:
    """Line 3: every generator fits its own points; returns the mean losses, (K,)."""
    k = len(state.generators)
    rng = random_stream(x.device, state.config.seed, state.iteration, "generators")
    if state.config.pretrain_one and is_everywhere(state.partition):
        one = state.generators.select([0])
        members = Members(state.partition, 1, state.config.batch_size)
        try:
            loss = one.fit(x, members, schedule, Draws(rng, 1))
        finally:
            for component in range(k):
                state.generators.put([component], one)
        return loss.expand(k).tolist()
    members = Members(state.partition, k, state.config.batch_size, state.shares)
    if ranks.count == 1 or not isinstance(state.generators, SteppedGenerators):
        return state.generators.fit(x, members, schedule, Draws(rng, k)).tolist()
    return _train_own(state.generators, x, members, schedule, rng, ranks)


def _train_own(
    generators: Generators,
    x: ScaledPoints,
    members: Members,
    schedule: Schedule,
    rng: torch.Generator,
    ranks: Ranks,
) -> list[float]:
    """Train this process's components and share them with all others."""
    k = len(generators)
    own = ranks.own(k)
    losses = torch.zeros(k, device=x.device)
    part = generators.select(list(range(k))[own])
    if len(part):
        losses[own] = part.fit(x, members, schedule, Draws(rng, k, own))
    ranks.share(generators, part.eval())
    generators.eval()
    return ranks.add(losses).tolist()


def train_estimator(
    state: TrainingState,
    x: ScaledPoints,
    steps: int,
    advance: Callable[[], None],
    place: Place | None = None,
) -> float:
    """Train the density estimator on samples of the generators; returns its mean loss.

    From a place it goes on there. Raises what ``advance`` raises, of StopTraining with the place.
    """
    config = state.config
    k = len(state.generators)
    rng = random_stream(x.device, config.seed, state.iteration, "estimator")
    if place is None and (config.estimator_reset or not state.estimator.trainable):
        state.estimator = new_estimator(state.generators, rng)
    if not state.estimator.trainable:
        return 0.0
    if state.estimator.optimiser is None:
        state.estimator.start_training()
    batch = estimator_batch(config)
    members = Members(state.partition, k, batch, state.shares)
    draws = Draws(rng, k)
    first, total = 0, torch.zeros((), device=x.device)
    if place:
        first, total = place[:2]
        rng.set_state(place.now)
    done = 0 if config.estimator_reset else state.iteration % config.iterations
    highest = step_size(config, done / config.iterations)
    state.estimator.train()
    for i in range(first, steps):
        falling = step_size(config, i / steps) / config.learning_rate
        _optimiser(state.estimator).step_size = highest * falling
        total += _estimator_step(state, x, members, draws, batch)
        try:
            advance()
        except StopTraining as stop:
            stop.place = Place(i + 1, total, rng.get_state(), rng.get_state())
            raise
    state.estimator.eval()
    return float(total / steps)


def _estimator_step(
    state: TrainingState, x: ScaledPoints, members: Members, draws: Draws, batch: int
) -> Tensor:
    made = _samples(state, x, members, draws, batch)
    real = made[0]
    if state.config.estimator == "discriminators":
        real = x[torch.randint(len(x), (batch,), generator=draws.rng, device=x.device)]
    loss = state.estimator.loss(made, real)
    _optimiser(state.estimator).descend(loss)
    return loss.detach()


def _samples(
    state: TrainingState, x: ScaledPoints, members: Members, draws: Draws, n: int
) -> Tensor:
    """What the generators make, as the finished model will: (K, n, *shape)."""
    noise = state.architecture.sample_noise
    if state.architecture.latent_gaussians:
        return state.generators.resample(x[members.batch(draws)], draws, noise)
    return state.generators.sample(n, draws, noise)


def _optimiser(estimator: DensityEstimator) -> Adam:
    assert estimator.optimiser is not None  # noqa: S101 - it is being trained
    return estimator.optimiser


def reassign(state: TrainingState, x: ScaledPoints, ranks: Ranks) -> float:
    """Line 4: each point goes to the component of highest log density; returns the share moved."""
    soft = state.config.assignment == "soft"
    k = len(state.generators)
    labels = torch.zeros(len(x), dtype=torch.int32, device=x.device)
    shares = torch.zeros(len(x), k, device=x.device) if soft else None
    alpha = mixture_weights(state.partition, k).float()
    if is_everywhere(state.partition):
        alpha = torch.ones_like(alpha)
    for part, scores in state.estimator.fit_scores(x, ranks):
        labels[part] = scores.argmax(1).to(torch.int32)
        if shares is not None:
            shares[part] = (scores + alpha.log()).softmax(1)
    before, state.partition = state.partition, ranks.add(labels).long()
    state.shares = None if shares is None else ranks.add(shares)
    return float((state.partition != before).double().mean())


def rescue(state: TrainingState, x: ScaledPoints) -> None:
    """Give components that are empty, or the double of another, something to train on."""
    config = state.config
    if config.rescue == "none":
        return
    k = len(state.generators)
    seed = derived_seed(config.seed, state.iteration, "rescue")
    before = state.partition
    for twin, other in twins(state, x):
        state.partition = torch.where(state.partition == twin, other, state.partition)
    empty = (component_sizes(state.partition, k) == 0).nonzero()[:, 0].tolist()
    if not empty:
        return
    if config.rescue == "split":
        state.partition, sources = split_largest(x, state.partition, k, empty, seed)
        state.generators.restart(sources)
    else:
        _reseed(state, empty, seed)
    if state.shares is not None:
        moved = state.partition != before
        state.shares[moved] = torch.nn.functional.one_hot(state.partition[moved], k).float()


def _reseed(state: TrainingState, empty: list[int], seed: int) -> None:
    """Empty components begin anew, as copies of others, with 1/K of the points at random."""
    n, k = len(state.partition), len(state.generators)
    rng = random_stream(state.partition.device, seed, "reseed")
    share = max(1, n // k)
    sources: dict[int, int] = {}
    for component in empty:
        chosen = torch.randperm(n, generator=rng, device=state.partition.device)[:share]
        sources[component] = int(state.partition[chosen[0]])
        state.partition = state.partition.index_fill(0, chosen, component)
    state.generators.restart(sources)


@torch.no_grad()
def twins(state: TrainingState, x: ScaledPoints) -> list[tuple[int, int]]:
    """Pairs (smaller, larger) of components whose samples the estimator can't tell apart."""
    k = len(state.generators)
    sizes = component_sizes(state.partition, k)
    n = max(8, TWIN_SCORES // k**2)
    draws = Draws(random_stream(state.partition.device, state.config.seed, "twins"), k)
    members = Members(state.partition, k, n, state.shares)
    made = _samples(state, x, members, draws, n)
    scores = state.estimator.scores(made.flatten(0, 1)).view(k, n, k)
    own = scores.diagonal(dim1=0, dim2=2).T[..., None]
    confusion = (scores - own).sigmoid().mean(1)  # [j, l]: l rather than j, on samples of j
    mutual = torch.minimum(confusion, confusion.T).triu(1)
    pairs = (mutual > TWINS).nonzero().tolist()
    return [tuple(sorted(pair, key=lambda j: int(sizes[j]))) for pair in pairs]


def step_size(config: TrainingConfig, at: float) -> float:
    """Adam's, at a share ``at`` of the run."""
    return config.learning_rate * (max(LAST_STEP_SIZE, 1 - at) if config.anneal else 1)
