"""What the components of an unfinished run make."""

from typing import Any

import torch
from numpy.typing import NDArray

from trainer.partition import Members
from trainer.points import Points
from trainer.random import Draws, random_stream
from trainer.state import TrainingState


@torch.no_grad()
def preview(state: TrainingState, points: Points, n: int) -> NDArray[Any]:
    """``n`` points from each component, in the data's units: (K, n, *point_shape).

    z are codes of the component's own ``points``, as its latent density is not fitted yet. It has
    a random stream of its own, the same each time, and leaves the state as it is.
    """
    k, a = len(state.generators), state.architecture
    draws = Draws(random_stream(state.generators.device, state.config.seed, "preview"), k)
    members = Members(state.partition, k, n, state.shares).batch(draws)
    own = state.scaling.apply(points[members.flatten().cpu().numpy()], state.generators.device)
    made = state.generators.resample(
        own.view(k, n, *own.shape[1:]), draws, a.sample_noise and not a.is_image
    )
    in_units = state.scaling.undo(made.flatten(0, 1), state.point_shape)
    return in_units.reshape(k, n, *state.point_shape)
