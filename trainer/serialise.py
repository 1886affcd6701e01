"""Tensors and JSON as one safetensors file: the only format written, and nothing is unpickled."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from trainer.errors import DamagedState

VERSION = 2
PARTIAL = ".partial"


def pack(tensors: dict[str, Tensor], kind: str, description: dict[str, Any]) -> bytes:
    """One safetensors file whose header holds ``kind``, the format's version and the JSON."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "kind": kind,
        "version": VERSION,
        "description": description,
        "sha256": _digest(plain),
    }
    return save(plain, metadata={"kvae": json.dumps(header, sort_keys=True)})


def unpack(data: bytes, *kinds: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Inverse of `pack`. Raises DamagedState for torn or changed bytes, or another kind of file."""
    kind = kinds[0]
    try:
        tensors = load(data)
        header = json.loads(_metadata(data)["kvae"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamagedState(f"not a whole {kind}: {error}") from error
    if header["kind"] not in kinds or header["version"] != VERSION:
        raise DamagedState(f"this is a {header['kind']} of version {header['version']}")
    if "sha256" in header and header["sha256"] != _digest(tensors):  # older files have none
        raise DamagedState(f"not a whole {kind}: its numbers are not those that were written")
    return tensors, header["description"]


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each under ``prefix.name``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def grouped(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Inverse of `prefixed`, for all prefixes at once; names without a dot are left out."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        prefix, dot, rest = name.partition(".")
        if dot:
            groups.setdefault(prefix, {})[rest] = tensor
    return groups


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that ``path`` is at any moment either what it was or all of ``data``."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:  # of a name that nobody gave
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path) -> None:
    """What killed processes were writing there."""
    for partial in folder.glob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header.get("__metadata__", {})
