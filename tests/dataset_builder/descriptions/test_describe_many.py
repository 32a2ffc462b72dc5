"""``describe_many``: order, statuses, and processes that hang, die or eat memory."""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from llm4mat_bench.dataset_builder.crystals.reading import read_structure
from llm4mat_bench.dataset_builder.descriptions.batch.errors import PoolError
from llm4mat_bench.dataset_builder.descriptions.batch.many import describe_many, to_text
from llm4mat_bench.dataset_builder.descriptions.batch.pool import LocalPool
from llm4mat_bench.dataset_builder.descriptions.batch.records import Settings, Status, Task

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")

ELEMENTS = ["Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Al", "Ga"]


def crystal(*elements: str, side: float = 4.0) -> Structure:
    places = [[number / len(elements)] * 3 for number in range(len(elements))]
    return Structure(Lattice.cubic(side), elements, places)


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(processes: list[int], patience: float = 10.0) -> bool:
    end = time.monotonic() + patience
    while any(alive(process) for process in processes) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(alive(process) for process in processes)


def test_order_ids_and_kinds_of_input() -> None:
    structures = [crystal(element) for element in ELEMENTS]
    given = [
        structure if number % 3 == 0 else structure.to(fmt="cif") if number % 3 == 1 else structure.as_dict()
        for number, structure in enumerate(structures)
    ]
    given.append(str(structures[0].as_dict()))  # as published tables hold them
    records = list(
        describe_many(
            given, ids=[f"mp-{n}" for n in range(11)], workers=2, style="upstream", describer="fake_describers:quick"
        )
    )
    assert [record.id for record in records] == [f"mp-{n}" for n in range(11)]
    assert [record.description for record in records] == [
        f"{structure.composition.reduced_formula} is a crystal of 1 sites – upstream."
        for structure in [*structures, structures[0]]
    ]
    assert records[0].condensed == '{"formula":"Na","sites":{"0":"Na"}}'
    assert all(record.status is Status.OK and record.reason is None and record.n_sites == 1 for record in records)
    assert all(record.seconds > 0 for record in records)


def test_each_kind_of_failure_is_a_record_and_harms_no_other() -> None:
    given: dict[str, object] = {
        "hangs in C": crystal("H"),
        "crashes": crystal("He"),
        "eats memory": crystal("Li"),
        "raises": crystal("Be"),
        "leaves": crystal("B"),
        "no carbon": crystal("C"),
        "disordered": Structure(Lattice.cubic(4), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]]),
        "vacant": Structure(Lattice.cubic(4), [{"Fe": 0.5}], [[0, 0, 0]]),
        "empty": "",
        "fine": crystal("Na"),
    }
    records = {
        record.id: record
        for record in describe_many(
            given.values(),  # type: ignore[arg-type]
            ids=given,
            workers=2,
            timeout=4.0,
            memory_mb=256,
            describer="fake_describers:troubled",
        )
    }
    assert {name: (record.status.value, record.reason) for name, record in records.items()} == {
        "hangs in C": ("time_out", "took longer than 4 s"),
        "crashes": ("robocrys_error", "the worker died 3 times (SIGSEGV)"),
        "eats memory": ("out_of_memory", "needs more than 256 MiB"),
        "raises": ("robocrys_error", "KeyError: 'no such mineral at 0x…'"),
        "leaves": ("robocrys_error", "the worker died 3 times (exit status 7)"),
        "no carbon": ("bad_cif", "unknown_species: Not chemical elements: C"),
        "disordered": ("disordered", "some sites are shared"),
        "vacant": ("disordered", "some sites are shared"),
        "empty": ("bad_cif", "the text is empty"),
        "fine": ("ok", None),
    }
    assert 4.0 <= records["hangs in C"].seconds < 20.0


def test_a_worker_killed_from_outside_costs_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "killed"
    monkeypatch.setenv("FAKE_MARKER", str(marker))
    structures = [crystal(element) for element in ("Na", "Ar", "K")]
    records = list(describe_many(structures, workers=2, describer="fake_describers:dies_once"))
    assert marker.exists()
    assert [record.status for record in records] == [Status.OK] * 3


def test_an_endless_input_is_taken_lazily() -> None:
    taken = 0

    def endless() -> Iterator[Structure]:
        nonlocal taken
        for element in itertools.cycle(ELEMENTS):
            taken += 1
            yield crystal(element)

    records = describe_many(endless(), workers=1, describer="fake_describers:quick")
    first = list(itertools.islice(records, 300))
    records.close()  # type: ignore[attr-defined]
    assert [record.id for record in first] == [str(number) for number in range(300)]
    assert taken <= 300 + 64


def test_ids_and_structures_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(describe_many([crystal("Na")] * 2, ids=["one"], workers=1, describer="fake_describers:quick"))


def test_settings_are_checked_at_the_call() -> None:
    with pytest.raises(ValueError, match="style"):
        describe_many([], style="poetic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        describe_many([], timeout=0)


def test_no_structures_no_records() -> None:
    assert list(describe_many([], workers=1, describer="fake_describers:quick")) == []


def test_a_describer_that_cannot_be_loaded_is_one_clear_error() -> None:
    with pytest.raises(PoolError, match=r"No module named 'robocrys'.*llm4mat-bench\[describe\]"):
        list(describe_many([crystal("Na")], workers=1, describer="fake_broken_describer:describe"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_supervisor_has_one_thread_and_may_die() -> None:
    """Forks come from a process with a single thread, and its death costs no task."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)  # the caller may have threads
    thread.start()
    try:
        with LocalPool(Settings(describer="fake_describers:steady"), workers=2) as pool:
            texts = [to_text(crystal(element)) for element in ELEMENTS]
            outcomes = pool.exchange([Task(number, text) for number, text in enumerate(texts)])
            assert len(list(Path(f"/proc/{pool.supervisor_id}/task").iterdir())) == 1
            workers = children(pool.supervisor_id)
            assert len(workers) == 2
            os.kill(pool.supervisor_id, signal.SIGKILL)
            assert gone(workers)
            while pool.in_flight:
                outcomes += pool.exchange([])
            workers = [pool.supervisor_id, *children(pool.supervisor_id)]
        assert gone(workers)
        assert {outcome.index for outcome in outcomes} == set(range(10))
        assert all(outcome.status is Status.OK for outcome in outcomes)
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_closing_kills_workers_that_are_stuck() -> None:
    records = describe_many(
        [crystal("Na"), crystal("H"), crystal("H")], workers=3, describer="fake_describers:troubled"
    )
    assert next(records).status is Status.OK
    mine = [process for process in children(os.getpid()) if children(process)]
    stuck = [worker for process in mine for worker in children(process)]
    assert stuck
    records.close()  # type: ignore[attr-defined]
    assert gone(mine + stuck)


def test_a_structure_reaches_the_worker_bit_by_bit() -> None:
    structure = Structure(
        Lattice.from_parameters(3.1, 4.7, 5.3, 81.1, 97.3, 101.9), ["Na", "Cl"], [[0.1, 1 / 3, 0.7]] * 2
    )
    structure.translate_sites([1], [0.3, 0.123456789012345678, 0.1])
    structure.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    again = read_structure(to_text(structure))
    assert (again.lattice.matrix == structure.lattice.matrix).all()
    assert (again.frac_coords == structure.frac_coords).all()
    assert again.species == structure.species
