"""The one way to a Ray cluster: found or refused at once, bounded, in order, past deaths and errors."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from llm4mat_bench.errors import DataError, LLM4MatError, UsageError
from llm4mat_bench.ray_cluster import Cluster, ClusterError, check_address

ray = pytest.importorskip("ray")


@pytest.mark.parametrize("address", ["", "nonsense", "host:", "6379", "host:port"])
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError, match=r"no address of a Ray cluster: .*Write auto, HOST:6379"):
        check_address(address)


@pytest.mark.parametrize("address", ["auto", "local", "anyscale://mine"])
def test_addresses_that_only_ray_can_judge(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "[::ffff:127.0.0.1]:{}", "localhost:{}"])
def test_nobody_listens(form: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(ClusterError, match=rf"^no Ray cluster at .*{port}: "):
        Cluster(form.format(port))
    assert time.monotonic() - begun < 20


def test_a_port_that_is_none() -> None:
    with pytest.raises(ClusterError, match="no Ray cluster at localhost:99999: "):
        check_address("localhost:99999")


def test_another_program_listens() -> None:
    """Ray would try for minutes and then end the process."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ClusterError, match="another program listens there"):
            Cluster(f"127.0.0.1:{server.server_port}")
        server.shutdown()


def _square(number: int) -> int:
    time.sleep(0.3 if number == 0 else 0)
    return number * number


def _die_at_first(folder: Path) -> int:
    """Kill the process twice, then answer."""
    count = len(list(folder.iterdir()))
    (folder / str(count)).touch()
    if count < 2:
        os._exit(1)
    return count


def _complain(number: int) -> int:
    raise (DataError(f"row {number} is bad\nas always") if number else ZeroDivisionError("no row\nat all"))


def _import(name: str) -> int:
    __import__(name)
    return 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of one machine; the functions of this module travel to it."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.shutdown()
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 << 20, log_to_driver=False)
    with Cluster("auto") as connected:
        yield connected
    assert ray.is_initialized()  # who did not connect does not disconnect
    ray.shutdown()


@pytest.mark.slow
def test_results_in_order_and_jobs_taken_as_needed(cluster: Cluster) -> None:
    assert cluster.places() == 2
    assert cluster.places(cpus=2) == 1
    assert cluster.places(cpus=0.5) == 4
    taken = []

    def jobs() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    results = cluster.map(_square, jobs(), ordered=True)
    assert next(results) == 0
    assert len(taken) <= 8
    assert list(results) == [number * number for number in range(1, 40)]
    assert sorted(cluster.map(_square, range(10))) == [number * number for number in range(10)]
    assert list(cluster.map(_square, [])) == []


@pytest.mark.slow
def test_a_process_that_dies(cluster: Cluster, tmp_path: Path) -> None:
    assert list(cluster.map(_die_at_first, [tmp_path])) == [2]
    for one in tmp_path.iterdir():
        one.unlink()
    with pytest.raises(ClusterError, match=r"a Ray task was lost 1 times \(WorkerCrashedError\)"):
        list(cluster.map(_die_at_first, [tmp_path], retries=0))


@pytest.mark.slow
def test_errors_are_one_line(cluster: Cluster) -> None:
    with pytest.raises(DataError, match="row 1 is bad") as ours:
        list(cluster.map(_complain, [1]))
    assert type(ours.value) is DataError
    with pytest.raises(ClusterError, match=r"^a Ray task failed: ZeroDivisionError: no row at all$"):
        list(cluster.map(_complain, [0]))
    with pytest.raises(ClusterError, match=r"^a node lacks what it needs \(No module named 'not_there'\)"):
        list(cluster.map(_import, ["not_there"]))


@pytest.mark.slow
def test_an_error_stops_the_rest(cluster: Cluster, tmp_path: Path) -> None:
    results = cluster.map(_square, range(1000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    begun = time.monotonic()
    assert list(cluster.map(_square, [3])) == [9]
    assert time.monotonic() - begun < 30


@pytest.mark.slow
def test_a_node_with_another_version(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm4mat_bench.ray_cluster.__version__", "9.9")
    with pytest.raises(LLM4MatError, match=r"a node has llm4mat-bench \S+, this machine 9.9"):
        list(cluster.map(_square, [1]))
