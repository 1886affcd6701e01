"""The same model behind BentoML, batching as ours does; KVAE_PEER_MODEL names its file."""

import os
from pathlib import Path

import bentoml
import numpy as np
import torch

from trainer import Mixture


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Peer:
    """Answers the component of each point."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.mixture = Mixture.from_bytes(Path(os.environ["KVAE_PEER_MODEL"]).read_bytes())

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)  # type: ignore[untyped-decorator]
    def assign(self, points: np.ndarray) -> np.ndarray:
        """(N, D) -> (N,)"""
        return self.mixture.assign(points)
