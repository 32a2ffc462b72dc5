import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crystal_tables import crystals, real_rows, split_rows, write_folder
from typer.testing import CliRunner

from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.catalogue import get_benchmark, get_source, list_sources
from llm4mat_bench.dataset_builder.dataset_folder import open_dataset_folder
from llm4mat_bench.dataset_builder.statistics import (
    StatisticsReport,
    compute_statistics,
    load_tokenizer,
    statistics_page,
)
from llm4mat_bench.dataset_builder.statistics.models import Lengths, SourceStatistics, TextStatistics
from llm4mat_bench.dataset_builder.statistics.published import compare
from llm4mat_bench.errors import DataError, UsageError


@pytest.fixture(scope="module")
def columns() -> dict[str, list]:
    table = crystals(200)
    rng = np.random.default_rng(3)
    table["gap"] = [None if row % 7 == 0 else float(value) for row, value in enumerate(rng.lognormal(0, 1, 200))]
    table["odd"] = [float("inf") if row == 3 else float("nan") if row == 5 else float(row) for row in range(200)]
    table["count"] = rng.integers(0, 5, 200).tolist()
    table["flag"] = [None if row % 50 == 0 else bool(value) for row, value in enumerate(rng.uniform(size=200) < 0.2)]
    table["remark"] = ["free text"] * 200
    table["description"][4] = None
    table["description"][9] = ""
    table["description"][11] = "one  two\n\tthree – (4.5)"
    return table


@pytest.fixture(scope="module")
def folder(columns, tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("stats"), "made", split_rows(columns), shards=2)


@pytest.fixture(scope="module")
def report(folder) -> StatisticsReport:
    return compute_statistics(open_dataset_folder(folder))


def frames(columns) -> dict[str, pd.DataFrame]:
    return {split: pd.DataFrame(values) for split, values in split_rows(columns).items()}


def test_rows_words_and_missing_texts_against_pandas(columns, report):
    source = report.sources[0]
    for split, frame in frames(columns).items():
        assert source.rows[split] == len(frame)
        for modality in ("composition", "cif", "description"):
            text = source.texts[modality][split]
            present = frame[modality].dropna()
            present = present[present != ""]
            assert text.texts == len(present)
            assert text.missing == len(frame) - len(present)
            assert text.bytes == sum(len(one.encode()) for one in present)
            words = present.str.split().str.len()
            assert text.words.total == words.sum()
            assert text.words.mean == pytest.approx(words.mean())
            assert text.words.median == words.median()
            assert text.words.p95 == pytest.approx(words.quantile(0.95))
            assert (text.words.least, text.words.greatest) == (words.min(), words.max())
            # Python's \w has the same letters, digits and underscore for these texts.
            pieces = present.map(lambda one: len(re.findall(r"\w+|[^\w\s]", one)))
            assert text.word_pieces.total == pieces.sum()
            assert text.tokens is None


def test_distributions_against_numpy(columns, report):
    targets = {target.name: target for target in report.sources[0].targets}
    for split, frame in frames(columns).items():
        gap = frame["gap"].dropna().to_numpy()
        stats = targets["gap"].splits[split]
        assert (stats.count, stats.missing, stats.not_finite) == (len(gap), frame["gap"].isna().sum(), 0)
        assert stats.mean == pytest.approx(np.mean(gap))
        assert stats.std == pytest.approx(np.std(gap))
        assert stats.mad == pytest.approx(np.mean(np.abs(gap - np.mean(gap))))
        assert stats.quantiles["0.25"] == pytest.approx(np.quantile(gap, 0.25))
        assert (stats.least, stats.greatest) == pytest.approx((gap.min(), gap.max()))
    every = np.array([value for value in columns["gap"] if value is not None])
    assert targets["gap"].all.mean == pytest.approx(every.mean())
    assert targets["count"].all.zeros == columns["count"].count(0)


def test_histograms_hold_every_row(report):
    for target in report.sources[0].targets:
        if target.kind == "regression":
            for split, stats in target.splits.items():
                histogram = target.histogram
                held = sum(histogram.counts[split]) + histogram.below[split] + histogram.above[split]
                assert held == stats.count
            assert len(target.histogram.edges) == len(histogram.counts["train"]) + 1


def test_infinities_are_counted_and_left_out(report):
    odd = next(target for target in report.sources[0].targets if target.name == "odd")
    assert (odd.all.count, odd.all.missing, odd.all.not_finite) == (198, 0, 2)
    assert odd.all.greatest == 199


def test_class_balance(columns, report):
    flag = next(target for target in report.sources[0].targets if target.name == "flag")
    for split, frame in frames(columns).items():
        assert flag.splits[split] == {"False": (frame["flag"] == False).sum(), "True": (frame["flag"] == True).sum()}  # noqa: E712
        assert flag.missing[split] == frame["flag"].isna().sum()


def test_free_text_is_named_not_dropped(report):
    assert report.sources[0].not_counted == ("remark",)
    assert report.notes[0].startswith("made is not in the catalogue")


def test_class_labels_as_the_hub_stores_them(tmp_path):
    info = {"info": {"features": {"kind": {"names": ["indirect", "direct"], "_type": "ClassLabel"}}}}
    table = pa.table({"material_id": ["a", "b", "c", "d"], "kind": pa.array([0, 1, 1, -1])})
    path = tmp_path / "data" / "made" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), path)
    kind = compute_statistics(open_dataset_folder(tmp_path)).sources[0].targets[0]
    assert kind.splits == {"test": {"indirect": 1, "direct": 2}}
    assert kind.missing == {"test": 1}


def test_a_class_of_another_name_is_an_error(tmp_path):
    columns = {"material_id": ["a", "b"], "is_stable": ["True", "perhaps"]}
    folder = write_folder(tmp_path, "mp", {"test": columns})
    with pytest.raises(DataError, match="is_stable holds 'perhaps'"):
        compute_statistics(open_dataset_folder(folder))


def test_real_rows(tmp_path):
    splits = real_rows()
    source = compute_statistics(open_dataset_folder(write_folder(tmp_path, "mp", splits))).sources[0]
    volume = next(target for target in source.targets if target.name == "volume")
    values = np.array(splits["train"]["volume"] + splits["validation"]["volume"])
    assert volume.unit == "Å³"
    assert volume.all.mad == pytest.approx(np.abs(values - values.mean()).mean())
    assert source.texts["cif"]["train"].words.total == sum(len(text.split()) for text in splits["train"]["cif"])
    assert next(target for target in source.targets if target.name == "is_stable").kind == "classification"


def lengths(total: int) -> Lengths:
    return Lengths(total=total, mean=1, least=1, median=1, p95=1, p99=1, greatest=1)


def full_size(words: dict[str, int]) -> list[SourceStatistics]:
    """Ten sources with the published numbers of rows; all words in the first."""
    sources = []
    for place, source in enumerate(list_sources()):
        texts = {
            modality: {
                "train": TextStatistics(
                    texts=1, missing=0, bytes=1, words=lengths(total), word_pieces=lengths(1), tokens=None
                )
            }
            for modality, total in words.items()
            if place == 0
        }
        rows = source.published.splits.model_dump()
        sources.append(SourceStatistics(source=source.id, rows=rows, texts=texts, targets=()))
    return sources


def test_comparison_with_the_published_numbers():
    stated = get_benchmark().stated_words
    assert {name: one.words for name, one in stated.items()} == {
        "composition": 4_700_000,
        "cif": 615_500_000,
        "description": 3_100_000_000,
    }
    found, notes = compare(full_size({"composition": 4_720_000, "cif": 615_600_000, "description": 3_120_000_000}))
    by_name = {one.what: one for one in found}
    assert notes == []
    assert by_name["composition: words"].agrees
    assert not by_name["cif: words"].agrees
    assert by_name["description: words"].agrees
    rows = [one for one in found if ": rows" in one.what]
    assert len(rows) == 40
    assert all(one.agrees for one in rows)
    assert not any(one.agrees for one in found if one.what.endswith("labelled rows"))


def test_a_shortfall_differs():
    sources = full_size({})
    short = sources[0].model_copy(update={"rows": {**sources[0].rows, "train": 24_000}})
    found, notes = compare([short])
    name = get_source(short.source).id
    assert not next(one for one in found if one.what == f"{name}: rows of train").agrees
    assert "not compared" in notes[0]


def test_same_bytes_twice_and_no_trace_of_the_time_or_place(folder, tmp_path):
    runner = CliRunner()
    for name in ("a", "b"):
        assert runner.invoke(app, ["stats", str(folder), "--out", str(tmp_path / name)]).exit_code == 0
    for file in ("stats.json", "stats.html"):
        first = (tmp_path / "a" / file).read_bytes()
        assert first == (tmp_path / "b" / file).read_bytes()
        assert str(folder).encode() not in first
    stored = json.loads((tmp_path / "a" / "stats.json").read_text(encoding="utf-8"))
    assert StatisticsReport.model_validate(stored) == compute_statistics(open_dataset_folder(folder))


def test_page_is_self_contained(report):
    page = statistics_page(report)
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    pytest.importorskip("matplotlib")
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == len(report.sources[0].targets)
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # well formed


def test_without_matplotlib_the_page_has_its_tables_and_says_what_is_missing(report, monkeypatch):
    with_figures = statistics_page(report)
    monkeypatch.setattr("llm4mat_bench.dataset_builder.statistics.page.available", lambda: False)
    page = statistics_page(report)
    assert "<svg" not in page and "llm4mat-bench[plots]" in page
    rows = re.findall(r"<tr><td>.*?</tr>", page)
    assert rows == re.findall(r"<tr><td>.*?</tr>", with_figures)
    histogram = next(one.histogram for one in report.sources[0].targets if one.kind == "regression")
    first = "".join(f"<td>{counts[0]:,}</td>" for counts in histogram.counts.values())
    assert f"<td>{histogram.edges[0]:.4g}</td><td>{histogram.edges[1]:.4g}</td>{first}</tr>" in page


def test_names_are_escaped(tmp_path):
    columns = {"material_id": ["a", "b"], "<script>x</script>": [1.0, 2.0]}
    folder = write_folder(tmp_path, "made", {"test": columns})
    assert "<script" not in statistics_page(compute_statistics(open_dataset_folder(folder)))


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory) -> Path:
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    model = tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[UNK] $A [UNK]", special_tokens=[("[UNK]", 0)]
    )
    tokenizer.enable_truncation(8)
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize("as_folder", [False, True])
def test_tokens_without_special_ones_or_truncation(folder, tokenizer_file, as_folder):
    tokenizer = load_tokenizer(str(tokenizer_file.parent if as_folder else tokenizer_file))
    report = compute_statistics(open_dataset_folder(folder), tokenizer=tokenizer)
    for splits in report.sources[0].texts.values():
        for text in splits.values():
            assert text.tokens == text.words
    assert report.tokenizer == "tokenizer.json"
    assert len(report.tokenizer_sha256) == 64
    assert "tokens" in statistics_page(report)


def test_a_broken_tokenizer_is_one_line(tmp_path):
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"not a tokenizer\.json"):
        load_tokenizer(str(broken))


@pytest.mark.parametrize("name", ["nowhere/tokenizer.json", "/no/such/folder", "a/b/c"])
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(name):
    with pytest.raises(UsageError, match="no such file or folder"):
        load_tokenizer(name)
