"""The leaderboard in a real headless Chromium: sorting, filtering, comparing, by keyboard, at three widths."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import CHROMIUM, Browser, browser
from forgery import forge_record
from toy_runs import toy_run

from llm4mat_bench import get_task
from llm4mat_bench.metrics.leaderboard import page, write_leaderboard
from llm4mat_bench.metrics.results.truth import read_truth

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
LONG = "organisation/an-uncommonly-long-model-identifier-of-an-encoder-fine-tuned-on-descriptions-v2.1"
TASKS = ("sample/band_gap", "sample/is_stable")
EVERY = "[...document.querySelectorAll('tbody tr:not(.title)')]"
MODELS = f"{EVERY}.filter(r => !r.hidden).map(r => r.querySelector('bdi').textContent + ' ' + r.dataset.m)"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five models, some in two modalities: one long name, one with gaps, one perfect, one trial."""
    folder = tmp_path_factory.mktemp("browser")
    for task in TASKS:
        true = read_truth(get_task(task)).test_targets
        classes = get_task(task).kind == "classification"
        for number, (model, modality, error) in enumerate(
            [
                ("best", "description", 0.2),
                ("best", "cif", 0.9),
                (LONG, "cif", 0.6),
                ("gaps", "composition", 0.8),
                ("perfect", "composition", 0.0),
                ("trial", "composition", 0.5),
            ]
        ):
            noise = np.random.default_rng(number).normal(size=len(true))
            answers = (
                np.clip(0.5 + 0.3 * (true - 0.5) + 0.3 * error * noise, 0.01, 0.99) if classes else true + error * noise
            )
            if model == "perfect" and classes:
                continue
            limit = 20 if model == "trial" else None
            answers[limit or (len(answers) - 9 if model == "gaps" else len(answers)) :] = np.nan
            run = toy_run(folder / "results", task, model=model, modality=modality, answers=answers, limit=limit)
            kind = "prompted" if model == "gaps" else "finetuned"
            forge_record(run, lambda record, kind=kind: record["model"].update(kind=kind))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "MOST_ROWS", 4)  # so that one row comes on demand
        return write_leaderboard(folder / "results", folder / "board").page.parent


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learning curves of two modalities."""
    folder = tmp_path_factory.mktemp("learned")
    true = read_truth(get_task(TASKS[0])).test_targets
    for number, (modality, rows) in enumerate((one, n) for one in ("cif", "description") for n in (10, 100)):
        noise = np.random.default_rng(number).normal(size=len(true)) / np.sqrt(rows)
        toy_run(folder / "results", modality=modality, answers=true + noise, train_rows=rows)
    return write_leaderboard(folder / "results", folder / "board").page.parent


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium") / "profile") as started:
        yield started


def sound(chromium: Browser) -> None:
    assert not chromium.errors
    assert not chromium.failed
    assert all(url.startswith(("file:", "data:", "about:")) for url in chromium.asked)


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_pages_fit_their_window(board: Path, chromium: Browser, width: int) -> None:
    models = sorted(board.glob("models/*.html"))
    for path in (*(board / name for name in ("index.html", "compare.html", "sources/sample.html")), *models):
        chromium.open(path, width)
        assert chromium.run("document.documentElement.scrollWidth <= window.innerWidth"), path
    chromium.open(board / "tasks/sample/band_gap.html", width, dark=True)
    assert chromium.run("document.documentElement.scrollWidth <= window.innerWidth")
    script = (
        "const images = [...document.images]; images.forEach(i => i.loading = 'eager');"
        "await Promise.all(images.map(i => i.decode())); return images.map(i => i.naturalWidth > 0)"
    )
    drawn = chromium.run(script)
    assert all(drawn)
    # The score of the first row is seen without scrolling, whatever the name's length.
    box = chromium.run("(b => [b.left, b.right])(document.querySelector('tbody td.best').getBoundingClientRect())")
    assert box[0] >= 0 and box[1] <= width
    sound(chromium)


def test_sorting_by_keyboard(board: Path, chromium: Browser) -> None:
    chromium.open(board / "tasks/sample/band_gap.html")
    before = chromium.run(MODELS)
    assert before[0] == "perfect composition" and before[-1] == "trial composition"
    assert len(before) == 5, "one row comes on demand"
    chromium.run("document.querySelector('thead th:nth-child(3) button').focus()")
    orders = []
    for order in ("descending", "ascending"):
        chromium.press("Enter", 13, "\r")
        chromium.until(f"document.querySelector('thead th:nth-child(3)').ariaSort === '{order}'")
        orders.append(chromium.run(MODELS))
    down, up = orders
    assert len(down) == len(up) == 6
    assert down[0] == "perfect composition" and down[1] == "best description"
    assert up[:-1] == down[:-1][::-1] and up[-1] == down[-1] == "trial composition"
    sound(chromium)


def test_empty_cells_stand_last_whichever_way_round(board: Path, chromium: Browser) -> None:
    chromium.open(board / "sources/sample.html")
    column = "[...document.querySelectorAll('thead th')].find(h => h.textContent.includes('is_'))"
    for order in ("descending", "ascending"):
        chromium.run(f"{column}.querySelector('button').click()")
        chromium.until(f"{column}.ariaSort === '{order}'")
        ranked = chromium.run(MODELS)[:-1]
        assert ranked[-1] == "perfect composition", "it has no such cell"
    sound(chromium)


COLUMN = "[...document.querySelectorAll('thead th')].find(h => h.textContent.includes('{}'))"


def shown(chromium: Browser, column: str, order: str) -> list[str]:
    """What stands in a column of ranked rows after its button was pressed until it is in this order."""
    head = COLUMN.format(column)
    press = f"{head}.querySelector('button').click(); await loadAll(); await null;"
    chromium.run(f"for (let n = 0; n < 3 && {head}.ariaSort !== '{order}'; n++) {{ {press} }} return 1")
    chromium.until(f"{head}.ariaSort === '{order}'")
    cells = f"[...document.querySelector('tbody').rows].map(r => r.cells[{head}.cellIndex].firstChild.textContent)"
    return chromium.run(cells)  # type: ignore[no-any-return]


@pytest.mark.parametrize("column", ["published protocol", "without duplicates"])
def test_perfect_scores_are_the_best_of_every_column(board: Path, chromium: Browser, column: str) -> None:
    chromium.open(board / "tasks/sample/band_gap.html")
    down, up = shown(chromium, column, "descending"), shown(chromium, column, "ascending")
    assert down[0] == up[-1] == "∞" and len(down) == 5
    assert down == up[::-1]


def test_means_that_lack_tasks_are_sorted_too(board: Path, chromium: Browser) -> None:
    chromium.open(board / "sources/sample.html")
    down, up = shown(chromium, "mean MAD:MAE", "descending"), shown(chromium, "mean MAD:MAE", "ascending")
    assert down[0] == up[-1] == "∞" and down == up[::-1]
    assert len(down) == 5 and sorted(down[1:], key=float, reverse=True) == down[1:]


def test_the_order_is_told_and_buttons_have_names_of_their_own(board: Path, chromium: Browser) -> None:
    for path in ("index.html", "sources/sample.html", "tasks/sample/band_gap.html"):
        chromium.open(board / path)
        names = chromium.run("[...document.querySelectorAll('thead button')].map(b => b.ariaLabel)")
        assert len(set(names)) == len(names)
        assert names[0] == "sort by rank"
        assert chromium.run("document.querySelector('thead th').ariaSort") == "ascending"
    assert chromium.run("document.querySelector('thead button').textContent") == "↑"
    assert shown(chromium, "#", "descending")[:2] == ["5", "4"]
    sound(chromium)


def test_a_title_of_rows_is_read_whole_on_a_phone(board: Path, chromium: Browser) -> None:
    chromium.open(board / "tasks/sample/band_gap.html", 390)
    edges = chromium.run(
        "const range = document.createRange(); range.selectNodeContents(document.querySelector('tr.title th'));"
        "return [...range.getClientRects()].map(box => box.right)"
    )
    assert edges and max(edges) <= 390


@pytest.mark.parametrize("page", ["index.html", "sources/sample.html", "tasks/sample/band_gap.html"])
def test_paper_holds_the_whole_table(board: Path, chromium: Browser, page: str) -> None:
    chromium.open(board / page, 1060, printed=True)  # A4 on its side
    assert chromium.run("document.documentElement.scrollWidth <= window.innerWidth")
    clipped = "[...document.querySelectorAll('.scroll')].filter(e => getComputedStyle(e).overflow !== 'visible')"
    assert chromium.run(f"{clipped}.length") == 0
    painted = "[...document.querySelectorAll('.line .dot, .line .interval')].map(e => getComputedStyle(e))"
    widths = chromium.run(f"{painted}.map(s => parseFloat(s.borderLeftWidth) + parseFloat(s.borderTopWidth))")
    assert all(width > 2 for width in widths), "backgrounds are not printed"
    assert widths or "tasks" not in page


def test_the_modality_chooses_the_figures_too(board: Path, chromium: Browser) -> None:
    pytest.importorskip("matplotlib")
    chromium.open(board / "tasks/sample/band_gap.html")
    shown = "[...document.querySelectorAll('figure')].filter(f => !f.hidden).map(f => f.className + ' ' + f.dataset.m)"
    every = chromium.run(shown)
    modalities = ("composition", "cif", "description")
    sheets = ["sheet composition", "sheet cif"]  # by description there is one run, whose picture is the best
    assert sorted(every) == sorted(["elements composition", *(f"best {one}" for one in modalities), *sheets])
    for wanted in (*modalities, ""):
        chromium.run(
            "const form = document.querySelector('.filters');"
            f"form.elements['m'].value = '{wanted}'; form.dispatchEvent(new Event('input')); return await loadAll()"
        )
        assert chromium.run(shown) == [one for one in every if one.endswith(wanted)]
        said = chromium.run("(p => p.hidden ? '' : p.textContent)(document.querySelector('[data-hidden]'))")
        if wanted in ("", "composition"):
            assert not said
        else:
            assert said.startswith(f"Not shown, as it is not of {wanted} alone: Errors by element: perfect")


def test_a_picture_of_several_modalities_goes_with_a_word(learned: Path, chromium: Browser) -> None:
    pytest.importorskip("matplotlib")
    chromium.open(learned / "tasks/sample/band_gap.html")
    curves = "document.querySelector('figure.learning')"
    assert chromium.run(f"!{curves}.hidden")
    script = (
        "const f = document.querySelector('.filters'); f.elements.m.value = 'cif'; f.dispatchEvent(new Event('input'))"
    )
    chromium.run(f"{script}; return await loadAll()")
    assert chromium.run(f"{curves}.hidden")
    assert "What more training rows bring" in chromium.run("document.querySelector('[data-hidden]').textContent")
    sound(chromium)


def test_filters_and_search_bring_in_all_rows(board: Path, chromium: Browser) -> None:
    chromium.open(board / "index.html")

    def choose(**values: str) -> list[str]:
        for name, value in values.items():
            chromium.run(
                f"const f = document.querySelector('.filters').elements['{name}']; f.value = '{value}';"
                "f.dispatchEvent(new Event('input', {bubbles: true})); return await loadAll().then(() => 1)"
            )
        return chromium.run(MODELS)  # type: ignore[no-any-return]

    chromium.run("document.querySelector('.filters').dispatchEvent(new Event('input')); return await loadAll()")
    assert sorted(choose(m="cif")) == sorted(["best cif", f"{LONG} cif"])
    assert "2 of 6 rows" in chromium.run("document.querySelector('output').textContent")
    assert choose(m="", k="prompted") == ["gaps composition"]
    assert set(choose(k="", v="complete")) == {"best cif", "best description", f"{LONG} cif", "perfect composition"}
    assert choose(v="", s="uncommonly FINE-tuned") == [f"{LONG} cif"]
    assert len(choose(s="")) == 6
    sound(chromium)


def test_two_models_are_compared_in_a_plain_sentence(board: Path, chromium: Browser) -> None:
    chromium.open((board / "compare.html").as_uri() + "#on=sample/band_gap")

    def verdict(first: str, second: str) -> str:
        return chromium.run(  # type: ignore[no-any-return]
            f"const f = document.getElementById('compare'); f.elements.a.value = '{first}';"
            f"f.elements.b.value = '{second}'; f.dispatchEvent(new Event('change'));"
            "do { await new Promise(done => setTimeout(done, 50)); } while ('…'.includes(verdict.textContent));"
            "return verdict.textContent"
        )

    said = verdict("best · cif", "best · description")
    assert said.startswith("best · description is better than best · cif on sample/band_gap: MAD:MAE higher by")
    assert "The difference is real" in said
    rows = chromium.run("document.querySelectorAll('#by-task tbody tr').length")
    assert rows == 1
    assert "one and the same" in verdict("best · cif", "best · cif")
    said = verdict("gaps · composition", "best · cif")
    assert "cannot be said" in said or "is better" in said
    sound(chromium)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that cannot be compared, or hardly: perfect ones, equal ones, hard labels; one alone on a third task."""
    folder = tmp_path_factory.mktemp("odd")
    gap, stable, bulk = (read_truth(get_task(name)).test_targets for name in (*TASKS, "sample/bulk_modulus"))
    noise = np.random.default_rng(0).normal(size=len(gap))
    for model in ("one", "twin"):
        toy_run(folder / "r", model=model, answers=gap + noise)
    toy_run(folder / "r", model="perfect", answers=gap)
    toy_run(folder / "r", "sample/bulk_modulus", model="one", answers=bulk + np.std(bulk))
    probability = np.clip(0.4 + 0.2 * stable + 0.2 * np.random.default_rng(1).normal(size=len(stable)), 0.01, 0.99)
    toy_run(folder / "r", TASKS[1], model="one", answers=probability)
    toy_run(folder / "r", TASKS[1], model="twin", answers=probability**2)
    toy_run(folder / "r", TASKS[1], model="hard", answers=np.round(probability))
    toy_run(folder / "single", model="only", answers=gap + noise)
    for name in ("r", "single"):
        write_leaderboard(folder / name, folder / f"page-{name}", plots=False)
    return folder


def asked(chromium: Browser, page: Path, address: str, **choice: str) -> str:
    chromium.open(page.as_uri() + address)
    for name, value in choice.items():
        chromium.run(
            f"const e = document.getElementById('compare').elements['{name}']; e.value = '{value}';"
            "e.dispatchEvent(new Event('input', {bubbles: true})); return await null"
        )
    chromium.until("verdict.textContent !== '…'")
    return chromium.run("verdict.textContent")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("task", "first", "second", "said"),
    [
        (TASKS[0], "one", "perfect", "They cannot be compared on sample/band_gap (perfect · composition answers every"),
        (TASKS[0], "one", "twin", "one · composition and twin · composition are equal on sample/band_gap: MAD:MAE"),
        (TASKS[1], "one", "twin", "one · composition and twin · composition are equal on sample/is_stable: ROC AUC"),
        (TASKS[1], "one", "hard", "They cannot be compared on sample/is_stable (hard · composition gave hard labels"),
        (TASKS[1], "one", "perfect", "They cannot be compared on sample/is_stable (perfect · composition has no row"),
    ],
)
def test_why_two_rows_cannot_be_told_apart(
    odd: Path, chromium: Browser, task: str, first: str, second: str, said: str
) -> None:
    page = odd / "page-r/compare.html"
    found = asked(chromium, page, "#on=" + task, a=f"{first} · composition", b=f"{second} · composition")
    assert found.startswith(said)
    sound(chromium)


def test_a_link_to_what_cannot_be_compared_says_so(odd: Path, chromium: Browser) -> None:
    page = odd / "page-r/compare.html"
    assert "only one ranked row" in asked(chromium, page, "#on=sample/bulk_modulus")
    assert chromium.run("compareForm.elements.on.value") == "sample/bulk_modulus"
    assert "not here" in asked(chromium, page, f"#a=gone&b=gone&on={TASKS[0]}")
    assert asked(chromium, page, f"#on={TASKS[0]}") == ""
    chromium.open(odd / "page-single/compare.html")
    assert "nothing to compare yet" in chromium.run("verdict.textContent")
    assert chromium.run("compareForm.hidden")
    sound(chromium)


def test_the_verdict_is_of_what_is_chosen_last(board: Path, chromium: Browser) -> None:
    """A task whose file is there is answered before one that is still being read: that one must not answer after it."""
    chromium.open((board / "compare.html").as_uri() + "#on=sample/band_gap")
    script = (
        "const form = compareForm.elements, real = load; let release;"
        "window.slow = new Promise(done => { release = done; });"
        "load = async task => { if (task.name.endsWith('is_stable')) await window.slow; return real(task); };"
        "form.a.value = 'best · cif'; form.b.value = 'best · description';"
        "for (const name of ['sample/is_stable', 'sample/band_gap']) {"
        "  form.on.value = name; form.on.dispatchEvent(new Event('input', {bubbles: true})); }"
        "while (verdict.textContent === '…') await new Promise(done => setTimeout(done, 20));"
        "release(); await new Promise(done => setTimeout(done, 200));"
        "return [verdict.textContent, table.tBodies[0].textContent, table.tBodies[0].rows.length]"
    )
    verdict, text, rows = chromium.run(script)
    assert "on sample/band_gap" in verdict and "is_stable" not in verdict
    assert rows == 1 and text.startswith("sample/band_gap")
    sound(chromium)


def test_two_that_can_be_compared_are_shown_at_first(board: Path, chromium: Browser) -> None:
    chromium.open(board / "compare.html")
    chromium.until("verdict.textContent && verdict.textContent !== '…'")
    said = chromium.run("verdict.textContent")
    assert " than " in said and "95 % interval" in said
    sound(chromium)


def test_without_scripts_the_table_stands(board: Path, chromium: Browser) -> None:
    chromium.script(on=False)
    try:
        chromium.open(board / "index.html")
        assert chromium.run(f"{EVERY}.length") == 5
        assert chromium.run("document.querySelector('.filters').hidden && !document.querySelector('thead button')")
    finally:
        chromium.script(on=True)
    sound(chromium)


def test_tables_tell_readers_that_cannot_see(board: Path, chromium: Browser) -> None:
    chromium.open(board / "tasks/sample/band_gap.html")
    assert chromium.run("document.querySelector('table caption').textContent")
    assert chromium.run("[...document.querySelectorAll('thead th')].every(h => h.scope === 'col')")
    assert chromium.run("[...document.querySelectorAll('tbody th')].every(h => h.scope.startsWith('row'))")
    assert chromium.run("[...document.images].every(i => i.alt)")
    assert chromium.run("[...document.querySelectorAll('input, select')].every(i => i.labels.length)")
    assert chromium.run("[...document.querySelectorAll('thead button')].every(b => b.ariaLabel)")
