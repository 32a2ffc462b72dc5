"""Voronoi cells: solid angle, area and volume of every face, for many sites at once.

The tessellation is SciPy's (Qhull), one site after the other; the geometry of all faces of all cells is then one
batch of triangles. The formulas are those of `pymatgen.core.local_env.VoronoiNN` with its tetrahedra (solid angle
after van Oosterom and Strackee, IEEE Trans. Biomed. Eng. 30, 125, 1983), and the sums run in the same order, so that
the numbers are the same to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import Voronoi

from .arithmetic import Floats, Integers, arctan, dots, norms, sums


class InfiniteCellError(RuntimeError):
    """The cell of the site is not closed by the points given."""


@dataclass(frozen=True)
class Cell:
    """The cell around the first of a set of points.

    Attributes:
        centre: The first point, in Å.
        others: For every face, the index of the point on its other side.
        faces: For every face, the indices of its vertices, in order.
        vertices: Coordinates of the vertices, in Å, shape (v, 3).
    """

    centre: Floats
    others: Integers
    faces: list[list[int]]
    vertices: Floats


def cell(points: Floats) -> Cell:
    """The Voronoi cell of the first point.

    Args:
        points: In Å, shape (n, 3); the nearest ones first.

    Raises:
        InfiniteCellError: A face of the cell reaches to infinity.
        scipy.spatial.QhullError: The points span no volume.
    """
    diagram = Voronoi(points)
    pairs = diagram.ridge_points
    ridges = np.flatnonzero((pairs == 0).any(axis=1))
    faces = [diagram.ridge_vertices[ridge] for ridge in ridges.tolist()]
    if any(-1 in face for face in faces):
        raise InfiniteCellError
    return Cell(points[0], pairs[ridges].sum(axis=1), faces, diagram.vertices)


def faces(cells: list[Cell], points: list[Floats]) -> list[tuple[Floats, Floats]]:
    """Solid angle (steradian) and area (Å²) of the faces of every cell.

    Args:
        cells: The cells.
        points: The points from which each cell was made.
    """
    starts = np.cumsum([0, *(len(one.faces) for one in cells)])
    total = int(starts[-1])
    first: list[int] = []
    second: list[int] = []
    third: list[int] = []
    face_of: list[int] = []
    number = shift = 0
    for one in cells:
        for face in one.faces:
            inner = len(face) - 2
            first.extend([face[0] + shift] * inner)
            second.extend([vertex + shift for vertex in face[1:-1]])
            third.extend([vertex + shift for vertex in face[2:]])
            face_of.extend([number] * inner)
            number += 1
        shift += len(one.vertices)
    vertices = np.concatenate([one.vertices for one in cells])
    group = np.array(face_of, dtype=np.int64)
    counts = np.diff(starts)
    centres = np.repeat(np.array([one.centre for one in cells]), counts, axis=0)
    others = np.concatenate([around[one.others] for one, around in zip(cells, points, strict=True)])

    centre = centres[group]
    a, b, c = vertices[first], vertices[second], vertices[third]
    angle = _solid_angles(a - centre, b - centre, c - centre)
    volume = np.abs(dots(centre - c, np.cross(a - c, b - c))) / 6
    distance = norms(centres - others) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        area = 3 * sums(volume, group, total) / distance
    between = starts[1:-1]
    return list(zip(np.split(sums(angle, group, total), between), np.split(area, between), strict=True))


def _solid_angles(a: Floats, b: Floats, c: Floats) -> Floats:
    """Solid angle under which the triangle (a, b, c) is seen from the origin, shape (t,)."""
    triple = np.abs(dots(a, np.cross(b, c)))
    ra, rb, rc = norms(a), norms(b), norms(c)
    below = ra * rb * rc + rc * dots(a, b) + rb * dots(a, c) + ra * dots(b, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(below == 0, np.where(triple > 0, 0.5 * math.pi, -0.5 * math.pi), arctan(triple / below))
    return np.where(half > 0, half, half + math.pi) * 2
