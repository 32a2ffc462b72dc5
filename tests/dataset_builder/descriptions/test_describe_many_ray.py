"""The same job on a Ray cluster of two nodes, one of which is killed."""

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

ray = pytest.importorskip("ray")

from llm4mat_bench.dataset_builder.descriptions.batch.errors import PoolError  # noqa: E402
from llm4mat_bench.dataset_builder.descriptions.batch.inputs import open_source  # noqa: E402
from llm4mat_bench.dataset_builder.descriptions.batch.job import run_job  # noqa: E402
from llm4mat_bench.dataset_builder.descriptions.batch.on_ray import RayCluster  # noqa: E402
from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool  # noqa: E402
from llm4mat_bench.dataset_builder.descriptions.batch.records import Settings, Task  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kills processes of a node")]

ROWS = 160
HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without processors and two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = HERE  # the nodes must find the stand-ins
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


class _Count:
    """Counts rows, and tells when some are done."""

    def __init__(self, wanted: int) -> None:
        self.done = 0
        self._wanted = wanted
        self.reached = threading.Event()

    def __call__(self, step: str, done: int, total: int) -> None:
        if step == "describing":
            self.done = done
            if self.done >= self._wanted:
                self.reached.set()


def test_a_killed_node_changes_no_byte(cluster: Any, tmp_path: Path) -> None:
    pick = random.Random(1)
    folder = tmp_path / "crystals"
    folder.mkdir()
    for number in range(ROWS):
        elements = pick.choices(["Na", "K", "Mg", "Ca", "Si", "O", "S", "Be", "He"], k=pick.choice([1, 2, 3]))
        places = [[(place + 0.5) / 4] * 3 for place in range(len(elements))]
        text = Structure(Lattice.cubic(6), elements, places).to(fmt="cif")
        (folder / f"{number:03d}.cif").write_text(text if number % 9 else text[:100])
    settings = Settings(describer="fake_describers:steady")
    run_job(open_source(folder), tmp_path / "local.parquet", settings, lambda: LocalPool(settings, 1))

    nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
    cluster.wait_for_nodes()
    watcher = _Count(ROWS // 4)
    killed_at: list[int] = []

    def kill_one() -> None:
        watcher.reached.wait(120)
        killed_at.append(watcher.done)
        cluster.remove_node(nodes[0], allow_graceful=False)

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = run_job(
        open_source(folder),
        tmp_path / "ray.parquet",
        settings,
        lambda: RayCluster(settings, cluster.address),
        progress=watcher,
    )
    killer.join()
    assert ROWS // 4 <= killed_at[0] < ROWS
    assert summary.rows == ROWS
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
    assert not (tmp_path / "ray.parquet.journal").exists()


def test_a_node_that_cannot_describe_is_one_clear_error(cluster: Any) -> None:
    cluster.add_node(num_cpus=1)
    executor = RayCluster(Settings(describer="fake_broken_describer:describe"), cluster.address)
    try:
        with pytest.raises(PoolError, match="No module named 'robocrys'"):
            executor.exchange([Task(0, "x")])
    finally:
        executor.close()


def test_no_cluster_at_the_address() -> None:
    start = time.monotonic()
    with pytest.raises(PoolError, match="no Ray cluster at"):
        RayCluster(Settings(), "127.0.0.1:1")
    assert time.monotonic() - start < 60
