"""What the manual shows is run: every command and every Python example, page by page, in a folder of the page's own.

A block that cannot run here says why in a comment before it, ``<!-- not run: reason -->``. A page may say what it finds
in its folder, ``<!-- given: crystals, results -->``: a built dataset, four trained runs. A YAML block
that begins with ``# NAME.yaml:`` lies there under that name. What stands in a block of plain text right after a block
that ran is what that printed. The server at ``http://localhost:8000/v1``
is a double of an OpenAI-compatible server, the Hub a double of the Hub.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub_double import HubDouble
from markdown_it import MarkdownIt
from openai_double import OpenAIDouble

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>[^\n]+?) -->\s*")
GIVEN = re.compile(r"<!-- given: (?P<names>[^\n]+?) -->")
LANGUAGES = ("console", "bash", "sh", "python")
"""Of blocks that are run."""
NO_PROGRAMS = ("text", "yaml", "json", "{toctree}", "{eval-rst}")
"""Of blocks that are not."""
COMMAND = re.compile(r"^\s*(?:\$ |llm4mat-bench (?!\w+ \d+$)|(?:pip|python|make|import|from) )", re.MULTILINE)
SERVER = "http://localhost:8000/v1"
NEEDS = {"how-to/fine-tune-an-encoder": "torch"}
"""Pages of an extra that is not everywhere."""


@dataclass(frozen=True)
class Block:
    """A fenced example.

    Attributes:
        line: Where it begins.
        language: What it is written in.
        code: The example.
        reason: Why it is not run, None where it is.
        printed: What stands below it as its output, None where nothing does.
    """

    line: int
    language: str
    code: str
    reason: str | None
    printed: str | None


def texts() -> list[Path]:
    """Give every page of the manual, and those that stand beside it."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
    return [page for page in found if page.name != "command-line.md"]


def pages() -> list[Path]:
    """Give every page that shows commands or Python which are run."""
    return [page for page in texts() if any(not block.reason for block in blocks(page))]


def blocks(page: Path) -> list[Block]:
    """Give a page's examples in their order."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    found = []
    for place, token in enumerate(tokens):
        if token.type != "fence" or token.info not in LANGUAGES:
            continue
        before = tokens[place - 1] if place else None
        marked = NOT_RUN.fullmatch(before.content) if before is not None and before.type == "html_block" else None
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        printed = after.content if after is not None and (after.type, after.info) == ("fence", "text") else None
        line = token.map[0] + 1 if token.map else 0
        found.append(Block(line, token.info, token.content, marked["reason"] if marked else None, printed))
    return found


def name_of(page: Path) -> str:
    """Name a page as the manual does."""
    return page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT).with_suffix("").as_posix()


@pytest.mark.parametrize("page", texts(), ids=name_of)
def test_no_example_is_hidden_from_these_tests(page: Path) -> None:
    """Indented code, a fence without a language, or a command called text: nobody would know whether it works."""
    faults = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        where = f"{page}:{token.map[0] + 1}" if token.map else str(page)
        if token.type == "code_block":
            faults.append(f"{where}: an indented example; fence it and name its language")
        elif token.type == "fence" and token.info not in (*LANGUAGES, *NO_PROGRAMS):
            faults.append(
                f"{where}: a fence of language {token.info!r}; one of {', '.join((*LANGUAGES, *NO_PROGRAMS))}"
            )
        elif token.type == "fence" and token.info == "text" and COMMAND.search(token.content):
            faults.append(f"{where}: a command in a block of plain text; it is console")
    marks = len(re.findall("^<!-- not run:", page.read_text(encoding="utf-8"), re.MULTILINE))
    if marks != sum(block.reason is not None for block in blocks(page)):
        faults.append(f"{page}: a mark 'not run' that stands before no example")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("page", texts(), ids=name_of)
def test_tests_that_are_named_are_there(page: Path) -> None:
    for block in blocks(page):
        for path in re.findall(r"(?:tests|docs)/[\w./-]*\w", block.reason or ""):
            assert (ROOT / path).exists(), f"{page}:{block.line}: {path}"


@pytest.fixture(scope="session")
def given(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What pages may find in their folders, made once."""
    from llm4mat_bench.dataset_builder.export.sample import build_sample

    folder = tmp_path_factory.mktemp("given")
    build_sample(folder / "crystals")
    return {"crystals": folder / "crystals", "results": trained}


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Give an environment whose Hub is a double and the address of a double of a language model."""
    hub = HubDouble()
    hub.start()
    with OpenAIDouble() as server:
        hub.add_token("hf_manual", namespaces=["org", "my-group"])
        environment = {**os.environ, **hub.environment("hf_manual", home=tmp_path / "home")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        yield environment, server.url
    hub.stop()


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_page_runs(
    page: Path, surroundings: tuple[dict[str, str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    needed = NEEDS.get(name_of(page))
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    environment, server = surroundings
    folder = tmp_path / "page"
    folder.mkdir()
    for names in GIVEN.findall(page.read_text(encoding="utf-8")):
        for name in names.split(", "):
            shutil.copytree(request.getfixturevalue("given")[name], folder / name)
    for name, content in re.findall(r"^```yaml\n# (\w+\.yaml):(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        (folder / name).write_text(f"#{content}", encoding="utf-8")
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
            timeout=600,
        )
        assert done.returncode == 0, f"{page}:{block.line}\n{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert block.printed in (None, done.stdout), f"{page}:{block.line}\n{done.stdout}"


def test_there_are_pages_that_run() -> None:
    run = {name_of(page) for page in pages()}
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
