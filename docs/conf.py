"""Settings of the manual (`make docs`)."""

import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

project = "llm4mat-bench"
author = "The LLM4Mat-Bench authors"
version = release = installed_version("llm4mat-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
templates_path: list[str] = []

myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"  # system fonts, no script or style from elsewhere
html_title = "llm4mat-bench"
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None  # equal inputs, equal bytes


def _write_command_reference() -> None:
    """Write the page of the command line from the program itself, so that the two cannot differ."""
    call = [sys.executable, "-m", "typer", "llm4mat_bench.cli.app", "utils", "docs", "--name", "llm4mat-bench"]
    page = subprocess.run(call, check=True, capture_output=True, text=True, encoding="utf-8").stdout  # noqa: S603
    target = Path(__file__).parent / "reference" / "command-line.md"
    text = page.replace("# `llm4mat-bench`", "# Command line", 1)
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


_write_command_reference()
