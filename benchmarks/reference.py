"""What the stack is measured against: a loop over K plain torch modules and their optimisers."""

from collections.abc import Sequence
from math import log, pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN, LATENT, BATCH = 50, 5, 32  # Locatello et al. (2018), appendix A
ENCODER = ((2, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 2 * LATENT))
DECODER = ((LATENT, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 2))
LAYERS = (*ENCODER, *DECODER)


class PlainVAE(nn.Module):
    """One VAE of the paper, for points (B, 2), as anyone would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = _mlp(ENCODER), _mlp(DECODER)
        self.log_scale = nn.Parameter(torch.tensor(-1.5))

    def forward(self, x: Tensor) -> Tensor:
        """Mean negative ELBO of a batch, in nats."""
        mean, log_var = self.encoder(x).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
        error = F.mse_loss(self.decoder(z), x, reduction="none") * (-2 * self.log_scale).exp()
        log_likelihood = -(0.5 * error + self.log_scale + 0.5 * log(2 * pi)).sum(-1)
        loss: Tensor = (divergence - log_likelihood).mean()
        return loss


class PlainLoop:
    """K such VAEs, each with its own points (n, 2) and its own Adam, one after the other."""

    def __init__(self, points: list[Tensor]) -> None:
        self._points = points
        device = points[0].device
        self._models = [PlainVAE().to(device) for _ in points]
        self._optimisers = [
            torch.optim.Adam(m.parameters(), lr=5e-3, betas=(0.5, 0.999)) for m in self._models
        ]

    def train(self, steps: int) -> None:
        """Steps of all K."""
        for _ in range(steps):
            for x, model, optimiser in zip(
                self._points, self._models, self._optimisers, strict=True
            ):
                optimiser.zero_grad()
                model(x[torch.randint(len(x), (BATCH,), device=x.device)]).backward()
                optimiser.step()


class BareProducts:
    """The matrix products of a step of K such VAEs and nothing else.

    A layer's forward product and the two of its backward pass, in the layout of the stack, points
    last; of the first layer no gradient of its input.
    """

    def __init__(self, k: int, device: torch.device) -> None:
        def random(*shape: int) -> Tensor:
            return torch.randn(k, *shape, device=device)

        self._layers = [(random(o, i), random(i, BATCH), random(o, BATCH)) for i, o in LAYERS]

    def run(self, steps: int) -> None:
        """As many times."""
        for _ in range(steps):
            for layer, (weight, x, gradient) in enumerate(self._layers):
                torch.bmm(weight, x)
                torch.bmm(gradient, x.mT)
                if layer:
                    torch.bmm(weight.mT, gradient)

    @staticmethod
    def flops(k: int) -> int:
        """Arithmetic of one step."""
        layers = [2 * BATCH * i * o * (3 if layer else 2) for layer, (i, o) in enumerate(LAYERS)]
        return k * sum(layers)


def _mlp(sizes: Sequence[tuple[int, int]]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in sizes:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
