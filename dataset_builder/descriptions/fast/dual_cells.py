"""Voronoi cells by polar duality, thirty times faster than a tessellation.

The planes half-way to the points v are x·v = v²/2. The cell that they cut out is the polar dual of the convex hull of
2v/v²: every facet of the hull is a vertex of the cell. That hull has some fifteen corners however many points there
are, while a tessellation also works out the cells of all the others.

The result agrees with a tessellation to about 1e-14, not to the last bit, and faces come in another order. Where more
than three faces meet in one vertex, which symmetric crystals have often, the tessellation's faces depend on rounding
errors; such cells are refused here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from .arithmetic import Floats, Integers, arctan2, dots, norms, sums

SMALLEST_EDGE = 1e-6  # Å


@dataclass(frozen=True)
class DualCell:
    """The cell around the first of a set of points.

    Attributes:
        others: For every face, the index of the point on its other side.
        offsets: From the first point to that point, in Å, one row a face.
        vertices: Relative to the first point, in Å, shape (v, 3).
        faces: The three faces that meet in every vertex, shape (v, 3).
    """

    others: Integers
    offsets: Floats
    vertices: Floats
    faces: Integers


class OpenCellError(RuntimeError):
    """The cell reaches to infinity."""


def cell(points: Floats) -> DualCell | None:
    """The Voronoi cell of the first point; None where it is degenerate.

    Args:
        points: In Å, shape (n, 3); the nearest ones first.

    Raises:
        OpenCellError: The points do not close it.
    """
    vectors = points[1:] - points[0]
    squares = dots(vectors, vectors)
    if len(vectors) < 4:
        raise OpenCellError
    if squares[0] < 1e-6:
        return None
    try:
        hull = ConvexHull(2 * vectors / squares[:, None])
    except (QhullError, ValueError):
        return None
    distances = hull.equations[:, 3]
    if (distances > -1e-6).any():
        raise OpenCellError
    vertices = -hull.equations[:, :3] / distances[:, None]
    edges = vertices[:, None, :] - vertices[hull.neighbors]
    if norms(edges).min() < SMALLEST_EDGE:
        return None
    number = np.empty(len(vectors), dtype=np.int64)
    number[hull.vertices] = np.arange(len(hull.vertices))
    return DualCell(hull.vertices + 1, vectors[hull.vertices], vertices, number[hull.simplices])


def faces(cells: list[DualCell]) -> list[tuple[Floats, Floats]]:
    """Solid angle (steradian) and area (Å²) of the faces of every cell."""
    if not cells:
        return []
    counts = [len(one.others) for one in cells]
    ends = np.cumsum(counts)
    vertex_ends = np.cumsum([len(one.vertices) for one in cells])
    face = np.concatenate(
        [one.faces.ravel() + end - count for one, end, count in zip(cells, ends, counts, strict=True)]
    )
    vertices = np.concatenate([one.vertices for one in cells])
    offsets = np.concatenate([one.offsets for one in cells])
    corner = np.repeat(np.arange(vertex_ends[-1]), 3)

    # the corners of every face in the order in which they go round it
    across, up = _frames(offsets)
    sizes = np.bincount(face, minlength=len(offsets))
    middles = np.stack([sums(vertices[corner, axis], face, len(offsets)) for axis in range(3)], axis=1) / sizes[:, None]
    relative = vertices[corner] - middles[face]
    turn = arctan2(dots(relative, up[face]), dots(relative, across[face]))
    order = np.lexsort((turn, face))
    face, ring = face[order], vertices[corner[order]]
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    last = np.repeat(np.cumsum(sizes) - 1, sizes)
    middle = np.flatnonzero((np.arange(len(face)) > first) & (np.arange(len(face)) < last))
    a, b, c = ring[first[middle]], ring[middle], ring[middle + 1]
    ra, rb, rc = norms(a), norms(b), norms(c)
    triple = np.abs(dots(a, np.cross(b, c)))
    below = ra * rb * rc + rc * dots(a, b) + rb * dots(a, c) + ra * dots(b, c)
    angle = sums(2 * arctan2(triple, below), face[middle], len(offsets))
    area = sums(norms(np.cross(b - a, c - a)) / 2, face[middle], len(offsets))
    return list(zip(np.split(angle, ends[:-1]), np.split(area, ends[:-1]), strict=True))


def _frames(normals: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors at right angles to every normal and to each other."""
    helper = np.eye(3)[np.argmin(np.abs(normals), axis=1)]
    across = np.cross(normals, helper)
    across /= norms(across)[:, None]
    up = np.cross(normals, across)
    up /= norms(up)[:, None]
    return across, up
