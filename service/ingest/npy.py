"""NPY: one numpy array; NPZ: a ZIP archive of them."""

import tempfile
from pathlib import Path

import numpy as np

from api_schemas.datasets import DatasetOptions
from service.encoding import some
from service.errors import InvalidInput, TooLarge
from service.ingest.archive import open_archive, parts
from service.ingest.arrays import array_source
from service.ingest.source import Pieces, Source, bad_file
from trainer.npy import map_npy
from trainer.points import Points, chunks

SUFFIX = ".npy"
USUAL = "points"  # what /sample calls them


def open_npy(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput or InvalidPoints."""
    return _source(map_npy(path), options)


def open_npz(path: Path, options: DatasetOptions, max_bytes: int) -> Source:
    """Raises InvalidInput, InvalidPoints or TooLarge."""
    return _source(map_npz(path, options.array, max_bytes), options)


def map_npz(path: Path, wanted: str | None, max_bytes: int) -> Points:
    """The array of this name or, with none given, the only one or `points`.

    Raises InvalidInput, InvalidPoints or TooLarge.
    """
    with open_archive(path) as archive, tempfile.NamedTemporaryFile(dir=path.parent) as unpacked:
        names = [name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)]
        member = archive.getinfo(_chosen(names, wanted) + SUFFIX)
        if member.file_size > max_bytes:
            raise TooLarge("points_too_large", f"the points take over {max_bytes:,} bytes")
        unpacked.writelines(parts(archive, member))
        unpacked.flush()
        # the mapping outlives the file's name
        return map_npy(Path(unpacked.name))


def _source(array: Points, options: DatasetOptions) -> Source:
    def pieces() -> Pieces:
        return (np.asarray(array[part]) for part in chunks(array))

    return array_source(array.shape, array.dtype, pieces, options)


def _chosen(names: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in names:
        raise InvalidInput.at(
            "array", msg=f"the file has no array {wanted!r}; it has {some(names)}"
        )
    if wanted is None and not names:
        raise bad_file("it holds no arrays")
    if wanted is None and len(names) > 1 and USUAL not in names:
        raise bad_file(f"it holds several arrays, {some(names)}; choose one with 'array'")
    return wanted or (USUAL if USUAL in names else names[0])
