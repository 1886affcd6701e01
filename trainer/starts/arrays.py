"""The arrays of this package."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Features = NDArray[np.float32]
