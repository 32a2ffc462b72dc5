"""Lay out the package as it is installed, as a tree of links, for tools that read files rather than import them.

setup.cfg maps the rooms at the top of the repository into ``llm4mat_bench``; a type checker that looks for
``llm4mat_bench.metrics`` on disk finds it in the tree that this makes.

    python scripts/link_package.py build/types
"""

import configparser
import shutil
import sys
from pathlib import Path


def link_package(repository: Path, target: Path) -> None:
    """Make ``target/llm4mat_bench`` a folder of links to the rooms named in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(repository / "setup.cfg")
    mapping = dict(line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines())
    package = target / "llm4mat_bench"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for entry in (repository / mapping.pop("llm4mat_bench")).iterdir():
        if entry.name != "__pycache__":
            (package / entry.name).symlink_to(entry.resolve())
    for name, folder in mapping.items():
        (package / name.removeprefix("llm4mat_bench.")).symlink_to((repository / folder).resolve())


if __name__ == "__main__":
    link_package(Path(__file__).resolve().parent.parent, Path(sys.argv[1]))
