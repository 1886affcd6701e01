"""Whether a safetensors file from outside is a mixture, before its networks are built."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from trainer.architecture import Architecture
from trainer.errors import DamagedState
from trainer.kinds import rebuilt_networks
from trainer.points import inner_shape
from trainer.serialise import prefixed, unpack

Shapes = dict[str, tuple[tuple[int, ...], torch.dtype]]


def check_weights(data: bytes, point_shape: list[int], alpha: list[float]) -> None:
    """Raise DamagedState unless these are the weights of a model of such points."""
    try:
        tensors, description = unpack(data, "mixture")
        a = _architecture(description)
        sizes = (a.hidden, a.latent, a.estimator_width, *a.shape, *a.filters)
        _require(min(sizes) > 0 <= a.latent_gaussians, "its networks have a size that is none")
        _require(description["point_shape"] == point_shape, "its points have another shape")
        _check_shapes(tensors, a, len(alpha))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("architecture", *first["loc"])))
        raise DamagedState(f"{where}: {first['msg']}") from error
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise DamagedState(f"its networks can't be built: {reason}") from error
    _require(a.shape == inner_shape(tuple(point_shape)), "its networks take other points")
    no_density = (a.generator, a.estimator) == ("gan", "generators")
    _require(not no_density, "a GAN has no density of its own")
    _require(np.array_equal(tensors["alpha"].numpy(), alpha), "its alpha is another")
    _require(bool((tensors["scaling.scale"] >= 0).all()), "its scaling is negative")
    if (unit := tensors.get("scaling.unit")) is not None:
        is_one = (unit == 0) | (unit.abs() >= torch.finfo(unit.dtype).tiny)
        _require(bool(is_one.all()), "a unit of its logarithms is none")
    if (reference := tensors.get("reference")) is not None:
        is_sorted = reference.numel() > 0 and bool((reference.diff() >= 0).all())
        _require(a.generator == "vae" and is_sorted, "reference is not that of a VAE, sorted")
    for name, tensor in tensors.items():
        _require(bool(tensor.isfinite().all()), f"{name} holds what is no finite number")


def _architecture(description: Mapping[str, Any]) -> Architecture:
    fields = description["architecture"]
    Architecture.from_json(fields)  # has no fields that it does not know
    return TypeAdapter(Architecture).validate_json(json.dumps(fields), strict=True)


def _check_shapes(tensors: Mapping[str, Tensor], architecture: Architecture, k: int) -> None:
    """Without memory for the networks: a lie about their sizes costs nothing."""
    with FakeTensorMode():
        generators, estimator = rebuilt_networks(k, architecture, torch.device("cpu"))
        networks = {
            **prefixed("generators", generators.state_dict()),
            **prefixed("estimator", estimator.state_dict()),
        }
        expected = _shapes(networks)
    rows = (1,) if architecture.is_image else architecture.shape
    scaling = ["scaling.shift", "scaling.scale"]
    if "scaling.unit" in tensors and not architecture.is_image:
        scaling += ["scaling.origin", "scaling.unit"]
    for name, shape in ("alpha", (k,)), *((name, rows) for name in scaling):
        expected[name] = (shape, torch.float64)
    if "reference" in tensors:
        expected["reference"] = ((tensors["reference"].numel(),), torch.float64)
    found = _shapes(tensors)
    for name in expected.keys() | found.keys():
        _require(
            found.get(name) == expected.get(name), f"tensor {name!r} is not as its header says"
        )


def _shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise DamagedState(otherwise)
