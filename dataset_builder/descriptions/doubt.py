"""When a result could hang on rounding errors, the exact way is taken instead of the quick one.

The quick way (see `polar`) finds the same neighbours, but in another order where some have equal weights, and so sums
with another last bit. That never matters, except where a decision is this close; then `Doubt` is raised and the
structure is done again with the tessellation and the order of upstream.
"""

from __future__ import annotations

CLOSE = 1e-9


class Doubt(Exception):  # noqa: N818 - not an error: a signal to do it again more carefully
    """A decision was too close to call."""


def unless(clear: bool) -> None:
    """Raise Doubt where a decision is not clear."""
    if not clear:
        raise Doubt
