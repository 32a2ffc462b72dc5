"""The workflow that verifies a pull request: its own steps, run on real repositories, honest and hostile changes."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from forgery import change_record
from toy_runs import toy_answers, toy_run

from llm4mat_bench.errors import DataError
from llm4mat_bench.metrics.results.intake import take_in

WORKFLOW = Path(__file__).resolve().parents[3] / "docs" / "verify-submission.yml"
JOB = yaml.safe_load(WORKFLOW.read_text())["jobs"]["verify"]
SCRIPTS = [step["run"] for step in JOB["steps"] if "working-directory" in step]

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


def test_the_workflow_trusts_nothing_of_the_pull_request() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    triggers = workflow[True]  # YAML 1.1 reads `on` as true
    assert set(triggers) == {"pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in JOB and "secrets." not in WORKFLOW.read_text()
    checkouts = [step["with"] for step in JOB["steps"] if "checkout" in step.get("uses", "")]
    assert [one["ref"] for one in checkouts] == ["${{ github.event.pull_request.base.sha }}"]
    assert not any(one["persist-credentials"] for one in checkouts)
    actions = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert actions and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)
    for step in JOB["steps"]:
        assert "${{" not in step.get("run", ""), "a value would become part of a script"
    assert not re.search(r"head[._](ref|label|repo|sha)|title|body", WORKFLOW.read_text())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_run(tmp_path_factory.mktemp("sound") / "results")


def git(repo: Path, *words: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(repo), *names, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class PullRequest:
    """A repository with results, and a merge commit of what somebody proposes."""

    def __init__(self, folder: Path, sound: Path) -> None:
        self.folder, self.repo = folder, folder / "repo"
        self.run = self.repo / "results" / "sample" / "band_gap" / "composition" / sound.name
        self.repo.mkdir()
        git(self.repo, "init", "--quiet", "--initial-branch=main")
        git(self.repo, "config", "uploadpack.allowAnySHA1InWant", "true")
        (self.repo / "README.md").write_text("results\n")
        git(self.repo, "add", ".")
        git(self.repo, "commit", "--quiet", "-m", "base")

    def add_to_base(self, sound: Path) -> None:
        shutil.copytree(sound, self.run)
        git(self.repo, "add", ".")
        git(self.repo, "commit", "--quiet", "-m", "results of others")

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Merge as the forge does, and run the steps of the workflow."""
        git(self.repo, "checkout", "--quiet", "-b", "theirs")
        git(self.repo, "add", "--all")
        git(self.repo, "commit", "--quiet", "-m", "theirs")
        git(self.repo, "checkout", "--quiet", "main")
        there = self.folder / "base" / "results"
        if (self.repo / "results").exists():
            shutil.copytree(self.repo / "results", there)
        git(self.repo, "merge", "--quiet", "--no-ff", "-m", "merged", "theirs")
        work = self.folder / "temp"
        work.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        merged = git(self.repo, "rev-parse", "HEAD")
        names = {"MERGE_SHA": merged, "ADDRESS": str(self.repo), "DATASET": "", "THERE": str(there)}
        for script in SCRIPTS:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=work,
                env={**os.environ, **names, "PATH": path},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode:
                break
        return done


@pytest.fixture
def proposed(tmp_path: Path, sound: Path) -> PullRequest:
    return PullRequest(tmp_path, sound)


@needs_git
def test_an_honest_submission_passes(proposed: PullRequest, sound: Path) -> None:
    shutil.copytree(sound, proposed.run)
    done = proposed.verify()
    assert done.returncode == 0, done.stderr
    assert "1 of 1 runs are sound" in done.stdout


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


HOSTILE: list[tuple[str, bool, Callable[[PullRequest], object], str]] = [
    (
        "score",
        False,
        lambda pr: change_record(pr.run, lambda r: r["metrics"]["whole"]["mae"].update(value=0.0)),
        "metrics.whole.mae",
    ),
    ("code", False, lambda pr: (pr.repo / "setup.py").write_text("raise SystemExit"), "setup.py: a submission adds"),
    (
        "module",
        False,
        lambda pr: (pr.run / "llm4mat_bench.py").write_text("1/0"),
        "llm4mat_bench.py: a submission adds",
    ),
    ("link", False, lambda pr: link(pr.run / "predictions.parquet", "/etc/passwd"), "no plain file"),
    ("name", False, lambda pr: pr.run.rename(pr.run.with_name("other")), "a run lies under its own name"),
    ("no record", False, lambda pr: (pr.run / "result.json").unlink(), "result.json: no such file"),
    ("deletion", True, lambda pr: shutil.rmtree(pr.run), "changes or deletes none"),
    ("change", True, lambda pr: (pr.run / "result.json").write_text("{}"), "changes or deletes none"),
    (
        "copy",
        True,
        lambda pr: toy_run(pr.repo / "results", model="thief", answers=1.001 * toy_answers()),
        "much the same answers as",
    ),
    (
        "command",
        False,
        lambda pr: (pr.repo / "::error title=All good::verified").write_text("x"),
        "the file ::error title=All good::verified: a submission adds",
    ),
    ("base", True, lambda pr: (pr.repo / "README.md").write_text("mine\n"), "README.md: a submission adds"),
]


@needs_git
@pytest.mark.parametrize(("base", "change", "fault"), [one[1:] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_a_hostile_one_fails(
    proposed: PullRequest, sound: Path, base: bool, change: Callable[[PullRequest], object], fault: str
) -> None:
    proposed.add_to_base(sound) if base else shutil.copytree(sound, proposed.run)
    change(proposed)
    done = proposed.verify()
    assert done.returncode == 1
    assert fault in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not any(line.lstrip().startswith("::") for line in done.stderr.splitlines())


def test_too_much_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "results/sample/band_gap/cif/x/result.json"
    with pytest.raises(DataError, match="3,000 files are changed"):
        take_in(f"A\0{place}\0".encode() * 3000, tmp_path / "no.tar", tmp_path / "out")
    with tarfile.open(tmp_path / "large.tar", "w") as tar:
        member = tarfile.TarInfo(place)
        member.size = 100
        tar.addfile(member, io.BytesIO(b"0" * 100))
    monkeypatch.setattr("llm4mat_bench.metrics.results.intake.LARGEST_FILE", 99)
    with pytest.raises(DataError, match="100 bytes; at most 99 a file"):
        take_in(f"A\0{place}\0".encode(), tmp_path / "large.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "path",
    ["results/../x/y/z/result.json", "results/a/b/c/.hidden/result.json", "/results/a/b/c/d/result.json", "a\u202eb"],
)
def test_odd_paths_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="and nothing else"):
        take_in(f"A\0{path}\0".encode(), tmp_path / "no.tar", tmp_path / "out")
