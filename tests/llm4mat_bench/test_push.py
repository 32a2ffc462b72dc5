"""push: what goes to the Hub, what does not, and what happens when it fails. The Hub is a double (tests/doubles)."""

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hub_double import Blob, HubDouble
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.dataset_builder.export.sample import SAMPLE_FOLDER
from llm4mat_bench.errors import DataError, LLM4MatError, UsageError
from llm4mat_bench.hub import (
    FolderSummary,
    HubError,
    HubState,
    PushResult,
    RemoteFile,
    check_dataset_folder,
    check_metric_folder,
    make_plan,
    push_folder,
)
from llm4mat_bench.hub.plan import git_blob_id_of
from llm4mat_bench.hub.preflight import matches
from llm4mat_bench.metrics import module_path

TOKEN = "hf_aVerySecretTokenThatNobodyMaySee"
REPO = "org/llm4mat-bench"
SCHEMA = pa.schema(
    [
        ("material_id", pa.string()),
        ("composition", pa.string()),
        ("cif", pa.string()),
        ("description", pa.string()),
        ("band_gap", pa.float64()),
        ("is_stable", pa.bool_()),
    ]
)
PROPERTIES = ["band_gap", "is_stable"]
MODALITIES = ["composition", "cif", "description"]


# ---------------------------------------------------------------------- a small folder, as `build` lays it out


def table_of(split: str, shard: int, rows: int = 20) -> pa.Table:
    draw = random.Random(f"{split}{shard}")
    return pa.Table.from_pylist(
        [
            {
                "material_id": f"mp-{split}-{shard}-{row}",
                "composition": f"Na{row + 1}Cl",
                "cif": f"data_Na{row + 1}Cl\n_cell_length_a {draw.uniform(2, 9):.8f}\n" + draw.randbytes(60).hex(),
                "description": None if row == 3 else f"Crystal {row} has bonds of {draw.uniform(1, 3):.2f} Å.",
                "band_gap": None if row == 5 else draw.uniform(0, 6),
                "is_stable": draw.random() < 0.5,
            }
            for row in range(rows)
        ],
        schema=SCHEMA,
    )


def write_folder(folder: Path, train_shards: int = 3) -> Path:
    data = folder / "data" / "mp"
    data.mkdir(parents=True)
    for split, count in (("train", train_shards), ("validation", 1), ("test", 1)):
        for shard in range(count):
            pq.write_table(table_of(split, shard), data / f"{split}-{shard:05d}-of-{count:05d}.parquet")
    files = [{"split": split, "path": f"data/mp/{split}-*.parquet"} for split in ("train", "validation", "test")]
    columns = {f"mp-{modality}": ["material_id", modality, *PROPERTIES] for modality in MODALITIES}
    columns["mp"] = ["material_id", *MODALITIES, *PROPERTIES]
    configs = [{"config_name": name, "columns": chosen, "data_files": files} for name, chosen in columns.items()]
    write_card(folder, {"license": "cc-by-4.0", "configs": configs})
    write_report(folder)
    (folder / "splits.json").write_text("{}\n")
    return folder


def write_card(folder: Path, metadata: object) -> None:
    text = yaml.safe_dump(metadata, sort_keys=False) if not isinstance(metadata, str) else metadata
    (folder / "README.md").write_text(f"---\n{text}---\n# Crystals\n")


def read_card(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---")[1])


def write_report(folder: Path) -> None:
    shards = [
        {
            "path": path.relative_to(folder).as_posix(),
            "rows": pq.read_metadata(path).num_rows,
            "size_bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
        for path in sorted(folder.rglob("*.parquet"))
    ]
    (folder / "build_report.json").write_text(json.dumps({"sources": {"mp": {"reader": "x", "shards": shards}}}))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shard_hashes(folder: Path) -> set[str]:
    return {sha256(path) for path in folder.rglob("*.parquet")}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def on_the_hub(hub: HubDouble, kind: str = "dataset", repo: str = REPO, revision: str = "main") -> dict[str, bytes]:
    files = hub.repo(kind, repo).files(revision)
    return {path: blob.content for path, blob in files.items() if path != ".gitattributes"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "built")


@pytest.fixture
def logged_in(hub: HubDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubDouble:
    hub.add_token(TOKEN, ["org"])
    hub.use(monkeypatch, TOKEN, tmp_path / "home")
    return hub


def push(folder: Path, repo: str = REPO, **options: object) -> PushResult:
    return push_folder(folder, check_dataset_folder(folder), repo, "dataset", **options)


def committed(hub: HubDouble) -> list[dict]:
    """Return the operations of the one commit since the last `forget`."""
    requests = [request for request in hub.requests if "/commit/" in request.path]
    assert len(requests) == 1
    return [json.loads(line) for line in requests[0].body.splitlines()]


def run(hub: HubDouble, home: Path, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from llm4mat_bench.cli import main; main()", *arguments],
        env={**os.environ, **hub.environment(token, home), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# ---------------------------------------------------------------------- the whole way there and back

LOAD = """
import hashlib, json, sys
import pyarrow as pa
from datasets import load_dataset

repo, splits, cases = json.loads(sys.argv[1])

def fingerprint(table):
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()

answers = []
for config, streaming in cases:
    found = {}
    for split in splits:
        data = load_dataset(repo, config, split=split, streaming=streaming)
        if streaming:
            table = pa.Table.from_pylist(list(data), schema=data.features.arrow_schema)
        else:
            table = data.data.table
        found[split] = [table.column_names, table.num_rows, fingerprint(table)]
    answers.append(found)
print(json.dumps(answers))
"""


def fingerprint(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def local_tables(folder: Path, config: str) -> dict[str, list]:
    """What the config should give, read with pyarrow alone."""
    chosen = next(one for one in read_card(folder)["configs"] if one["config_name"] == config)
    found = {}
    for split in ("train", "validation", "test"):
        shards = sorted((folder / "data").glob(f"*/{split}-*.parquet"))
        table = pa.concat_tables(pq.read_table(shard, columns=chosen["columns"]) for shard in shards)
        found[split] = [table.column_names, table.num_rows, fingerprint(table)]
    return found


@pytest.mark.slow
def test_what_is_pushed_is_what_load_dataset_gives(hub: HubDouble, folder: Path, tmp_path: Path) -> None:
    hub.add_token(TOKEN, ["org"])
    pushed = run(hub, tmp_path / "home", "push", "dataset", str(folder), "--repo", REPO, "--json")
    assert pushed.returncode == 0, pushed.stderr
    assert on_the_hub(hub) == contents(folder)
    assert json.loads(pushed.stdout)["counts"] == {"new": 8, "changed": 0, "unchanged": 0, "removed": 0}
    hub.forget()
    cases = [("mp-cif", True), ("mp-cif", False), ("mp-description", False)]
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps([REPO, ["train", "validation", "test"], cases])],
        env={**os.environ, **hub.environment(TOKEN, tmp_path / "fresh")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    answers = json.loads(loaded.stdout.splitlines()[-1])
    assert answers == [local_tables(folder, config) for config, _ in cases]
    assert any("range" in request.headers for request in hub.requests), "streaming did not read from the Hub"


@pytest.mark.slow
def test_the_embedded_sample_goes_there_and_back(hub: HubDouble, tmp_path: Path) -> None:
    """The folder that `build` itself makes."""
    if not (SAMPLE_FOLDER / "train.parquet").exists():
        pytest.skip("this checkout has no embedded sample yet")
    out = tmp_path / "sample"
    built = run(hub, tmp_path / "home", "build", "sample", "--out", str(out))
    assert built.returncode == 0, built.stderr
    hub.add_token(TOKEN, ["org"])
    pushed = run(hub, tmp_path / "home", "push", "dataset", str(out), "--repo", REPO)
    assert pushed.returncode == 0, pushed.stderr
    assert on_the_hub(hub) == contents(out)
    again = run(hub, tmp_path / "home", "push", "dataset", str(out), "--repo", REPO, "--json")
    assert json.loads(again.stdout)["bytes_to_send"] == 0


def test_the_repository_changes_in_one_commit_and_holds_every_byte(logged_in: HubDouble, folder: Path) -> None:
    result = push(folder, message="The first one")
    history = logged_in.repo("dataset", REPO).history()
    assert [commit.message for commit in history] == ["The first one", "initial commit"]
    assert history[0].sha == result.commit
    assert result.created
    assert on_the_hub(logged_in) == contents(folder)


def test_listings_in_pages_are_read_to_the_end(logged_in: HubDouble, folder: Path) -> None:
    push(folder)
    logged_in.page_size = 2
    assert {file.state for file in push(folder).plan.files} == {"unchanged"}


# ---------------------------------------------------------------------- only what changed


def test_a_second_push_sends_nothing(logged_in: HubDouble, folder: Path) -> None:
    first = push(folder)
    logged_in.forget()
    second = push(folder)
    assert logged_in.writes() == []
    assert second.commit == first.commit
    assert not second.created
    assert second.plan.bytes_to_send == 0


def test_one_changed_shard_goes_alone(logged_in: HubDouble, folder: Path) -> None:
    push(folder)
    shard = folder / "data/mp/train-00001-of-00003.parquet"
    pq.write_table(table_of("train", 77), shard)
    write_report(folder)
    logged_in.forget()
    result = push(folder)
    assert logged_in.uploads() == [sha256(shard)]
    paths = [operation["value"]["path"] for operation in committed(logged_in) if operation["key"] != "header"]
    assert sorted(paths) == ["build_report.json", "data/mp/train-00001-of-00003.parquet"]
    assert [file.path for file in result.plan.having("send")] == sorted(paths)
    assert on_the_hub(logged_in) == contents(folder)


def test_a_change_that_keeps_the_size_is_seen(logged_in: HubDouble, folder: Path) -> None:
    push(folder)
    (folder / "splits.json").write_text("[]\n")
    (change,) = push(folder).plan.having("send")
    assert (change.path, change.state, change.reason) == (
        "splits.json",
        "changed",
        "same size, other content on the Hub",
    )
    assert on_the_hub(logged_in)["splits.json"] == b"[]\n"


def test_files_only_on_the_hub_stay_until_deletion_is_asked_for(logged_in: HubDouble, folder: Path) -> None:
    (folder / "notes.md").write_text("to be removed")
    push(folder)
    (folder / "notes.md").unlink()
    kept = push(folder)
    assert [(file.path, file.action) for file in kept.plan.files if file.state == "removed"] == [("notes.md", "keep")]
    assert "notes.md" in on_the_hub(logged_in)
    deleted = push(folder, delete=True)
    assert [file.path for file in deleted.plan.having("delete")] == ["notes.md"]
    assert on_the_hub(logged_in) == contents(folder)
    assert ".gitattributes" in logged_in.repo("dataset", REPO).files()


def test_old_shards_are_never_mixed_with_new_ones(logged_in: HubDouble, folder: Path, tmp_path: Path) -> None:
    push(folder)
    other = write_folder(tmp_path / "other", train_shards=2)
    logged_in.forget()
    with pytest.raises(UsageError, match=r"train-00000-of-00003\.parquet and 2 more.*'mp-composition'.*--delete"):
        push(other)
    assert logged_in.writes() == []
    push(other, delete=True)
    assert on_the_hub(logged_in) == contents(other)


def test_a_branch_is_made_and_main_stays(logged_in: HubDouble, folder: Path) -> None:
    push(folder)
    before = on_the_hub(logged_in)
    (folder / "splits.json").write_text('{"mp": 1}\n')
    logged_in.forget()
    result = push(folder, revision="v2")
    assert on_the_hub(logged_in) == before
    assert on_the_hub(logged_in, revision="v2") == contents(folder)
    assert [file.path for file in result.plan.having("send")] == ["splits.json"]
    assert logged_in.uploads() == []


# ---------------------------------------------------------------------- dry run, private, public


def test_a_dry_run_writes_nothing_and_lists_everything(logged_in: HubDouble, folder: Path) -> None:
    absent = push(folder, dry_run=True)
    assert {(file.state, file.action) for file in absent.plan.files} == {("new", "send")}
    assert sum(file.size for file in absent.plan.files) == sum(map(len, contents(folder).values()))
    assert logged_in.repos == {}
    (folder / "old.md").write_text("x")
    push(folder)
    (folder / "old.md").unlink()
    (folder / "new.md").write_text("y")
    (folder / "splits.json").write_text("[1]\n")
    before = contents(folder)
    logged_in.forget()
    states = {file.path: file.state for file in push(folder, dry_run=True).plan.files}
    assert logged_in.writes() == []
    assert contents(folder) == before
    assert states.pop("old.md") == "removed"
    assert states.pop("new.md") == "new"
    assert states.pop("splits.json") == "changed"
    assert set(states.values()) == {"unchanged"}


def test_a_dry_run_of_something_public_needs_no_token(
    logged_in: HubDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(folder, private=False)
    monkeypatch.setenv("HF_TOKEN", "")
    assert push(folder, dry_run=True).plan.empty
    assert not push(folder, "org/something-else", dry_run=True).plan.exists
    with pytest.raises(UsageError, match=r"not logged in.*HF_TOKEN"):
        push(folder)


@pytest.mark.parametrize(("asked", "private"), [(None, True), (True, True), (False, False)])
def test_a_new_repository_is_private_unless_public_is_asked_for(
    logged_in: HubDouble, folder: Path, asked: bool | None, private: bool
) -> None:
    push(folder, private=asked)
    (made,) = [request.json() for request in logged_in.requests if request.path == "/api/repos/create"]
    assert made["visibility"] == ("private" if private else "public")
    assert logged_in.repo("dataset", REPO).private is private


@pytest.mark.parametrize("private", [True, False])
def test_who_asks_for_the_other_visibility_is_told_and_nothing_goes(
    logged_in: HubDouble, folder: Path, private: bool
) -> None:
    logged_in.add_repo("dataset", REPO, private=private)
    with pytest.raises(UsageError, match=f"is {'private' if private else 'public'} and --"):
        push(folder, private=not private)
    assert logged_in.writes() == []
    push(folder)
    assert logged_in.repo("dataset", REPO).private is private


# ---------------------------------------------------------------------- interruptions


def test_after_the_hub_died_only_the_rest_is_sent(logged_in: HubDouble, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "many", train_shards=7)
    logged_in.die_after_uploads(4)
    with pytest.raises(HubError, match=r"uploading to org/llm4mat-bench: .* http.*The same call goes on"):
        push(folder)
    first = logged_in.uploads()
    assert len(first) == 4
    assert on_the_hub(logged_in) == {}, "readers must never see half a dataset"
    logged_in.revive()
    logged_in.forget()
    result = push(folder)
    assert sorted([*first, *logged_in.uploads()]) == sorted(shard_hashes(folder))
    assert not result.created
    assert on_the_hub(logged_in) == contents(folder)


@pytest.mark.slow
def test_a_killed_push_goes_on(hub: HubDouble, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "many", train_shards=18)
    hub.add_token(TOKEN, ["org"])
    hub.upload_seconds = 0.4
    arguments = ["push", "dataset", str(folder), "--repo", REPO]
    process = subprocess.Popen(
        [sys.executable, "-c", "from llm4mat_bench.cli import main; main()", *arguments],
        env={**os.environ, **hub.environment(TOKEN, tmp_path / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(hub.objects) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2 * hub.upload_seconds)  # what was on its way has arrived
    arrived = set(hub.objects)
    assert 3 <= len(arrived) < 20
    assert on_the_hub(hub) == {}
    hub.upload_seconds = 0.0
    hub.forget()
    assert run(hub, tmp_path / "home", *arguments).returncode == 0
    assert set(hub.uploads()) == shard_hashes(folder) - arrived
    assert on_the_hub(hub) == contents(folder)


def test_a_commit_whose_answer_was_lost_is_not_made_twice(logged_in: HubDouble, folder: Path) -> None:
    logged_in.lose_commit_answer()
    result = push(folder)
    history = logged_in.repo("dataset", REPO).history()
    assert len(history) == 2
    assert result.commit == history[0].sha


def test_a_passing_fault_of_the_hub_is_waited_out(logged_in: HubDouble, folder: Path) -> None:
    logged_in.fail("PUT", "/storage/*", 503, times=3)
    logged_in.fail("POST", "/api/*/commit/*", 502, times=2)
    push(folder)
    assert on_the_hub(logged_in) == contents(folder)


def test_somebody_elses_push_in_between_is_not_overwritten(logged_in: HubDouble, folder: Path) -> None:
    push(folder)
    (folder / "splits.json").write_text("[3]\n")
    repo = logged_in.repo("dataset", REPO)

    def meanwhile(line: str) -> None:
        if line.startswith("committing"):
            repo.commit("main", {**repo.files(), "theirs.md": Blob(b"theirs", large=False)}, "theirs")

    with pytest.raises(HubError, match="somebody else changed it meanwhile"):
        push(folder, tell=meanwhile)
    assert repo.history()[0].message == "theirs"
    assert repo.files()["theirs.md"].content == b"theirs"


def test_a_file_the_hub_leaves_out_is_noticed(logged_in: HubDouble, folder: Path) -> None:
    logged_in.ignored = ["*/test-*"]
    with pytest.raises(HubError, match=r"does not hold 1 of the files.*data/mp/test-00000-of-00001.parquet.*gitignore"):
        push(folder)


# ---------------------------------------------------------------------- what failures say, and what they never say


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/datasets/*", 401, "does not accept the token"),
        ("POST", "/api/repos/create", 401, "does not accept the token"),
        ("POST", "/api/repos/create", 403, "may not do this .403..*write access to 'org'"),
        ("POST", "/api/repos/create", 402, "payment"),
        ("POST", "*/preupload/*", 404, "no such repository"),
        ("POST", "*/objects/batch", 403, "may not do this"),
        ("PUT", "/storage/*", 400, "refused .400."),
        ("POST", "*/commit/*", 413, "refused .413."),
        ("POST", "*/commit/*", 409, "somebody else"),
        ("POST", "*/commit/*", 429, "too many requests.*goes on"),
        ("POST", "*/commit/*", 500, "fault of its own.*goes on"),
        ("POST", "/api/validate-yaml", 400, "README.md"),
    ],
)
def test_every_refusal_is_one_line_that_helps_and_hides_the_token(
    logged_in: HubDouble, folder: Path, method: str, path: str, status: int, said: str
) -> None:
    logged_in.fail(method, path, status, "echo of {authorization} and " + TOKEN, times=100)
    with pytest.raises(HubError, match=said) as caught:
        push(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert REPO in text
    assert TOKEN not in text
    # A traceback would print these, requests with their headers and all.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_without_a_network_the_message_names_the_address(
    logged_in: HubDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_in.stop()
    with pytest.raises(HubError, match=f"cannot reach {logged_in.url}"):
        push(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        push(folder)


@pytest.mark.parametrize("repo", ["llm4mat-bench", "a/b/c", "org/", "org/na me", "org/x--y", "-/x"])
def test_a_bad_repository_name_is_a_usage_error(logged_in: HubDouble, folder: Path, repo: str) -> None:
    with pytest.raises(UsageError):
        push(folder, repo)
    assert logged_in.requests == []


@pytest.mark.slow
def test_no_output_holds_the_token(hub: HubDouble, folder: Path, tmp_path: Path) -> None:
    hub.add_token(TOKEN, ["org"])
    push_it = ("push", "dataset", str(folder), "--repo")
    hub.fail("POST", "/api/repos/create", 400, "echo of {authorization}")
    runs = [
        (1, run(hub, tmp_path / "home", *push_it, REPO)),  # refused with an echo
        (0, run(hub, tmp_path / "home", *push_it, REPO, "--private")),
        (1, run(hub, tmp_path / "home", *push_it, REPO, token=TOKEN + "x")),  # 401
    ]
    assert any(request.token == TOKEN for request in hub.requests), "the token did travel"
    for expected, done in runs:
        assert done.returncode == expected, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        assert TOKEN.removeprefix("hf_") not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    for path in [*folder.rglob("*"), *(tmp_path / "home").rglob("*")]:
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_the_dry_run_table_names_files_sizes_and_reasons(hub: HubDouble, folder: Path, tmp_path: Path) -> None:
    done = run(hub, tmp_path / "home", "push", "dataset", str(folder), "--repo", REPO, "--dry-run", token=None)
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "data/mp/train-00002-of-00003.parquet" in line)
    assert "kB" in row
    assert "new" in row
    assert "not on the Hub" in row
    assert "nothing was written" in done.stdout


# ---------------------------------------------------------------------- the checks before


def _truncate(folder: Path) -> None:
    shard = folder / "data/mp/test-00000-of-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])


def _flip_a_byte(folder: Path) -> None:
    shard = folder / "data/mp/train-00002-of-00003.parquet"
    damaged = bytearray(shard.read_bytes())
    damaged[100] ^= 1
    shard.write_bytes(damaged)


def _edit_card(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        card = read_card(folder)
        change(card)
        write_card(folder, card)

    return damage


def _link_out(folder: Path) -> None:
    outside = folder.parent / "secret.txt"
    outside.write_text("mine")
    (folder / "data" / "secret.txt").symlink_to(outside)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no card": (lambda folder: (folder / "README.md").unlink(), "not a finished dataset folder: README.md missing"),
    "no report": (lambda folder: (folder / "build_report.json").unlink(), "build_report.json missing"),
    "no splits": (lambda folder: (folder / "splits.json").unlink(), "splits.json missing"),
    "no YAML": (lambda folder: (folder / "README.md").write_text("# Crystals"), "no YAML block"),
    "broken YAML": (lambda folder: write_card(folder, "a: [\n"), "YAML cannot be read"),
    "no configs": (_edit_card(lambda card: card.pop("configs")), "has no `configs:`"),
    "config without name": (_edit_card(lambda card: card["configs"][0].pop("config_name")), "number 1: config_name"),
    "config twice": (_edit_card(lambda card: card["configs"].append(card["configs"][0])), "'mp-composition' .*twice"),
    "no such file": (
        _edit_card(lambda card: card["configs"][1].update(data_files="data/oqmd/*.parquet")),
        r"config 'mp-cif' reads 'data/oqmd/\*\.parquet', which matches no file",
    ),
    "no such column": (
        _edit_card(lambda card: card["configs"][1]["columns"].append("volume")),
        "config 'mp-cif' names the column 'volume', which data/mp/train-00000-of-00003.parquet lacks",
    ),
    "truncated": (_truncate, r"data/mp/test-00000-of-00001.parquet is no readable Parquet file"),
    "not Parquet": (
        lambda folder: (folder / "data/mp/test-00000-of-00001.parquet").write_bytes(b"PAR1"),
        "no readable Parquet file",
    ),
    "a flipped byte": (_flip_a_byte, "train-00002-of-00003.parquet is not what was built"),
    "shard missing": (
        lambda folder: (folder / "data/mp/train-00001-of-00003.parquet").unlink(),
        r"data/mp/train-00001-of-00003.parquet is missing .1 of 3",
    ),
    "shards of two builds": (
        lambda folder: pq.write_table(table_of("train", 9), folder / "data/mp/train-00000-of-00001.parquet"),
        "several builds",
    ),
    "source unread": (
        lambda folder: shutil.copytree(folder / "data/mp", folder / "data/oqmd"),
        "data/oqmd/test-00000-of-00001.parquet is read by no config",
    ),
    "temporary": (lambda folder: (folder / "data/mp/x.parquet.tmp").touch(), "x.parquet.tmp looks temporary"),
    "temporary with number": (lambda folder: (folder / "splits.json.part-3").touch(), "part-3 looks temporary"),
    "hidden": (lambda folder: (folder / ".env").write_text("HF_TOKEN=x"), ".env is hidden"),
    "unfinished build": (lambda folder: (folder / ".build/mp/data").mkdir(parents=True) or _fill(folder), ".build is"),
    "link out": (_link_out, "data/secret.txt is a link that leads out"),
    "listed but missing": (
        lambda folder: (folder / "build_report.json").write_text(
            (folder / "build_report.json").read_text().replace("train-00002-of-00003", "train-00009-of-00003")
        ),
        r"train-00009-of-00003.parquet is missing, though build_report.json lists it; .*00002.* is not in build_report",
    ),
    "report of another kind": (lambda folder: (folder / "build_report.json").write_text("[]"), "build_report.json"),
}


def _fill(folder: Path) -> None:
    for number in range(9):
        (folder / f".build/mp/data/{number}").touch()


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unfit_folder_is_refused_before_anything_is_asked_or_sent(folder: Path, damage: str) -> None:
    act, said = DAMAGES[damage]
    act(folder)
    with pytest.raises(DataError, match=said) as caught:
        check_dataset_folder(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_tools_leave_is_passed_over(folder: Path) -> None:
    before = check_dataset_folder(folder)
    for name in (".git/config", "__pycache__/x.pyc", ".cache/huggingface/x", ".DS_Store"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert check_dataset_folder(folder) == before
    assert before.rows == 100
    assert before.configs == ("mp-composition", "mp-cif", "mp-description", "mp")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("data/mp/train-*.parquet", "data/mp/train-00000-of-00001.parquet", True),
        ("data/mp/train-*.parquet", "data/mp/test-00000-of-00001.parquet", False),
        ("data/*.parquet", "data/mp/train-0.parquet", False),
        ("data/**/*.parquet", "data/mp/train-0.parquet", True),
        ("data/mp/train.parquet", "data/mp/trainXparquet", False),
        ("**", "data/mp/train-0.parquet", True),
    ],
)
def test_patterns_match_as_datasets_matches_them(tmp_path: Path, pattern: str, path: str, expected: bool) -> None:
    from datasets.data_files import resolve_pattern

    assert matches(pattern, path) is expected
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    try:
        found = resolve_pattern(pattern, str(tmp_path))
    except FileNotFoundError:
        found = []
    assert bool(found) is expected


# ---------------------------------------------------------------------- the plan itself


@pytest.mark.parametrize(
    ("content", "blob_id"),
    [  # as `git hash-object` prints them
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_blob_ids_are_those_of_git(tmp_path: Path, content: bytes, blob_id: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert git_blob_id_of(path) == blob_id


_TREES = st.dictionaries(st.sampled_from(["a", "b/c", "b/d.parquet", "e.json"]), st.binary(max_size=3), max_size=4)


@settings(max_examples=60, deadline=None)
@given(here=_TREES, there=_TREES, delete=st.booleans())
def test_carrying_out_a_plan_makes_the_hub_equal_to_the_folder(
    here: dict[str, bytes], there: dict[str, bytes], delete: bool
) -> None:
    def state(tree: dict[str, bytes]) -> HubState:
        blobs = {path: Blob(content, large=path.endswith(".parquet")) for path, content in sorted(tree.items())}
        files = [
            RemoteFile(
                path=path, size=len(blob.content), blob_id=blob.blob_id, sha256=blob.sha256 if blob.large else None
            )
            for path, blob in blobs.items()
        ]
        return HubState(exists=True, private=False, branch_exists=True, commit="0" * 40, files=tuple(files))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in here.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        summary = FolderSummary(files=tuple(here))

        def plan(tree: dict[str, bytes]):
            return make_plan(folder, summary, state(tree), repo="a/b", repo_type="dataset", delete=delete)

        first = plan(there)
        assert {file.path for file in first.files} == here.keys() | there.keys()
        after = {**there, **{file.path: here[file.path] for file in first.having("send")}}
        for file in first.having("delete"):
            del after[file.path]
        assert plan(after).empty
        assert after == here if delete else after == {**there, **here}
        assert not any(there.get(file.path) == here[file.path] for file in first.having("send"))


# ---------------------------------------------------------------------- the evaluate module as a Space

MODULE = """
import datasets
import evaluate


class Answer(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("float"), "references": datasets.Value("float")})
        return evaluate.MetricInfo(description="d", citation="c", inputs_description="i", features=features)

    def _compute(self, predictions, references):
        return {"answer": sum(predictions) - sum(references)}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "answer_score"
    folder.mkdir()
    (folder / "answer_score.py").write_text(MODULE)
    (folder / "README.md").write_text("---\ntitle: Answer\nsdk: static\n---\n# Answer\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "answer_score.pyc").write_bytes(b"x")
    return folder


def test_the_module_goes_to_a_space_of_the_cards_kind(logged_in: HubDouble, module: Path) -> None:
    repo = "org/answer_score"
    push_folder(module, check_metric_folder(module, repo), repo, "space")
    assert logged_in.repo("space", repo).sdk == "static"
    assert set(on_the_hub(logged_in, "space", repo)) == {"answer_score.py", "README.md"}


def test_a_module_under_another_name_is_refused(module: Path) -> None:
    with pytest.raises(UsageError, match=r"looks for other\.py.*--repo org/answer_score"):
        check_metric_folder(module, "org/other")
    (module / "README.md").write_text("---\ntitle: Answer\n---\n")
    with pytest.raises(DataError, match="sdk"):
        check_metric_folder(module, "org/answer_score")


@pytest.mark.slow
def test_evaluate_load_finds_the_space(hub: HubDouble, module: Path, tmp_path: Path) -> None:
    pytest.importorskip("evaluate")
    hub.add_token(TOKEN, ["org"])
    arguments = ("push", "metrics", str(module), "--repo", "org/answer_score", "--public")
    pushed = run(hub, tmp_path / "home", *arguments)
    assert pushed.returncode == 0, pushed.stderr
    code = "import evaluate; print(evaluate.load('org/answer_score').compute(predictions=[3.], references=[1.]))"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **hub.environment(None, tmp_path / "fresh")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert "{'answer': 2.0}" in loaded.stdout


def test_our_own_module_is_fit_to_be_published() -> None:
    folder = module_path()
    assert check_metric_folder(folder, f"org/{folder.name}").space_sdk == "gradio"


# ---------------------------------------------------------------------- the double refuses what the Hub refuses


def test_the_double_is_no_yes_man(logged_in: HubDouble, folder: Path) -> None:
    """A double that accepted anything would let everything above pass."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError
    from huggingface_hub.utils import get_session

    push(folder)
    api = HfApi()
    wrong = "0" * 64
    assert get_session().put(f"{logged_in.url}/storage/{wrong}", content=b"other").status_code == 400
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(REPO, repo_type="dataset", revision="nowhere")
    with pytest.raises(HfHubHTTPError, match="401"):
        api.repo_info(REPO, repo_type="dataset", token=False)
    lines = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "lfsFile", "value": {"path": "x.parquet", "algo": "sha256", "oid": wrong, "size": 1}},
    ]
    url = f"{logged_in.url}/api/datasets/{REPO}/commit/main"
    body = "\n".join(json.dumps(line) for line in lines)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert get_session().post(url, content=body, headers=headers).status_code == 400
    small = {"path": "s", "content": base64.b64encode(b"s").decode(), "encoding": "base64"}
    lines[1] = {"key": "file", "value": small}
    body = "\n".join(json.dumps(line) for line in lines)
    assert get_session().post(url, content=body).status_code == 401
    assert "s" not in on_the_hub(logged_in)
    assert get_session().post(url, content=body, headers=headers).status_code == 200
    assert on_the_hub(logged_in)["s"] == b"s"
    with pytest.raises(LLM4MatError):
        push(folder, "elsewhere/x")
