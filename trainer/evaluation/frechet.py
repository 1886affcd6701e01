"""Distance between two sets of images by way of their features."""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.floating]  # (n, H, W) or (n, C, H, W), in [0, 1]
Features = NDArray[np.floating]  # (n, d)


def frechet_distance(one: Features, other: Features) -> float:
    """Squared Fréchet distance of Gaussians fitted to features (n, d) and (m, d), the FID.

    |mu - nu|^2 + tr(S + T - 2 (S T)^(1/2)) (Heusel et al., 2017), in the features' squared unit.
    With S = A'A and T = B'B the last trace is the sum of the singular values of A B': no matrix
    root is taken, and covariances of less than full rank need no ridge. Raises ValueError unless
    both sets have two rows or more.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError("a covariance needs two rows of features or more")
    mean, root = _moments(one)
    other_mean, other_root = _moments(other)
    shared = np.linalg.svd(root @ other_root.T, compute_uv=False).sum()
    traces = np.square(root).sum() + np.square(other_root).sum() - 2 * shared
    return float(np.square(mean - other_mean).sum() + traces)


def _moments(features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (d,) and a triangular A with A'A the unbiased covariance."""
    x = features.astype(np.float64)
    mean = x.mean(0)
    return mean, np.linalg.qr((x - mean) / np.sqrt(len(x) - 1)).R
