"""Embeddings: 890 texts, the documentation of SciPy's functions. Beside `make serve`:

.venv/bin/python -m examples.embeddings
"""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from client import KVAE

ADDRESS = "http://localhost:8000"
MODULES = (
    *("fft", "integrate", "interpolate", "linalg", "ndimage"),
    *("optimize", "signal", "sparse", "spatial", "stats"),
)
K = 10


def main(address: str = ADDRESS, **config: Any) -> None:
    """Raises KVAEError."""
    modules, names, texts = zip(*documented(), strict=True)
    words = TfidfVectorizer(
        stop_words="english",
        sublinear_tf=True,
        min_df=5,
        token_pattern="[a-z]{3,}",  # noqa: S106 - of words
    )
    counted = words.fit_transform(texts)
    embedded = normalize(TruncatedSVD(30, random_state=0).fit_transform(counted))

    with KVAE(address) as kvae:
        model = kvae.train(embedded, components=K, name="scipy", config=config)
        found = kvae.assign(embedded, include=["log_densities"], model=model.id)

    table = Table("component", "texts", "words", "modules", "typical", title="What SciPy can do")
    vocabulary = words.get_feature_names_out()
    for j in range(K):
        own = np.flatnonzero(found["components"] == j)
        if not len(own):
            continue
        weight = np.asarray(counted[own].mean(0) - counted.mean(0)).ravel()
        top = ", ".join(vocabulary[np.argsort(-weight)[:6]])
        of = ", ".join(f"{name} {n}" for name, n in Counter(modules[i] for i in own).most_common(3))
        typical = ", ".join(names[i] for i in own[np.argsort(-found["log_densities"][own, j])[:3]])
        table.add_row(str(j), str(len(own)), top, of, typical, end_section=True)
    Console().print(table)


def documented() -> Iterator[tuple[str, str, str]]:
    """Module, name and documentation of SciPy's functions and classes."""
    for module in MODULES:
        package = import_module(f"scipy.{module}")
        for name in package.__all__:
            text = inspect.getdoc(getattr(package, name)) or ""
            if callable(getattr(package, name)) and len(text) > 300:
                yield module, name, text.lower()


if __name__ == "__main__":
    main(*sys.argv[1:])
