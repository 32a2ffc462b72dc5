"""Where a result could hang on rounding errors, the exact way is taken instead of the quick one.

The quick way (see `dual_cells`) finds the same neighbours, but in another order where some have equal weights, and so
sums with another last bit. That never matters, except where a decision is this close; then `NearTie` is raised and the
structure is done again with the tessellation and the order of upstream.
"""

from __future__ import annotations

CLOSE = 1e-9


class NearTie(Exception):  # noqa: N818 - not an error: a signal to do it again more carefully
    """A decision was too close to call."""


def must_be(clear: bool) -> None:
    """Raise NearTie where a decision is not clear."""
    if not clear:
        raise NearTie
