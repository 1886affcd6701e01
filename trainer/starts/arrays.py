"""The arrays of this package: their names, and fewer of their rows."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Features = NDArray[np.float32]
Floats = NDArray[np.float64]


def thinned(rows: Features, most: int) -> Features:
    """Every n-th of the rows, so that there are ``most`` at most."""
    return rows[:: -(-len(rows) // most)]
