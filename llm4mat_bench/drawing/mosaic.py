"""Many small polygons as few paths: an element of its own for each takes matplotlib a twentieth of a millisecond."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.collections import PathCollection

STEPS = 32
"""Shades of a scale."""
SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)


def mosaic(polygons: NDArray[np.float64], shades: NDArray[np.intp], colours: NDArray[np.float64]) -> "PathCollection":
    """Draw polygons, those of one shade as one path.

    Args:
        polygons: Their corners, shape ``(n, corners, 2)``.
        shades: Which colour each has, shape ``(n,)``.
        colours: The colours, shape ``(shades, 4)``.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    used = np.unique(shades)
    paths = [Path.make_compound_path_from_polys(polygons[shades == one]) for one in used]
    return PathCollection(paths, facecolors=colours[used], linewidths=0)


def shades_of(shares: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which of ``STEPS`` shades values have; what lies below 0 or above 1 has the first or the last."""
    return np.minimum(np.clip(shares, 0, 1) * STEPS, STEPS - 1).astype(np.intp)
