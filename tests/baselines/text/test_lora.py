"""Adapters on small random checkpoints: with a head, and taught by instruction."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import tiny_models
from test_fine_tune import CLASSES, TASK, context_of, data_of, rows

from llm4mat_bench.baselines.protocol import Context, Texts
from llm4mat_bench.baselines.text import lora
from llm4mat_bench.errors import DataError, UsageError


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.tiny_t5(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.tiny_chat(tmp_path_factory.mktemp("chat"))


def adapters(work: Path, folder: Path, **settings: Any) -> Context[Any]:
    work.mkdir(exist_ok=True)
    return context_of(lora, work, folder, **settings)


def saved(fitted: Any, folder: Path) -> Path:
    folder.mkdir()
    fitted.save(folder)
    return folder


@pytest.mark.parametrize(
    ("checkpoint", "task", "pooling"), [("bert", CLASSES, "mean"), ("t5", TASK, "mean"), ("chat", TASK, "last")]
)
def test_adapters_with_a_head_say_the_same_when_loaded(
    checkpoint: str, task: Any, pooling: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(checkpoint)
    fitted = lora.fit(data_of(task), adapters(tmp_path / "work", base, bond_lengths=True, bond_angles=True))
    folder = saved(fitted, tmp_path / "saved")
    texts = Texts([*rows(20)["text"][:], None, ""])
    answers = fitted.predict(texts)
    np.testing.assert_array_equal(answers, lora.load(folder).predict(texts))
    assert np.isnan(answers[-2:]).all() and np.isfinite(answers[:-2]).all()
    assert fitted.facts["pooling"] == pooling and fitted.facts["added_tokens"] == ["[NUM]", "[ANG]"]
    assert 0 < fitted.facts["trained_parameters"] < fitted.parameters
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert weights < (base / "model.safetensors").stat().st_size
    assert not list(folder.glob("*.bin")) and not list(folder.glob("*.p*kl*"))


@pytest.mark.parametrize("checkpoint", ["bert", "t5", "chat"])
def test_added_tokens_are_trained_and_the_rest_is_not(
    checkpoint: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    import torch
    from transformers import AutoModel, AutoModelForTextEncoding

    base = request.getfixturevalue(checkpoint)
    train = rows(16, texts=["lengths 2.82 Å and angles 90°"] * 16)
    settings = {"bond_lengths": True, "bond_angles": True, "epochs": 1}
    # With the same seed the added tokens begin as the same random rows; at a vanishing rate they stay so.
    still, moved = (
        lora.fit(
            data_of(train=train), adapters(tmp_path / f"work{rate}", base, **settings, learning_rate=rate)
        ).network.encoder.get_base_model()
        for rate in (1e-12, 1e-2)
    )

    kind = AutoModelForTextEncoding if checkpoint == "t5" else AutoModel
    pretrained = kind.from_pretrained(base).get_input_embeddings().weight.detach()
    every = torch.arange(len(pretrained) + 2)
    before, after = (model.get_input_embeddings()(every).detach() for model in (still, moved))
    torch.testing.assert_close(after[:-2], pretrained, rtol=0, atol=0)
    assert (after[-2:] != before[-2:]).any(dim=1).all()


def test_of_a_decoder_the_last_token_counts_and_padding_does_not(chat: Path, tmp_path: Path) -> None:
    fitted = lora.fit(data_of(), adapters(tmp_path / "work", chat))
    assert fitted.tokenizer.pad_token == "</s>"  # its own tokenizer has none
    texts = list(rows(30)["text"][:])
    together = fitted.predict(Texts(texts))
    alone = np.array([fitted.predict(Texts([text]))[0] for text in texts])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert fitted.predict(Texts(["NaCl"]))[0] != fitted.predict(Texts(["NaCl2"]))[0]


def test_adapters_learn(bert: Path, tmp_path: Path) -> None:
    def two_kinds(count: int) -> Any:
        return rows(count, [float(at % 2) for at in range(count)], texts=["NaCl", "Fe2O3"] * (count // 2))

    context = adapters(tmp_path / "work", bert, epochs=30, learning_rate=1e-2, dropout=0.0, adapter_dropout=0.0)
    fitted = lora.fit(data_of(train=two_kinds(32), validation=two_kinds(4)), context)
    np.testing.assert_allclose(fitted.predict(Texts(["NaCl", "Fe2O3"])), [0.0, 1.0], atol=0.15)


class StoppedError(Exception):
    """In place of a kill."""


def test_an_interrupted_training_goes_on_and_ends_in_the_same_answers(chat: Path, tmp_path: Path) -> None:
    settings = {"epochs": 3, "checkpoint_steps": 2, "learning_rate": 1e-2, "bond_lengths": True}

    def stop(words: str, done: int, total: int) -> None:
        if words.startswith("training") and done == 5:
            raise StoppedError

    whole = lora.fit(data_of(), adapters(tmp_path / "whole", chat, **settings))
    context = adapters(tmp_path / "stopped", chat, **settings)
    with pytest.raises(StoppedError):
        lora.fit(data_of(), Context(context.settings, context.seed, context.work, stop))
    assert (context.work / "checkpoints" / "checkpoint-4" / "complete.json").is_file()
    again = lora.fit(data_of(), context)
    texts = Texts(list(rows(20)["text"][:]))
    np.testing.assert_array_equal(whole.predict(texts), again.predict(texts))


@pytest.fixture(scope="module")
def taught(chat: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Models that were taught the answers of two formulas by heart."""
    found = {}
    for task, targets in ((TASK, (1.0, 2.5)), (CLASSES, (0.0, 1.0))):

        def two_kinds(count: int, targets: tuple[float, float] = targets) -> Any:
            return rows(count, list(targets) * (count // 2), texts=["NaCl", "Fe2O3"] * (count // 2))

        context = adapters(
            tmp_path_factory.mktemp(task.property.name),
            chat,
            form="instruction",
            max_length=200,
            epochs=25,
            learning_rate=2e-2,
            r=16,
            adapter_dropout=0.0,
        )
        data = data_of(task, "composition", train=two_kinds(16), validation=two_kinds(2))
        found[task.kind] = lora.fit(data, context)
    return found


def test_a_taught_model_answers_in_json(taught: dict[str, Any], tmp_path: Path) -> None:
    texts = Texts(["NaCl", None, "Fe2O3", ""])
    answers = taught["regression"].answer(texts)
    np.testing.assert_array_equal(answers.values, [1.0, np.nan, 2.5, np.nan])
    assert answers.columns["raw_output"] == ['{"band_gap": 1}', None, '{"band_gap": 2.5}', None]
    assert answers.columns["parse_status"] == ["json", "missing", "json", "missing"]
    again = lora.load(saved(taught["regression"], tmp_path / "saved")).answer(texts)
    np.testing.assert_array_equal(answers.values, again.values)
    assert answers.columns == again.columns


def test_classes_have_probabilities(taught: dict[str, Any]) -> None:
    answers = taught["classification"].answer(Texts(["NaCl", "Fe2O3"]))
    assert answers.columns["raw_output"] == ['{"is_stable": "False"}', '{"is_stable": "True"}']
    assert 0 < answers.values[0] < 0.3 and 0.7 < answers.values[1] < 1


def test_answers_do_not_depend_on_the_batch(taught: dict[str, Any]) -> None:
    model = taught["classification"]
    texts = ["NaCl", "Fe2O3", "MgAl2O4", "K", "Cs2AgBiBr6"]
    together = model.answer(Texts(texts))
    alone = [model.answer(Texts([text])) for text in texts]
    np.testing.assert_allclose(together.values, [one.values[0] for one in alone], rtol=0, atol=1e-5)
    assert together.columns["raw_output"] == [one.columns["raw_output"][0] for one in alone]


def test_a_question_begins_once_and_only_its_answer_is_learnt(taught: dict[str, Any]) -> None:
    from llm4mat_bench.baselines.text.answering import CollateAnswers
    from llm4mat_bench.baselines.text.questions import EncodeAnswers

    model = taught["regression"]
    encoded = EncodeAnswers(model.encode, TASK, 4)({"text": ["NaCl", None, "K"], "target": [1.23456, 0.0, 2.0]})
    assert len(encoded["input_ids"]) == 2 and encoded["target"] == [1.23456, 2.0]
    decode = model.tokenizer.decode
    question, rest = (
        decode(encoded["input_ids"][0][: encoded["start"][0]]),
        decode(encoded["input_ids"][0][encoded["start"][0] :]),
    )
    assert question.startswith("<s><|system|>") and question.count("<s>") == 1
    assert question.endswith("Formula: NaCl</s><|assistant|>") and rest == '{"band_gap": 1.235}</s>'
    batch = CollateAnswers(2)(
        [{"input_ids": encoded["input_ids"][at], "start": encoded["start"][at]} for at in range(2)]
    )
    learnt = [decode([one for one in row if one >= 0]) for row in batch["labels"].tolist()]
    assert learnt == ['{"band_gap": 1.235}</s>', '{"band_gap": 2}</s>']


def test_a_long_text_is_cut_and_the_question_stays_whole(taught: dict[str, Any]) -> None:
    model = taught["regression"]
    (ids, short), cut = model.encode(["Na" * 400 + "Cl", "K"])
    assert cut == [True, False] and len(ids) <= 200 < len(ids) + 3
    asked = model.tokenizer.decode(ids)
    assert "Formula: NaNaNa" in asked and asked.endswith("Na</s><|assistant|>")
    assert len(short) < 200


def test_what_cannot_be_read_is_invalid_and_kept(chat: Path, tmp_path: Path) -> None:
    fitted = lora.fit(data_of(), adapters(tmp_path / "work", chat, form="instruction", max_length=300, epochs=1))
    answers = fitted.answer(Texts(["NaCl"]))
    assert np.isnan(answers.values).all() and answers.columns["parse_status"][0] not in ("missing", "json")
    assert isinstance(answers.columns["raw_output"][0], str)


def test_a_template_without_system_texts_gets_all_in_the_question(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from llm4mat_bench.baselines.text.questions import chat_form, instruction

    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    for beginning in (refusing, ""):
        body = (
            "{% for message in messages %}{% if message['role'] != 'system' %}<|{{ message['role'] }}|>"
            "{{ message['content'] }}</s>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
        )
        folder = tiny_models.tiny_chat(tmp_path / f"chat{len(beginning)}", beginning + body)
        form = chat_form(AutoTokenizer.from_pretrained(folder), TASK, "composition", "it")
        assert form.before == f"<|user|>{instruction(TASK)}\nFormula: " and form.after == "</s><|assistant|>"
        assert form.end == 2


def test_what_cannot_be_taught_is_refused_in_one_line(bert: Path, chat: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is an encoder and writes no answers"):
        lora.fit(data_of(), adapters(tmp_path / "work", bert, form="instruction"))
    silent = tiny_models.tiny_chat(tmp_path / "silent", None)
    with pytest.raises(UsageError, match="no chat template"):
        lora.fit(data_of(), adapters(tmp_path / "work", silent, form="instruction"))
    with pytest.raises(UsageError, match="leaves no room for the crystal"):
        lora.fit(data_of(), adapters(tmp_path / "work", chat, form="instruction", max_length=50))
    with pytest.raises(UsageError, match="target_modules=nothing"):
        lora.fit(data_of(), adapters(tmp_path / "work", chat, target_modules="nothing"))
    with pytest.raises(UsageError, match="--model-id"):
        lora.resolve(lora.Settings())
    with pytest.raises(UsageError, match="own tokenizer"):
        lora.resolve(lora.Settings(model_id=str(chat), form="instruction", tokenizer=str(bert)))
    with pytest.raises(DataError, match="nothing to learn"):
        lora.fit(data_of(train=rows(9, [1.0] * 9)), adapters(tmp_path / "work", chat))
    with pytest.raises(DataError, match="one class"):
        lora.fit(data_of(CLASSES, train=rows(9, [1] * 9)), adapters(tmp_path / "work", chat, form="instruction"))


def test_another_base_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_models.tiny_bert(tmp_path / "bert")
    fitted = lora.fit(data_of(train=rows(3), validation=rows(1)), adapters(tmp_path / "work", base, epochs=1))
    folder = saved(fitted, tmp_path / "saved")
    wanted = fitted.predict(Texts(["NaCl"]))
    shutil.move(base, tmp_path / "elsewhere")
    with pytest.raises(DataError, match="base model is not there"):
        lora.load(folder)
    monkeypatch.setenv("LLM4MAT_BASE_MODEL", str(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(lora.load(folder).predict(Texts(["NaCl"])), wanted)
    monkeypatch.delenv("LLM4MAT_BASE_MODEL")
    tiny_models.tiny_bert(base, seed=1)
    with pytest.raises(DataError, match="not those that the adapter was trained on"):
        lora.load(folder)


@pytest.fixture(scope="module")
def kept(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved adapter."""
    place = tmp_path_factory.mktemp("kept")
    fitted = lora.fit(data_of(train=rows(3), validation=rows(1)), adapters(place / "work", bert, epochs=1))
    return saved(fitted, place / "saved")


@pytest.mark.parametrize(
    "damage", ["adapter_model.safetensors", "adapter_config.json", "base_model.json", "head.safetensors"]
)
def test_a_damaged_adapter_is_refused_in_one_line(damage: str, kept: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept, tmp_path / "damaged")
    (folder / damage).write_bytes((folder / damage).read_bytes()[:50])
    with pytest.raises(DataError) as caught:
        lora.load(folder)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_rank_is_refused(kept: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept, tmp_path / "other")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"r": 4}))
    with pytest.raises(DataError, match="does not fit its configuration"):
        lora.load(folder)


def test_others_can_put_the_adapter_on(chat: Path, tmp_path: Path) -> None:
    """Base model and adapter by peft alone write what our model writes."""
    import torch
    from peft import AutoPeftModelForCausalLM

    data = data_of(modality="composition", train=rows(4, texts=["NaCl", "K", "Si", "GaN"]), validation=rows(1))
    context = adapters(
        tmp_path / "work", chat, form="instruction", max_length=300, epochs=3, learning_rate=3e-2, r=16, digits=2
    )
    fitted = lora.fit(data, context)
    folder = saved(fitted, tmp_path / "saved")
    other = AutoPeftModelForCausalLM.from_pretrained(folder)
    (ids,), _ = fitted.encode(["NaCl"])
    made = other.generate(input_ids=torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=2)
    said = fitted.answer(Texts(["NaCl"])).columns["raw_output"][0]
    assert fitted.tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)[:10] == said[:10]


def test_a_run_ends_in_a_record_that_verifies_and_keeps_what_was_written(chat: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from llm4mat_bench.baselines.registry import get_baseline
    from llm4mat_bench.baselines.run import train_baseline
    from llm4mat_bench.metrics.results.verify import verify_results

    settings = lora.Settings(model_id=str(chat), form="instruction", epochs=1)
    run = train_baseline(
        get_baseline("lora"), TASK, "composition", tmp_path, settings=settings, train_rows=16, limit=4, threads=1
    )
    table = pq.read_table(run.folder / "predictions.parquet")
    written, statuses = table["raw_output"].to_pylist(), table["parse_status"].to_pylist()
    assert all(isinstance(one, str) for one in written[:4]) and set(written[4:]) == {None}
    assert "missing" not in statuses[:4] and set(statuses[4:]) == {None}
    counts = run.record.counts
    assert counts.n_scored + counts.n_invalid == 4 and counts.n_missing == counts.n_total - 4
    assert sum(run.record.fitted["parse_status"].values()) == 4
    assert not verify_results(tmp_path)[0].faults
    assert train_baseline(
        get_baseline("lora"), TASK, "composition", tmp_path, settings=settings, train_rows=16, limit=4
    ).already_there


@pytest.mark.parametrize("form", ["head", "instruction"])
def test_activations_computed_again_change_nothing(form: str, chat: Path, tmp_path: Path) -> None:
    train = rows(8, texts=["NaCl", "K", "Si", "GaN"] * 2)
    settings = {"form": form, "max_length": 200, "epochs": 1, "learning_rate": 1e-2}
    kept, again = (
        lora.fit(
            data_of(modality="composition", train=train, validation=rows(1)),
            adapters(tmp_path / f"work{checkpointing}", chat, **settings, gradient_checkpointing=checkpointing),
        )
        for checkpointing in (False, True)
    )
    assert again.facts["validation_error"] == pytest.approx(kept.facts["validation_error"], abs=1e-5)


def test_gguf_files_are_found(tmp_path: Path) -> None:
    from llm4mat_bench.baselines.text.checkpoints import local_checkpoint

    with pytest.raises(UsageError, match="no such file"):
        local_checkpoint(str(tmp_path / "a.gguf"))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    found = lora.resolve(lora.Settings(model_id=str(tmp_path)))
    assert found.model_revision == lora.resolve(lora.Settings(model_id=str(tmp_path / "a.gguf"))).model_revision
    (tmp_path / "b.gguf").write_bytes(b"other")
    with pytest.raises(UsageError, match="2 GGUF files; name the one"):
        local_checkpoint(str(tmp_path))
    assert lora.resolve(lora.Settings(model_id=str(tmp_path / "b.gguf"))).model_revision != found.model_revision
    pytest.importorskip("gguf")
    with pytest.raises(UsageError, match="cannot be loaded"):
        lora.fit(data_of(), adapters(tmp_path / "work", tmp_path / "b.gguf"))
