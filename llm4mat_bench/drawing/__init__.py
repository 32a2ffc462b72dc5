"""How every figure of ours looks, and panels that cost little: matplotlib, which is an extra (``plots``)."""

from .style import available, save_figure, svg_for_page

__all__ = ["available", "save_figure", "svg_for_page"]
