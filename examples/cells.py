"""Single cells: from a matrix of counts to cell types and their marker genes. Beside `make serve`:

    .venv/bin/python -m examples.cells

The counts are simulated as Splatter does (Zappia et al., 2017): gamma-distributed gene means,
log-normal library sizes and fold changes, gamma-Poisson counts.
"""

import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from client import KVAE

ADDRESS = "http://localhost:8000"
CELLS, GENES, SHARES = 1_200, 800, (0.4, 0.3, 0.15, 0.1, 0.05)


def main(address: str = ADDRESS, **config: Any) -> None:
    """Raises KVAEError."""
    counts, types = simulated(np.random.default_rng(0))
    per_10k = 1e4 * counts / counts.sum(1, keepdims=True)
    expression = np.log1p(per_10k)
    pca = PCA(20, random_state=0)
    reduced = pca.fit_transform(expression)

    with KVAE(address) as kvae:
        model = kvae.train(reduced, components=len(SHARES), name="cells", config=config)
        found = kvae.assign(reduced, include=["confidence"], model=model.id)
        made = kvae.sample(2_000, seed=0, model=model.id)

    table = Table("component", "cells", "confidence", "marker genes", "made up like", title="Cells")
    generated = pca.inverse_transform(made.points)
    for j in range(len(SHARES)):
        own, new = found["components"] == j, made.components == j
        if not own.any():
            continue
        fold = (expression[own].mean(0) - expression[~own].mean(0)) / np.log(2)
        markers = [f"gene{g} ({fold[g]:+.1f})" for g in np.argsort(-fold)[:4]]
        sure = f"{found['confidence'][own].mean():.3f}"
        like = (
            f"r = {np.corrcoef(generated[new].mean(0), expression[own].mean(0))[0, 1]:.3f}"
            if new.any()
            else "-"
        )
        table.add_row(str(j), str(own.sum()), sure, ", ".join(markers), like, end_section=True)
    score = adjusted_rand_score(types, found["components"])
    Console().print(table, f"Agreement with the simulated types: adjusted Rand index {score:.3f}")


def simulated(rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Counts (CELLS, GENES) and the type of each cell, (CELLS,)."""
    types = rng.choice(len(SHARES), CELLS, p=SHARES)
    changed = rng.random((len(SHARES), GENES)) < 0.05
    fold = np.where(changed, rng.lognormal(1.0, 0.5, changed.shape), 1.0)
    means = rng.gamma(0.6, 1 / 0.3, GENES) * fold[types]
    library = rng.lognormal(8.0, 0.3, (CELLS, 1))
    rates = library * means / means.sum(1, keepdims=True)
    dispersion = 0.1
    return rng.poisson(rng.gamma(1 / dispersion, rates * dispersion)), types


if __name__ == "__main__":
    main(*sys.argv[1:])
