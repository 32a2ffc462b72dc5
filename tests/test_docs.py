"""What the manual shows is run: every command and every Python example, page by page, in a folder of the page's own.

A block that cannot run here says why in a comment before it, ``<!-- not run: reason -->``. The server at
``http://localhost:8000/v1`` is a double of an OpenAI-compatible server, the Hub a double of the Hub.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub_double import HubDouble
from openai_double import OpenAIDouble

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+?) -->\n+)?```(?P<language>console|bash|sh|python)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SERVER = "http://localhost:8000/v1"
NEEDS = {"how-to/fine-tune-an-encoder": "torch"}
"""Pages of an extra that is not everywhere."""


@dataclass(frozen=True)
class Block:
    """A fenced example."""

    line: int
    language: str
    code: str
    reason: str | None


def pages() -> list[Path]:
    """Give every page of the manual that shows commands or Python."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [page for page in found if page.name != "command-line.md" and blocks(page)]


def blocks(page: Path) -> list[Block]:
    """Give a page's examples in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, match.start("code")), match["language"], match["code"], match["reason"])
        for match in BLOCK.finditer(text)
    ]


def name_of(page: Path) -> str:
    """Name a page as the manual does."""
    return page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT).with_suffix("").as_posix()


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Give an environment whose Hub is a double and the address of a double of a language model."""
    hub = HubDouble()
    hub.start()
    with OpenAIDouble() as server:
        hub.add_token("hf_manual", namespaces=["org"])
        environment = {**os.environ, **hub.environment("hf_manual", home=tmp_path / "home")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        yield environment, server.url
    hub.stop()


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_page_runs(page: Path, surroundings: tuple[dict[str, str], str], tmp_path: Path) -> None:
    needed = NEEDS.get(name_of(page))
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    environment, server = surroundings
    folder = tmp_path / "page"
    folder.mkdir()
    for block in blocks(page):
        if block.reason:
            continue
        code = block.code.replace(SERVER, server)
        call = [sys.executable, "-c", code] if block.language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        done = subprocess.run(
            call,
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == 0, f"{page}:{block.line}\n{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_there_are_pages_that_run() -> None:
    run = {name_of(page) for page in pages() if any(not block.reason for block in blocks(page))}
    assert {"README", "quick-start", "tutorial", *(name_of(page) for page in (DOCS / "how-to").glob("*.md"))} <= run


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """`make docs`: broken links, pages that no contents list names, and docstrings that are no reST are warnings."""
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    call = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    call += [str(DOCS), str(tmp_path / "site")]
    done = subprocess.run(call, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "How well does a language model predict" in index
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', index)
    assert loaded
    assert not [address for address in loaded if re.match(r"(?:https?:)?//", address)], (
        "nothing is loaded from elsewhere"
    )
    reference = (tmp_path / "site" / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert 'id="llm4mat-bench-train"' in reference
