"""The same build as Ray tasks on a cluster of two nodes on this machine, one of which is killed half way."""

import threading
from pathlib import Path
from typing import Any

import pytest
from published import with_sizes, write_published

from llm4mat_bench.dataset_builder.dataset_folder.report import read_report
from llm4mat_bench.dataset_builder.export.build import build_source
from llm4mat_bench.dataset_builder.export.executor import run_jobs
from llm4mat_bench.dataset_builder.export.options import BuildOptions
from llm4mat_bench.errors import DataError
from llm4mat_bench.progress import silent

ray = pytest.importorskip("ray")
SIZES = (200, 5, 5)


@pytest.fixture(scope="module")
def cluster() -> Any:
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    one = Cluster(initialize_head=True, head_node_args=settings)
    yield one
    ray.shutdown()
    one.shutdown()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_killed_node_changes_no_byte(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4mat_bench.dataset_builder.readers import csv_scan

    scan = csv_scan.scan_csv
    monkeypatch.setattr(
        "llm4mat_bench.dataset_builder.readers.published_csv.scan_csv",
        lambda path, split, progress=silent: scan(path, split, progress, piece_bytes=12_000, batch_bytes=6_000),
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    source = with_sizes(write_published(tmp_path / "in", sizes=SIZES), SIZES)
    half_way = threading.Event()

    def progress(what: str, done: int, total: int) -> None:
        if what.endswith("rows") and done > total // 4:
            half_way.set()

    killed = []

    def kill() -> None:
        assert half_way.wait(120)
        cluster.remove_node(second, allow_graceful=False)
        killed.append(True)

    thread = threading.Thread(target=kill)
    thread.start()
    options = BuildOptions(ray_address=cluster.address)
    build_source(source, tmp_path / "in", tmp_path / "ray", options, progress=progress)
    thread.join()
    assert killed
    build_source(source, tmp_path / "in", tmp_path / "local")
    assert _files(tmp_path / "ray") == _files(tmp_path / "local")


@pytest.mark.slow
def test_errors_of_tasks_come_as_they_are(cluster: Any) -> None:
    with pytest.raises(DataError, match=r"no such file; is this a dataset folder"):
        list(run_jobs(read_report, [Path("nowhere.json")], ray_address=cluster.address))


@pytest.mark.slow
def test_no_cluster() -> None:
    ray.shutdown()
    with pytest.raises(DataError, match="no Ray cluster"):
        list(run_jobs(read_report, [Path("nowhere.json")], ray_address="127.0.0.1:1"))
