"""Numbers for inline SVG: the template draws, this module only scales."""

from typing import NamedTuple

from .models import Histogram

WIDTH, HEIGHT = 320.0, 120.0


class Outline(NamedTuple):
    """The outline of a histogram of one split as an SVG path, scaled to its own number of rows."""

    split: str
    path: str


class Bin(NamedTuple):
    """A strip over one bin, to point at: its place and what it says."""

    x: float
    width: float
    title: str


class Drawing(NamedTuple):
    """A histogram ready to be drawn."""

    outlines: list[Outline]
    bins: list[Bin]
    ticks: list[tuple[float, str, str]]
    outside: str


def draw_histogram(histogram: Histogram) -> Drawing:
    """Scale a histogram to the drawing area; each split to shares of its own rows, so that small ones can be seen."""
    edges, counts = histogram.edges, histogram.counts
    step = WIDTH / (len(edges) - 1)
    shares = {
        split: [one / max(1, sum(bins) + histogram.below[split] + histogram.above[split]) for one in bins]
        for split, bins in counts.items()
    }
    top = max((share for bins in shares.values() for share in bins), default=0.0) or 1.0
    outlines = []
    for split, bins in shares.items():
        if not sum(counts[split]):
            continue
        path = [f"M0 {HEIGHT:g}"]
        for index, share in enumerate(bins):
            height = HEIGHT - share / top * (HEIGHT - 4)
            path.append(f"V{height:.1f}H{(index + 1) * step:.1f}")
        outlines.append(Outline(split, "".join([*path, f"V{HEIGHT:g}Z"])))
    strips = [
        Bin(
            index * step,
            step,
            f"{edges[index]:.4g} to {edges[index + 1]:.4g}: "
            + ", ".join(f"{split} {bins[index]:,} ({shares[split][index]:.1%})" for split, bins in counts.items()),
        )
        for index in range(len(edges) - 1)
    ]
    middle = (edges[0] + edges[-1]) / 2
    ticks = [
        (0.0, "start", f"{edges[0]:.4g}"),
        (WIDTH / 2, "middle", f"{middle:.4g}"),
        (WIDTH, "end", f"{edges[-1]:.4g}"),
    ]
    below, above = sum(histogram.below.values()), sum(histogram.above.values())
    outside = f"{below:,} below and {above:,} above are not drawn" if below or above else ""
    return Drawing(outlines, strips, ticks, outside)
