"""Fine-tuned encoders on small random checkpoints: what they read, what they answer, what they refuse."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import datasets
import tiny_models
from transformers import AutoTokenizer

from llm4mat_bench.baselines.protocol import Context, Split, TaskData, Texts
from llm4mat_bench.baselines.text import encoder, llmprop, matbert
from llm4mat_bench.baselines.text.encoding import TextEncoder
from llm4mat_bench.baselines.text.fine_tune import has_bfloat16
from llm4mat_bench.baselines.text.preprocess import Preprocessing
from llm4mat_bench.dataset_builder.catalogue import get_task
from llm4mat_bench.errors import DataError, UsageError

TASK, CLASSES = get_task("sample/band_gap"), get_task("sample/is_stable")
FORMULAS = ["NaCl", "Fe2O3", "MgAl2O4", "Si", "GaN", "TiO2", "PbTe", "Cs2O", "KMnO4", "CaF2"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.tiny_t5(tmp_path_factory.mktemp("t5"))


def rows(count: int, targets: Any = None, texts: Any = None) -> datasets.Dataset:
    said = texts or [f"{FORMULAS[at % 10]} " + tiny_models.TEXTS[at % 5][: 20 + 7 * at] for at in range(count)]
    numbers = [float(at % 10) for at in range(count)] if targets is None else targets
    return datasets.Dataset.from_dict(
        {"material_id": [f"m{at}" for at in range(count)], "text": said, "target": numbers}
    )


def data_of(task: Any = TASK, modality: Any = "description", **changes: Any) -> TaskData:
    train = changes.get("train", rows(24) if task is TASK else rows(24, [at % 2 for at in range(24)]))
    validation = changes.get("validation", rows(8) if task is TASK else rows(8, [at % 2 for at in range(8)]))
    return TaskData(task, modality, Split("train", train), Split("validation", validation))


def context_of(module: Any, work: Path, folder: Path, **settings: Any) -> Context[Any]:
    given = {"model_id": str(folder), "epochs": 2, "batch_size": 8, "max_length": 64, **settings}
    return Context(module.resolve(module.Settings(**given)), seed=3, work=work)


@pytest.mark.parametrize(
    ("module", "checkpoint", "task"),
    [(llmprop, "t5", TASK), (matbert, "bert", CLASSES), (encoder, "bert", TASK), (encoder, "t5", CLASSES)],
)
def test_saved_and_loaded_it_says_the_same(
    module: Any, checkpoint: str, task: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "work").mkdir()
    fitted = module.fit(data_of(task), context_of(module, tmp_path / "work", request.getfixturevalue(checkpoint)))
    saved = tmp_path / "saved"
    saved.mkdir()
    fitted.save(saved)
    texts = Texts([*rows(20)["text"][:], None, ""])
    first, again = fitted.predict(texts), module.load(saved).predict(texts)
    np.testing.assert_array_equal(first, again)
    assert np.isnan(first[-2:]).all() and np.isfinite(first[:-2]).all()
    if task is CLASSES:
        assert ((first[:-2] > 0) & (first[:-2] < 1)).all()
    assert not list(saved.glob("*.bin")) and not list(saved.glob("*.p*kl*"))
    assert (saved / "learning_curve.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("module", "checkpoint", "pooling"),
    [(llmprop, "t5", "cls"), (llmprop, "t5", "mean"), (matbert, "bert", "pooler"), (encoder, "bert", "mean")],
)
def test_neither_padding_nor_order_nor_batch_matters(
    module: Any, checkpoint: str, pooling: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "work").mkdir()
    base = request.getfixturevalue(checkpoint)
    fitted = module.fit(data_of(), context_of(module, tmp_path / "work", base, pooling=pooling))
    texts = list(rows(30)["text"][:])
    together = fitted.predict(Texts(texts))
    assert np.ptp(together) > 1e-3
    alone = np.array([fitted.predict(Texts([text]))[0] for text in texts])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(fitted.predict(Texts(texts[::-1]))[::-1], together, rtol=0, atol=1e-5)


def test_mean_pooling_leaves_padding_out() -> None:
    import torch

    from llm4mat_bench.baselines.text.network import CrystalNetwork

    class Echo(torch.nn.Module):
        config = type("config", (), {"hidden_size": 2})()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            hidden = torch.stack([input_ids, 10 * input_ids], dim=-1).float()
            return type("output", (), {"last_hidden_state": hidden})()

    network = CrystalNetwork(Echo(), "mean", 0.0, classes=False)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[1.0, 0.0]]))
        network.head.bias.zero_()
    ids = torch.tensor([[2, 4, 99, 99], [1, 2, 3, 6]])
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    assert network.eval()(ids, mask)["logits"].tolist() == [3.0, 3.0]


def test_the_loss_is_the_absolute_error_of_z_scores() -> None:
    import torch

    from llm4mat_bench.baselines.text.batches import Collate

    batch = Collate(0, mean=2.0, deviation=4.0)(
        [{"input_ids": [1, 2], "target": 6.0}, {"input_ids": [3], "target": 0.0}]
    )
    assert batch["labels"].tolist() == [1.0, -0.5]
    assert batch["input_ids"].tolist() == [[1, 2], [3, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch["labels"].dtype == torch.float32


def test_llmprop_reads_a_first_token_and_tokens_for_numbers(t5: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = llmprop.fit(data_of(), context_of(llmprop, tmp_path / "work", t5))
    ids, cut = fitted.encode(["bond lengths are 2.82 Å"])
    tokens = fitted.tokenizer.convert_ids_to_tokens(ids[0])
    assert tokens[0] == "[CLS]" and "[NUM]" in tokens and tokens[-1] == "</s>"
    assert cut == [False]
    assert fitted.facts["added_tokens"] == ["[NUM]", "[ANG]", "[CLS]"]


def test_a_composition_is_not_preprocessed(t5: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = llmprop.fit(data_of(modality="composition"), context_of(llmprop, tmp_path / "work", t5))
    assert fitted.state.steps.added_tokens == () and fitted.state.steps.stop_words is None


def test_long_texts_are_cut_and_counted(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    train = rows(24, texts=["NaCl " * 300, *(["GaN"] * 23)])
    fitted = encoder.fit(data_of(train=train), context_of(encoder, tmp_path / "work", bert, max_length=4000))
    assert fitted.facts["max_length"] == 128  # what the model has positions for
    assert fitted.facts["training_texts_cut"] == 1
    ids, cut = fitted.encode(["NaCl " * 300, "GaN"])
    assert len(ids[0]) == 128 and ids[0][-1] == fitted.tokenizer.sep_token_id and cut == [True, False]


def test_a_tokenizer_is_given_few_texts_at_a_time(bert: Path) -> None:
    """It keeps more of a text than its tokens: all at once, 4,096 descriptions took two gigabytes."""
    tokenizer, given = AutoTokenizer.from_pretrained(bert), []

    class Counting:
        sep_token_id, eos_token_id = tokenizer.sep_token_id, tokenizer.eos_token_id

        def __call__(self, texts: list[str], **options: Any) -> Any:
            given.append(len(texts))
            return tokenizer(texts, **options)

    texts = [f"{FORMULAS[at % 10]} " * (1 + at % 100) for at in range(1000)]
    steps = Preprocessing(bond_lengths=False, bond_angles=False, stop_words=None)
    encode = TextEncoder(Counting(), steps, frozenset(), "", 64)
    ids, cut = encode(texts)
    assert max(given) < 200 and sum(given) == 1000
    whole = tokenizer(texts, truncation=True, max_length=64)["input_ids"]
    assert ids == whole
    assert cut == [len(one) > 64 for one in tokenizer(texts)["input_ids"]] and any(cut) and not all(cut)
    assert encode([]) == ([], [])


def test_targets_are_scaled_by_the_training_rows_only(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    train = rows(24, [10.0 + at % 2 for at in range(24)])
    validation = rows(8, [1e6] * 8)
    fitted = encoder.fit(data_of(train=train, validation=validation), context_of(encoder, tmp_path / "work", bert))
    assert (fitted.state.mean, fitted.state.deviation) == (10.5, 0.5)


def test_rows_without_text_are_passed_over_in_training(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    train = rows(24, texts=[None, "", *(["GaN", "NaCl"] * 11)])
    fitted = encoder.fit(data_of(train=train), context_of(encoder, tmp_path / "work", bert))
    assert fitted.facts["training_rows_without_text"] == 2


@pytest.mark.parametrize(
    ("said", "kind", "wanted"),
    [
        ("inline_container.cc:672: unexpected pos 64 vs 0", DataError, "disk is full"),
        ("basic_ios::clear: iostream error", DataError, "disk is full"),
        ("shapes", RuntimeError, "shapes"),
    ],
)
def test_a_full_disk_is_one_line(
    said: str, kind: type[Exception], wanted: str, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch says when it cannot write a checkpoint to the end; other errors stay what they are."""
    import torch

    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError(said)

    (tmp_path / "work").mkdir()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(kind, match=wanted):
        encoder.fit(data_of(), context_of(encoder, tmp_path / "work", bert, epochs=1))
    assert not list((tmp_path / "work" / "checkpoints").iterdir())  # nothing half-written


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_damaged_checkpoint_is_one_line(name: str, bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()

    class KilledError(Exception):
        pass

    def kill(words: str, done: int, total: int) -> None:
        if done == 4:
            raise KilledError

    context = context_of(encoder, tmp_path / "work", bert, checkpoint_steps=1)
    with pytest.raises(KilledError):
        encoder.fit(data_of(), replace(context, progress=kill))
    [*_, last] = sorted((tmp_path / "work" / "checkpoints").glob("checkpoint-*"))
    (last / name).write_bytes(b"{" + (last / name).read_bytes()[: 9 if name.endswith("json") else 90])
    with pytest.raises(DataError, match=rf"{last.name}: cannot go on from it .*--overwrite begins anew") as caught:
        encoder.fit(data_of(), context)
    assert "\n" not in str(caught.value)


def test_three_training_rows_are_enough(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = encoder.fit(data_of(train=rows(3), validation=rows(1)), context_of(encoder, tmp_path / "work", bert))
    assert np.isfinite(fitted.predict(Texts(["NaCl"]))).all()


@pytest.mark.skipif(not has_bfloat16(), reason="bfloat16 would be emulated here")
def test_bfloat16_trains_where_it_is_no_emulation(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = encoder.fit(data_of(), context_of(encoder, tmp_path / "work", bert, precision="bfloat16"))
    assert np.isfinite(fitted.predict(Texts(["NaCl"]))).all()


def test_training_learns(bert: Path, tmp_path: Path) -> None:
    """Two kinds of text with two targets are told apart."""
    (tmp_path / "work").mkdir()
    train = rows(64, [float(at % 2) for at in range(64)], texts=["NaCl", "Fe2O3"] * 32)
    validation = rows(8, [float(at % 2) for at in range(8)], texts=["NaCl", "Fe2O3"] * 4)
    settings = {"epochs": 20, "learning_rate": 3e-3, "dropout": 0.0}
    fitted = encoder.fit(
        data_of(train=train, validation=validation), context_of(encoder, tmp_path / "work", bert, **settings)
    )
    np.testing.assert_allclose(fitted.predict(Texts(["NaCl", "Fe2O3"])), [0.0, 1.0], atol=0.1)


@pytest.mark.parametrize(
    ("changes", "task", "wanted"),
    [
        ({"train": rows(9, [1.0] * 9)}, TASK, "nothing to learn"),
        ({"train": rows(9, [1] * 9)}, CLASSES, "one class"),
        ({"train": rows(3, texts=[None, "", None])}, TASK, "no row has a text"),
    ],
)
def test_data_that_cannot_teach_is_refused(changes: Any, task: Any, wanted: str, bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises((DataError, UsageError), match=wanted):
        encoder.fit(data_of(task, **changes), context_of(encoder, tmp_path / "work", bert))


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    llama = tiny_models.tiny_llama(tmp_path / "llama")
    with pytest.raises(UsageError, match="is no encoder"):
        encoder.fit(data_of(), context_of(encoder, tmp_path, llama))
    with pytest.raises(UsageError, match="no such folder"):
        encoder.resolve(encoder.Settings(model_id="./nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no checkpoint"):
        encoder.resolve(encoder.Settings(model_id=str(tmp_path / "empty")))
    with pytest.raises(UsageError, match="--model-id"):
        encoder.resolve(encoder.Settings())


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2
    from huggingface_hub import HfApi

    def unreachable(*_: Any, **__: Any) -> None:
        raise httpx2.ConnectError("[Errno -2] Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    with pytest.raises(UsageError, match="neither a folder nor a model repo that can be reached"):
        encoder.resolve(encoder.Settings(model_id="no-such/model"))


def test_a_checkpoint_is_named_by_its_weights(bert: Path, tmp_path: Path) -> None:
    other = tiny_models.tiny_bert(tmp_path / "other", seed=1)
    first = encoder.resolve(encoder.Settings(model_id=str(bert))).model_revision
    assert first == encoder.resolve(encoder.Settings(model_id=str(bert))).model_revision
    assert first != encoder.resolve(encoder.Settings(model_id=str(other))).model_revision
    with pytest.raises(UsageError, match="not those of revision"):
        encoder.resolve(encoder.Settings(model_id=str(other), model_revision=first))


@pytest.mark.parametrize(
    ("kind", "settings", "wanted"),
    [
        ("clip", {}, "a clip is no text encoder"),
        ("longt5", {}, "is an encoder with a decoder"),
        ("distil", {"pooling": "pooler"}, "a distilbert has no pooler"),
    ],
)
def test_what_makes_no_states_of_tokens_is_refused(
    kind: str, settings: dict[str, Any], wanted: str, bert: Path, tmp_path: Path
) -> None:
    folder = tiny_models.tiny_other(tmp_path / "other", bert, kind)
    with pytest.raises(UsageError, match=wanted) as caught:
        encoder.fit(data_of(), context_of(encoder, tmp_path, folder, **settings))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


def test_a_model_stands_for_an_architecture(bert: Path, t5: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a bert, where a t5 or .* is needed; `train encoder` takes any"):
        llmprop.fit(data_of(), context_of(llmprop, tmp_path, bert))
    with pytest.raises(UsageError, match="a t5, where a bert is needed"):
        matbert.fit(data_of(), context_of(matbert, tmp_path, t5, pooling="mean"))


def test_a_pooler_that_was_not_pretrained_is_recorded(bert: Path, tmp_path: Path) -> None:
    """A BERT that was trained to fill gaps has none; what stands in for it is a seeded draw, and trained."""
    folder = tiny_models.tiny_other(tmp_path / "gaps", bert, "gaps")
    facts = {}
    for pooling in ("pooler", "mean"):
        (tmp_path / pooling).mkdir()
        context = context_of(matbert, tmp_path / pooling, folder, pooling=pooling, epochs=1)
        facts[pooling] = matbert.fit(data_of(train=rows(4), validation=rows(1)), context).facts
    assert facts["pooler"]["weights_not_pretrained"] == ["pooler.dense.bias", "pooler.dense.weight"]
    assert "weights_not_pretrained" not in facts["mean"]


def test_positions_that_are_counted_from_padding_limit_a_text(bert: Path, tmp_path: Path) -> None:
    folder = tiny_models.tiny_other(tmp_path / "roberta", bert, "roberta")
    (tmp_path / "work").mkdir()
    train = rows(4, texts=["NaCl " * 300] * 4)
    data = data_of(train=train, validation=rows(1))
    fitted = encoder.fit(data, context_of(encoder, tmp_path / "work", folder, epochs=1, max_length=888))
    assert fitted.facts["max_length"] == 39 and fitted.facts["training_texts_cut"] == 4


def write_tokenizer(folder: Path, words: list[str], **special: str) -> Path:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=special["unk_token"]))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("more", r"has 9\d\d tokens, .* knows \d+: it belongs to another model; leave tokenizer out"),
        ("fewer", r"has 50 tokens, .* knows \d+: it belongs to another model; leave tokenizer out"),
        ("padding", "has pad token 3, .* was trained with 0: it belongs to another model"),
        ("none", "there is no tokenizer"),
        ("same", None),
    ],
)
def test_a_tokenizer_of_another_model_is_refused(change: str, wanted: str | None, bert: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(bert)
    words = own.convert_ids_to_tokens(list(range(len(own))))
    words = {"more": [*words, *(f"word{at}" for at in range(700))], "fewer": words[:50], "none": words[:4]}.get(
        change, words
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    if change == "padding":
        words[0], words[3] = words[3], words[0]
    folder = write_tokenizer(tmp_path / "tokenizer", words, **special)
    context = context_of(encoder, tmp_path, bert, tokenizer=str(folder), epochs=1)
    data = data_of(train=rows(4), validation=rows(1))
    if wanted is None:
        encoder.fit(data, context)
        return
    with pytest.raises(UsageError, match=wanted):
        encoder.fit(data, context)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer"]


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "text_model.json", "tokenizer.json"])
def test_a_damaged_model_is_refused_in_one_line(damage: str, bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = encoder.fit(data_of(), context_of(encoder, tmp_path / "work", bert, epochs=1))
    saved = tmp_path / "saved"
    saved.mkdir()
    fitted.save(saved)
    (saved / damage).write_bytes((saved / damage).read_bytes()[:50])
    with pytest.raises((DataError, UsageError)) as caught:
        encoder.load(saved)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(bert: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    fitted = encoder.fit(data_of(), context_of(encoder, tmp_path / "work", bert, epochs=1))
    saved = tmp_path / "saved"
    saved.mkdir()
    fitted.save(saved)
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(DataError, match="not a whole saved model"):
        encoder.load(saved)


def test_a_run_is_the_same_wherever_its_checkpoint_lies(bert: Path, tmp_path: Path) -> None:
    """What counts of a path is what lies there: weights, tokenizer, stop words."""
    import shutil

    def named(folder: Path, **settings: Any) -> dict[str, str]:
        return encoder.places(encoder.resolve(encoder.Settings(model_id=str(folder), **settings)))

    copy = shutil.copytree(bert, tmp_path / "copy")
    assert named(bert) == named(copy) and list(named(bert)) == ["model_id"]
    other = tiny_models.tiny_bert(tmp_path / "other", seed=1)
    assert named(bert) != named(other)
    (tmp_path / "one.txt").write_text("the\n")
    (tmp_path / "two.txt").write_text("the\n")
    words = [named(bert, stop_words=str(tmp_path / name))["stop_words"] for name in ("one.txt", "two.txt")]
    assert words[0] == words[1]
    with_it = named(bert, tokenizer=str(copy))
    assert with_it == named(copy, tokenizer=str(bert)) and sorted(with_it) == ["model_id", "tokenizer"]
    with (copy / "tokenizer.json").open("a") as file:
        file.write(" ")
    assert named(copy)["model_id"] != named(bert)["model_id"]
    assert named(bert, tokenizer=str(copy))["tokenizer"] != with_it["tokenizer"]
    with pytest.raises(UsageError, match="no such folder"):
        named(bert, tokenizer="./nowhere")
    with pytest.raises(DataError, match="no list of stop words"):
        named(bert, stop_words=str(tmp_path / "none.txt"))


def test_checkpoints_change_no_answer(bert: Path, tmp_path: Path) -> None:
    """So how often they are written is no part of what a run is."""
    answers = []
    for steps in (1, 500):
        (tmp_path / str(steps)).mkdir()
        context = context_of(encoder, tmp_path / str(steps), bert, checkpoint_steps=steps)
        answers.append(encoder.fit(data_of(), context).predict(Texts(rows(8)["text"][:])))
    np.testing.assert_array_equal(*answers)


def test_a_reporter_that_is_not_there_is_one_line(bert: Path, tmp_path: Path) -> None:
    """The setting is transformers' own: its word is passed on."""
    context = context_of(encoder, tmp_path, bert, epochs=1, report_to="nonsense")
    with pytest.raises(UsageError, match=r"report_to=nonsense: .*nonsense") as caught:
        encoder.fit(data_of(train=rows(4), validation=rows(1)), context)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("modality", ["composition", "cif", "description"])
@pytest.mark.parametrize(("model", "checkpoint"), [("llmprop", "t5"), ("matbert", "bert")])
def test_each_modality_is_trained_on_its_own_text(
    model: str,
    checkpoint: str,
    modality: Any,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the preset `published`, whose code read descriptions whatever it was asked for."""
    from llm4mat_bench.baselines.registry import get_baseline
    from llm4mat_bench.baselines.run import read_settings, train_baseline
    from llm4mat_bench.baselines.text import encoding
    from llm4mat_bench.dataset_builder.sample import read_sample

    class EnoughError(Exception):
        pass

    seen: dict[str, str | None] = {}

    def encode_splits(data: TaskData, encode: Any, context: Any) -> None:
        for split in (data.train, data.validation):
            seen.update(zip(split.material_ids.to_pylist(), split.texts, strict=True))
        raise EnoughError

    own: dict[str, str] = {}
    for split in ("train", "validation"):
        table = read_sample(split, ["material_id", modality])
        own.update(zip(table["material_id"].to_pylist(), table[modality].to_pylist(), strict=True))
    monkeypatch.setattr(encoding, "encode_splits", encode_splits)
    baseline = get_baseline(model)
    given = {"model_id": str(request.getfixturevalue(checkpoint))}
    settings = read_settings(baseline, given, "published")
    with pytest.raises(EnoughError):
        train_baseline(baseline, TASK, modality, tmp_path, settings=settings, preset="published")
    assert len(seen) > 900 and seen == {name: own[name] for name in seen}


@pytest.mark.parametrize("given", [None, "elsewhere"])
def test_the_logs_of_tensorboard_do_not_go_with_the_work_folder(
    given: str | None, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm4mat_bench.baselines.text import training

    variable = "TENSORBOARD_LOGGING_DIR"
    seen: list[str] = []

    def trainer(**_: Any) -> None:
        seen.append(os.environ[variable])
        raise ValueError("enough")

    monkeypatch.delenv(variable, raising=False)
    if given:
        monkeypatch.setenv(variable, given)
    monkeypatch.setattr(training, "_Trainer", trainer)
    work = tmp_path / ".encoder-seed3-0123456789.work"
    work.mkdir()
    with pytest.raises(UsageError, match="report_to=tensorboard: enough"):
        encoder.fit(data_of(), context_of(encoder, work, bert, report_to="tensorboard"))
    assert seen == [given or str(Path("runs", "encoder-seed3-0123456789"))]
    assert os.environ.get(variable) == given
