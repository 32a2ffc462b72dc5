"""setup.cfg lists every package that is on disk, and nothing else."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_packages_listed_are_the_folders_on_disk() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    mapping = dict(line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines())
    on_disk = set()
    for name, folder in mapping.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            on_disk.add(".".join((name, *inner)))
    assert listed == on_disk


def test_data_files_are_listed_as_package_data() -> None:
    """Every file of a room that is not Python source must be reached by a package_data pattern."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    mapping = dict(line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines())
    packages = config["options"]["packages"].split()
    folders = {}
    for package in packages:
        for name, folder in mapping.items():
            if package == name or package.startswith(name + "."):
                folders[package] = ROOT / folder / Path(*package.removeprefix(name).strip(".").split("."))
    covered = set()
    for package, patterns in config["options.package_data"].items():
        for pattern in patterns.split(","):
            covered |= set(folders[package].glob(pattern.strip()))
    for name, folder in mapping.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
                assert path in covered, f"{path.relative_to(ROOT)} of {name} would be missing from a wheel"
