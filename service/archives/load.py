"""A kVAE model with nothing but torch and safetensors.

    from load import load
    model = load("model.safetensors")
    components = model.assign(points)               # (N, *point_shape) -> (N,)
    points, components = model.sample(100, seed=1)  # or model.sample(100, component=2)

Points are numbers in the order and units of model.json's columns, images (N, H, W) or (N, C, H, W).
The same seed gives the samples that the service gives.
"""

import hashlib
import json
from collections.abc import Mapping
from itertools import pairwise
from math import log, pi, prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Generator, Tensor
from torch.nn import functional as F

IMPORTANCE_SAMPLES, FAR, LOG_SCALE_RANGE = 8, 30.0, (-5.0, 2.0)
FARTHEST = 1e6  # standard deviations
MOST = torch.finfo(torch.float32).max  # that a value may be
CHUNK_VALUES = 1 << 22  # sampled at once
LOG_2_PI = log(2 * pi)

Tensors = Mapping[str, Tensor]


def load(path: str = "model.safetensors") -> "Model":
    """The model in a file, with the columns of model.json beside it; nothing in them is code."""
    manifest = Path(path).with_name("model.json")
    columns = json.loads(manifest.read_text())["columns"] if manifest.exists() else []
    with safe_open(path, "pt") as file:
        description = json.loads(file.metadata()["kvae"])["description"]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Model(tensors, description, columns)


class Model:
    """K generators and what tells them apart. Every tensor of theirs has a leading axis K."""

    def __init__(
        self, tensors: Tensors, description: dict[str, Any], columns: list[dict[str, Any]]
    ) -> None:
        self.a = description["architecture"]
        self.columns = columns
        self.point_shape = description["point_shape"]
        self.t = tensors
        shape = (IMPORTANCE_SAMPLES, len(tensors["alpha"]), 1, self.a["latent"])
        self.draws = torch.randn(shape, generator=stream("importance")).transpose(0, 1)
        self.whiten = inverses(self.part("estimator.generators.prior."))

    def assign(self, points: Any) -> Tensor:
        """The component of highest density: (N, *point_shape) -> (N,). Raises ValueError."""
        return self.scores(self.checked(points)).argmax(1)

    def posterior(self, points: Any) -> Tensor:
        """P(component | point): (N, *point_shape) -> (N, K). Raises ValueError."""
        return self.weighed(self.scores(self.checked(points)))

    def checked(self, points: Any) -> Tensor:
        """A tensor of an array, a tensor or nested lists. Raises ValueError for what are no points
        of this model."""
        x = torch.as_tensor(points)
        if list(x.shape[1:]) != list(self.point_shape):
            given, wanted = tuple(x.shape[1:]), tuple(self.point_shape)
            raise ValueError(f"points have shape {given} each; the model was trained on {wanted}")
        if not x.isfinite().all():
            raise ValueError("a value is missing or infinite")
        return x

    @torch.no_grad()
    def sample(self, n: int, component: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """``n`` points and the component of each; of all components by their weight for None.

        Integers are whole, booleans and categories 0 or 1. Raises IndexError for a component that
        is not there.
        """
        alpha = self.t["alpha"]
        if component is not None and not 0 <= component < len(alpha):
            raise IndexError(f"component {component} of {len(alpha)}")
        chosen = torch.full((n,), -1 if component is None else component)
        if component is None:
            chosen = alpha.multinomial(n, replacement=True, generator=stream(seed, "mixture"))
        points = torch.empty(n, *self.point_shape, dtype=torch.float64)
        rows = max(1, CHUNK_VALUES // prod(self.a["shape"]))
        for j in torch.unique(chosen):
            rng = stream(seed, "component", int(j))
            counts = [len(part) for part in (chosen == j).nonzero().split(rows)]
            parts = [self.make(j, **self.noise(count, rng)) for count in counts]
            points[chosen == j] = torch.cat(parts).double()
        return self.restored(points), chosen

    def restored(self, points: Tensor) -> Tensor:
        """Points as the data has them, by its columns: (n, *point_shape) -> (n, *point_shape)."""
        at = 0
        for column in self.columns:
            if column["type"] == "pixels":
                return points if "float" in (column["dtype"] or "float") else points.round()
            part = points[:, at : (at := at + len(column["categories"] or [0]))]
            if column["categories"]:
                part.copy_(F.one_hot(part.argmax(1), part.shape[1]))
            elif column["type"] == "boolean":
                part.copy_(part >= 0.5)
            elif column["type"] == "integer":
                part.round_()
        return points

    def noise(self, n: int, rng: Generator) -> dict[str, Tensor]:
        """What ``make`` makes ``n`` points of."""
        a = self.a
        noise = {"z": torch.randn(n, a["latent"], generator=rng)}
        if a["generator"] == "vae" and a["latent_gaussians"]:
            noise["choice"] = torch.rand(n, generator=rng, dtype=torch.float64)
        image, gaussian = len(a["shape"]) == 3, a["likelihood"] == "gaussian"
        if a["generator"] == "vae" and a["sample_noise"] and gaussian and not image:
            noise["noise"] = torch.randn(n, prod(a["shape"]), generator=rng)
        return noise

    def make(
        self,
        component: Tensor,
        z: Tensor,
        choice: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Points of one component from its noise, in the data's units: -> (n, *point_shape)."""
        t = {
            name: tensor.index_select(0, component.reshape(1))
            for name, tensor in self.part("generators.").items()
            if not name.startswith(("encoder", "critic"))
        }
        if self.a["generator"] == "centroid":
            x = t["means"].flatten(1).expand(z.shape[0], -1)
        elif self.a["generator"] == "gan":
            x = self.up(t, z[None])[0]
        else:
            x = self.decode(t, z[None] if choice is None else self.latent(t, z, choice))[0]
            x = x.sigmoid() if self.a["likelihood"] == "bernoulli" else x
            x = x if noise is None else x + noise * self.log_scale(t)[0].exp()
        return self.unscaled(x.double().reshape(z.shape[0], *self.point_shape))

    def scores(self, points: Tensor) -> Tensor:
        """Log densities up to what all components share: (N, *point_shape) -> (N, K)."""
        t = self.part("estimator.")
        x = self.scaled(points.double()).reshape(-1, *self.a["shape"])
        if self.a["estimator"] == "classifier":
            return down(t, "network", x[None])[0].log_softmax(1)
        if self.a["estimator"] == "discriminators":
            return -down(t, "network", x.expand(len(t["offset"]), *x.shape))[..., 0].T - t["offset"]
        t = self.part("estimator.generators.")
        return self.distance(t, x) if self.a["generator"] == "centroid" else self.density(t, x)

    def scaled(self, x: Tensor) -> Tensor:
        """Data units to those of the networks: (N, *point_shape) -> the same."""
        s = self.part("scaling.")
        if "unit" in s:
            d = (x - s["origin"]) / torch.where(s["unit"] != 0, s["unit"], 1)
            x = torch.where(s["unit"] != 0, d.clamp(max=0) + d.clamp(min=0).log1p(), x)
        divisor = torch.where(s["scale"] > 0, s["scale"], 1)
        return ((x - s["shift"]) / divisor).clamp(-FARTHEST, FARTHEST).float()

    def unscaled(self, x: Tensor) -> Tensor:
        """Inverse of `scaled`, for values that data may have."""
        s = self.part("scaling.")
        if len(self.point_shape) > 1:
            return (x.clamp(0, 1) * s["scale"] + s["shift"]).float()
        x = x * s["scale"] + s["shift"]
        if "unit" in s:
            rows = x.clamp(min=0).expm1() * s["unit"] + s["origin"]
            x = torch.where(s["unit"] != 0, rows, x).clamp(-MOST, MOST)
        return x

    def weighed(self, scores: Tensor) -> Tensor:
        """The posterior that scores stand for: (N, K) -> (N, K)."""
        return (scores + self.t["alpha"].log().float()).softmax(1)

    def distance(self, t: Tensors, x: Tensor) -> Tensor:
        """-||x - mean||^2 / 2, up to what all components share."""
        means = t["means"].flatten(1).double()
        return x.flatten(1).double() @ means.T - 0.5 * means.square().sum(1)

    def density(self, t: Tensors, x: Tensor) -> Tensor:
        """Importance-weighted bound of each VAE's log density: -> (N, K)."""
        x = x.expand(len(self.t["alpha"]), *x.shape)
        relative = ((x.flatten(2) - t["centre"]) / t["spread"]).clamp(-FAR, FAR).view_as(x)
        mean, log_var = (part[:, None] for part in down(t, "encoder", relative).chunk(2, -1))
        z = mean + self.draws * (0.5 * log_var).exp()  # (K, draws, N, latent)
        log_q = -0.5 * (self.draws.square() + log_var + LOG_2_PI).sum(-1)
        decoded = apart(self.decode(t, z.flatten(1, 2)), IMPORTANCE_SAMPLES)
        log_p = self.log_likelihood(t, x.flatten(2)[:, None], decoded)
        return (log_p + self.log_prior(t, z) - log_q).logsumexp(1).T

    def log_likelihood(self, t: Tensors, x: Tensor, decoded: Tensor) -> Tensor:
        if self.a["likelihood"] == "bernoulli":
            x = x.clamp(0, 1).expand_as(decoded)
            return -F.binary_cross_entropy_with_logits(decoded, x, reduction="none").sum(-1)
        scale = self.log_scale(t)[..., None]
        error = (x - decoded).square() * (-2 * scale).exp()
        return -(0.5 * error + scale + 0.5 * LOG_2_PI).sum(-1)

    def log_prior(self, t: Tensors, z: Tensor) -> Tensor:
        constant = z.shape[-1] * LOG_2_PI
        if not self.a["latent_gaussians"]:
            return -0.5 * (z.square().sum(-1) + constant)
        white = (z.flatten(1, 2)[:, None] - t["prior.means"][:, :, None]) @ self.whiten.mT
        log_det = self.whiten.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        offset = (log_det + t["prior.weights"].log())[..., None]
        inside = -0.5 * (white.square().sum(-1) + constant) + offset
        return apart(inside.logsumexp(1), IMPORTANCE_SAMPLES)

    def latent(self, t: Tensors, z: Tensor, choice: Tensor) -> Tensor:
        """z of a Gaussian mixture, (1, n, latent)."""
        weights = t["prior.weights"][0]
        chosen = (weights.double().cumsum(0) < choice[:, None]).sum(1)
        chosen = chosen.minimum((weights > 0).sum() - 1)
        of_each = t["prior.means"][0, :, None] + z @ t["prior.factors"][0].mT  # (G, n, latent)
        index = chosen[None, :, None].expand(1, *z.shape)
        return of_each.gather(0, index)

    def log_scale(self, t: Tensors) -> Tensor:
        return t["log_scale"].clamp(*LOG_SCALE_RANGE) + t["spread"].log()

    def decode(self, t: Tensors, z: Tensor) -> Tensor:
        """(K, n, latent) -> (K, n, D)."""
        x = self.up(t, z)
        return x if self.a["likelihood"] == "bernoulli" else t["centre"] + t["spread"] * x

    def up(self, t: Tensors, z: Tensor) -> Tensor:
        """The decoders: (K, n, latent) -> (K, n, D)."""
        if self.a["network"] == "mlp":
            return down(t, "decoder", z)
        layers = layers_of(t, "decoder")
        sizes = [self.a["shape"][1:]]
        for _ in layers[2::2]:
            sizes.append([side // 2 for side in sizes[-1]])
        x = affine(t, layers[0], z)
        x = x.view(*x.shape[:2], -1, *sizes.pop())
        for norm, layer in zip(layers[1::2], layers[2::2], strict=True):
            size = sizes.pop()
            extra = [to - 2 * at for to, at in zip(size, x.shape[-2:], strict=True)]
            x = batch_norm(t, norm, x)
            weight, bias = t[f"{layer}.weight"].flatten(0, 1), t[f"{layer}.bias"].flatten()
            y = F.conv_transpose2d(groups(x), weight, bias, 2, 1, extra, groups=len(x))
            x = apart(y, len(x)).transpose(0, 1)
        return x.flatten(2)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, under the rest of their names."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.t.items()
            if name.startswith(prefix)
        }


def stream(*key: object) -> Generator:
    """Random numbers that depend on nothing but the key."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def inverses(prior: Tensors) -> Tensor:
    """Of the Cholesky factors of a prior's Gaussians, (K, G, latent, latent), if it has any."""
    if "factors" not in prior:
        return torch.empty(0)
    used = prior["weights"][..., None, None] > 0
    eye = torch.eye(prior["factors"].shape[-1])
    inverse: Tensor = torch.linalg.inv(torch.where(used, prior["factors"], eye))
    return inverse


def down(t: Tensors, prefix: str, x: Tensor) -> Tensor:
    """K networks side by side: (K, n, ...) -> (K, n, outputs)."""
    layers = layers_of(t, prefix)
    for layer, after in pairwise([*layers, ""]):
        weight = t[f"{layer}.weight"]
        if weight.dim() == 5:
            bias = t[f"{layer}.bias"].flatten()
            y = F.conv2d(groups(x), weight.flatten(0, 1), bias, 2, 1, groups=len(x))
            x = apart(y, len(x)).transpose(0, 1)
        elif weight.dim() == 2:
            x = batch_norm(t, layer, x)
        else:
            x = affine(t, layer, x)
            x = x.relu() if after else x
    return x


def layers_of(t: Tensors, prefix: str) -> list[str]:
    layers = {name.rsplit(".", 1)[0] for name in t if name.startswith(prefix + ".")}
    return sorted(layers, key=lambda layer: int(layer.rsplit(".", 1)[1]))


def affine(t: Tensors, layer: str, x: Tensor) -> Tensor:
    return x.flatten(2) @ t[f"{layer}.weight"].mT + t[f"{layer}.bias"].mT


def batch_norm(t: Tensors, layer: str, x: Tensor) -> Tensor:
    """With a ReLU after it."""
    names = ("weight", "bias", "running_mean", "running_var")
    weight, bias, mean, var = (t[f"{layer}.{name}"][:, None, :, None, None] for name in names)
    return ((x - mean) * (var + 1e-5).rsqrt() * weight + bias).relu()


def apart(x: Tensor, parts: int) -> Tensor:
    """(A, parts * B, ...) -> (A, parts, B, ...)."""
    return x.reshape(x.shape[0], parts, -1, *x.shape[2:])


def groups(x: Tensor) -> Tensor:
    """(K, n, C, H, W) -> (n, K * C, H, W)."""
    return x.transpose(0, 1).flatten(1, 2)
