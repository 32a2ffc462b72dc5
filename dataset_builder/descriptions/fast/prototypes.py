"""The mineral that a structure looks like, matched against the AFLOW prototypes that Robocrystallographer ships.

Upstream reduces all 180 prototypes to primitive cells again for every structure. Here they are reduced once, and only
those are compared that have the composition pattern and the number of sites of the query; for ordered structures no
other one can match.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import near_ties, upstream
from .arithmetic import Floats, norms

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.core.structure_matcher import StructureMatcher

Pattern = tuple[int, ...]


class _Prototype(NamedTuple):
    structure: Structure
    counts: Pattern


def _counts(structure: Structure) -> Pattern:
    return tuple(sorted(Counter(site.species for site in structure).values()))


def _pattern(counts: Pattern) -> Pattern:
    divisor = math.gcd(*counts)
    return tuple(count // divisor for count in counts)


def _reduced(structure: Structure) -> Structure:
    return _reduced_once(upstream.Structure.from_sites(structure))


class SharedMineralMatcher(upstream.MineralMatcher):  # type: ignore[misc]
    """Robocrystallographer's MineralMatcher, given the fingerprint of the structure."""

    def __init__(self) -> None:
        super().__init__()
        self._fingerprints: Floats = np.array(self.mineral_db["fingerprint"].tolist())
        self._names: list[str] = self.mineral_db["mineral"].tolist()
        self._elements: list[int] = self.mineral_db["n_elems"].tolist()

    @cached_property
    def _prototypes(self) -> list[_Prototype]:
        reduced = [_reduced(structure) for structure in self.mineral_db["structure"]]
        return [_Prototype(structure, _counts(structure)) for structure in reduced]

    @cached_property
    def _patterns(self) -> set[tuple[Pattern, int]]:
        return {(_pattern(prototype.counts), sum(prototype.counts)) for prototype in self._prototypes}

    def prepare(self) -> None:
        """Reduce the prototypes now, e.g. before forking."""
        _ = self._patterns

    def name(self, structure: Structure, fingerprint: Floats, *, exact: bool) -> dict[str, Any]:
        """The best mineral name, in the form of `get_best_mineral_name`.

        Args:
            structure: What to match.
            fingerprint: Its structure fingerprint.
            exact: Whether the fingerprint is that of upstream to the last bit.

        Raises:
            NearTie: It is not, and two minerals are equally near.
        """
        distances = norms(self._fingerprints - fingerprint)
        order = np.argsort(distances, kind="quicksort").tolist()  # as pandas sorts
        if not exact:
            self._clear(distances[order], order)
        match = self._prototype(structure, order)
        if match is not None:
            return {"type": self._names[match], "distance": -1, "n_species_type_match": True}
        if self.use_fingerprint_matching:
            near = [row for row in order if distances[row] < self.fingerprint_distance_cutoff]
            elements = structure.n_elems
            for row in near:
                if self._elements[row] == elements:
                    return {"type": self._names[row], "distance": float(distances[row]), "n_species_type_match": True}
            if near:
                distance = float(distances[near[0]])
                return {"type": self._names[near[0]], "distance": distance, "n_species_type_match": False}
        return {"type": None, "distance": -1, "n_species_type_match": True}

    def _clear(self, distances: Floats, order: list[int]) -> None:
        near = distances < self.fingerprint_distance_cutoff + near_ties.CLOSE
        near_ties.must_be(not (np.abs(distances - self.fingerprint_distance_cutoff) < near_ties.CLOSE).any())
        for place in np.flatnonzero((np.diff(distances) < near_ties.CLOSE) & near[:-1]).tolist():
            near_ties.must_be(self._names[order[place]] == self._names[order[place + 1]])

    def _prototype(self, structure: Structure, order: list[int]) -> int | None:
        """The row of the prototype that matches, tolerances tightened until it is the only one."""
        pattern = _pattern(_counts(structure))
        if not any(kind == pattern and len(structure) % size == 0 for kind, size in self._patterns):
            return None
        query = _reduced(_reduced_once(structure))
        counts = _counts(query)
        rows = [row for row in order if self._prototypes[row].counts == counts]
        if not rows:
            return None
        matcher = upstream.StructureMatcher(
            ltol=self.initial_ltol, stol=self.initial_stol, angle_tol=self.initial_angle_tol, primitive_cell=True
        )
        found = self._matches(matcher, query, rows)
        while len(found) > 1:
            matcher.ltol *= 0.8
            matcher.stol *= 0.8
            matcher.angle_tol *= 0.8
            found = self._matches(matcher, query, rows)
            if matcher.ltol < 0.01:
                break
        return found[0] if found else None

    def _matches(self, matcher: StructureMatcher, query: Structure, rows: list[int]) -> list[int]:
        return [
            row
            for row in rows
            if matcher.fit_anonymous(self._prototypes[row].structure, query, skip_structure_reduction=True)
        ]


def _reduced_once(structure: Structure) -> Structure:
    return structure.get_reduced_structure(reduction_algo="niggli").get_primitive_structure()
